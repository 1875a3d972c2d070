//! Insertion and removal over borrowed memory, usable in constant evaluation.

mod insert;
mod memory;
mod pack;
mod relink;
#[cfg(feature = "alloc")]
mod remove;
mod wide;

use crate::edge::{self, BLOCK, EMPTY, NONE, WIDE};
use crate::view::{Entry, View};

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
    /// Blocks, entries and bytes ever taken; what is free again below these marks is in a list, except bytes.
    pub(crate) blocks: usize,
    pub(crate) entries: usize,
    pub(crate) bytes: usize,
    /// Free blocks, linked through their first edge.
    free_block: u32,
    /// Free runs of blocks, as long as a wide node is, linked through their first edge.
    free_run: u32,
    /// Free entries, linked through `offset`.
    free_entry: u32,
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
            entries: 0,
            bytes: 0,
            free_block: NONE,
            free_run: NONE,
            free_entry: NONE,
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
    pub(crate) entries: &'a mut [Entry],
    pub(crate) bytes: &'a mut [u8],
}

impl Tree<'_> {
    const fn view(&self) -> View<'_> {
        View {
            root: self.state.root,
            edges: self.edges,
            entries: self.entries,
            bytes: self.bytes,
        }
    }

    const fn key(&self, entry: usize) -> &[u8] {
        self.view().key(&self.entries[entry])
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
        index(edge::entry(edge))
    }
}

const fn key_len(key: &[u8]) -> u16 {
    #[expect(clippy::cast_possible_truncation, reason = "at most MAX_KEY_LEN")]
    let len = key.len() as u16;
    len
}

const fn index(at: usize) -> u32 {
    #[expect(clippy::cast_possible_truncation, reason = "at most MAX_BLOCKS or MAX_KEYS")]
    let index = at as u32;
    index
}
