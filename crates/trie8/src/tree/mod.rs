//! Insertion and removal over borrowed memory, usable in constant evaluation.

mod insert;
mod memory;
mod pack;
mod relink;
#[cfg(feature = "alloc")]
mod remove;
mod wide;

use crate::edge::{self, BLOCK, EMPTY, NONE, WIDE};
use crate::record::Record;
use crate::view::View;

pub(crate) use insert::Placed;
pub(crate) use pack::pack;

/// Blocks of a wide node: a run.
pub(crate) const RUN: usize = WIDE / BLOCK;

/// What is in use of the three arrays.
#[derive(Clone, Copy, Debug)]
pub(crate) struct State {
    pub(crate) root: u32,
    /// Keys in the trie.
    pub(crate) keys: usize,
    /// Blocks ever taken; those that are free again are in a list.
    pub(crate) blocks: usize,
    /// Bytes of records ever written, those of removed keys too.
    pub(crate) bytes: usize,
    /// Free blocks, linked through their first edge.
    free_block: u32,
    /// Free runs of blocks, as long as a wide node is, linked through their first edge.
    free_run: u32,
    /// Nodes in the trie, and how many of them are wide.
    nodes: usize,
    wide: usize,
}

impl State {
    pub(crate) const fn new() -> Self {
        Self {
            root: EMPTY,
            keys: 0,
            blocks: 0,
            bytes: 0,
            free_block: NONE,
            free_run: NONE,
            nodes: 0,
            wide: 0,
        }
    }

    /// Notes that the nodes have been packed, with the root at `root`.
    #[cfg(feature = "alloc")]
    pub(crate) const fn set_packed(&mut self, root: u32) {
        self.root = root;
        self.blocks = self.live_blocks();
        self.free_block = NONE;
        self.free_run = NONE;
    }

    /// Blocks that the nodes take.
    pub(crate) const fn live_blocks(&self) -> usize {
        self.nodes + (RUN - 1) * self.wide
    }
}

/// Where the edge to a node is stored.
#[derive(Clone, Copy)]
enum Link {
    Root,
    Slot(usize),
}

/// A trie in memory that somebody else owns.
pub(crate) struct Tree<'a> {
    pub(crate) state: &'a mut State,
    pub(crate) edges: &'a mut [u32],
    pub(crate) records: &'a mut [u8],
}

impl Tree<'_> {
    const fn view(&self) -> View<'_> {
        View {
            root: self.state.root,
            edges: self.edges,
            records: self.records,
        }
    }

    const fn record(&self, at: u32) -> Record {
        Record::at(self.records, at as usize)
    }

    const fn key(&self, at: u32) -> &[u8] {
        self.record(at).key(self.records, at as usize)
    }

    const fn set_up(&mut self, at: u32, up: u32, up_len: u16) {
        let record = self.record(at);
        Record { up, up_len, ..record }.write(self.records, at as usize);
    }

    const fn edge(&self, link: Link) -> u32 {
        match link {
            Link::Root => self.state.root,
            Link::Slot(slot) => self.edges[slot],
        }
    }

    const fn set_edge(&mut self, link: Link, edge: u32) {
        match link {
            Link::Root => self.state.root = edge,
            Link::Slot(slot) => self.edges[slot] = edge,
        }
    }

    /// The first leaf at or below `edge`, which is present.
    const fn first_leaf(&self, mut edge: u32) -> u32 {
        while !edge::is_leaf(edge) {
            let mut slot = edge::block(edge) as usize * BLOCK;
            while !edge::is_present(self.edges[slot]) {
                slot += 1;
            }
            edge = self.edges[slot];
        }
        edge::record(edge)
    }
}

const fn key_len(key: &[u8]) -> u16 {
    #[expect(clippy::cast_possible_truncation, reason = "at most MAX_KEY_LEN")]
    let len = key.len() as u16;
    len
}

const fn index(at: usize) -> u32 {
    #[expect(
        clippy::cast_possible_truncation,
        reason = "blocks and records are numbered with 19 and 30 bits"
    )]
    let index = at as u32;
    index
}
