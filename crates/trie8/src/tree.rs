//! Insertion and removal over borrowed memory, usable in constant evaluation.

use crate::MAX_KEYS;
use crate::edge::{self, BLOCK, EMPTY, KIND_WIDE, MAX_BLOCKS, NONE, WIDE};
use crate::lcp::common_prefix;
use crate::view::{Entry, View};

/// Blocks of a wide node.
const RUN: usize = WIDE / BLOCK;
/// Distinct values of the two low digits from which a wide node is worth its memory.
const DENSE: usize = 6;
/// Wide nodes that may exist at a time. A trie of `n` leaves has at most `n - 1` nodes, so with `MAX_KEYS` keys and
/// this many wide nodes there is still a block for every node.
const MAX_WIDE: usize = (MAX_BLOCKS - MAX_KEYS) / (RUN - 1);

/// What is in use of the three arrays.
#[derive(Clone, Copy, Debug)]
pub(crate) struct State {
    pub(crate) root: u32,
    /// Keys in the trie.
    pub(crate) keys: usize,
    /// Blocks, entries and bytes ever taken; what is free again below these marks is in a list or counted.
    pub(crate) blocks: usize,
    pub(crate) entries: usize,
    pub(crate) bytes: usize,
    /// Bytes of removed keys.
    pub(crate) garbage: usize,
    /// Free blocks, linked through their first edge.
    free_block: u32,
    /// Free runs of blocks, as long as a wide node is, linked through their first edge.
    free_run: u32,
    /// Free entries, linked through `offset`.
    free_entry: u32,
    /// Wide nodes in the trie.
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
            garbage: 0,
            free_block: NONE,
            free_run: NONE,
            free_entry: NONE,
            wide: 0,
        }
    }
}

/// Where a key went.
pub(crate) enum Placed {
    /// The key was there already, as this entry.
    Existing(usize),
    /// The key is new. The node that `widen` names has become a candidate for [`Tree::widen`].
    New { entry: usize, widen: Option<Link> },
}

/// Where the edge to a node is stored.
#[derive(Clone, Copy)]
pub(crate) enum Link {
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

    /// Adds `key`, which is at most `MAX_KEY_LEN` bytes long. There must be room for one more key: an entry, a block,
    /// and the bytes of the key behind `State::bytes`.
    pub(crate) const fn insert(&mut self, key: &[u8]) -> Placed {
        if self.state.keys == 0 {
            let entry = self.new_entry(key, NONE, 0);
            self.state.root = edge::leaf(entry);
            return Placed::New {
                entry: entry as usize,
                widen: None,
            };
        }
        let leaf = self.view().nearest_leaf(key);
        let common = common_prefix(self.key(leaf), key);
        if common == key.len() {
            self.insert_prefix(leaf, key)
        } else if common == self.entries[leaf].len as usize {
            self.insert_longer(leaf, key)
        } else {
            self.insert_branch(leaf, key, common)
        }
    }

    /// Adds a key that the key of `leaf` starts with or equals: it gets a place in a chain, and no node.
    const fn insert_prefix(&mut self, leaf: usize, key: &[u8]) -> Placed {
        let mut below = leaf;
        while self.entries[below].len as usize > key.len() {
            let entry = self.entries[below];
            if entry.up == NONE || (entry.up_len as usize) < key.len() {
                let up = entry.up;
                let new = self.new_entry(key, up, entry.up_len);
                self.relink(key, up, new, key_len(key));
                return Placed::New {
                    entry: new as usize,
                    widen: None,
                };
            }
            below = entry.up as usize;
        }
        Placed::Existing(below)
    }

    /// Adds a key that starts with the key of `leaf`: the old key moves into the chain of the new one.
    const fn insert_longer(&mut self, leaf: usize, key: &[u8]) -> Placed {
        let entry = self.new_entry(key, index(leaf), self.entries[leaf].len);
        self.replace_leaf(key, index(leaf), entry);
        Placed::New {
            entry: entry as usize,
            widen: None,
        }
    }

    /// Adds a key that leaves the key of `leaf`, the nearest, behind `common` bytes.
    const fn insert_branch(&mut self, leaf: usize, key: &[u8], common: usize) -> Placed {
        let other = self.key(leaf)[common];
        let kind = edge::first_difference(key[common], other);

        let mut above = self.entries[leaf];
        while above.up_len as usize > common {
            above = self.entries[above.up as usize];
        }
        let entry = self.new_entry(key, above.up, above.up_len);

        // Go down to the edge that enters the part of the trie that is decided behind the difference.
        let mut previous = Link::Root;
        let mut link = Link::Root;
        let mut old = self.state.root;
        while !edge::is_leaf(old) {
            let at = edge::position(old);
            let last = if edge::kind(old) == KIND_WIDE {
                1
            } else {
                edge::kind(old)
            };
            if at > common || (at == common && last >= kind) {
                break;
            }
            previous = link;
            link = Link::Slot(edge::step(old, key));
            old = self.edge(link);
        }

        let tests_difference = !edge::is_leaf(old)
            && edge::position(old) == common
            && (edge::kind(old) == kind || (edge::kind(old) == KIND_WIDE && kind < 2));
        if tests_difference {
            // The edge is absent: had it been present, the walk would have led to a nearer leaf.
            self.edges[edge::step(old, key)] = edge::leaf(entry);
        } else {
            let block = self.new_block();
            let base = block as usize * BLOCK;
            let mut slot = base;
            while slot < base + BLOCK {
                self.edges[slot] = edge::absent(index(leaf));
                slot += 1;
            }
            self.edges[base + edge::digit(kind, other)] = old;
            self.edges[base + edge::digit(kind, key[common])] = edge::leaf(entry);
            #[expect(clippy::cast_possible_truncation, reason = "below MAX_KEY_LEN")]
            self.set_edge(link, edge::node(block, common as u32, kind));
        }
        // A node of the second digit may complete the wide node that its parent can become.
        let changed = self.edge(link);
        let widen = if edge::kind(changed) == 0 {
            Some(link)
        } else if edge::kind(changed) == 1 {
            let parent = self.edge(previous);
            let below_first =
                !edge::is_leaf(parent) && edge::position(parent) == common && edge::kind(parent) == 0;
            if below_first { Some(previous) } else { None }
        } else {
            None
        };
        Placed::New {
            entry: entry as usize,
            widen,
        }
    }

    /// Takes `key` out, which has the entry `entry`.
    pub(crate) const fn remove(&mut self, key: &[u8], entry: usize) {
        let Entry { up, up_len, len, .. } = self.entries[entry];

        // The walk ends at a leaf below or at the key; `link` leads to it, `parent` to the node above.
        let mut parent = Link::Root;
        let mut link = Link::Root;
        let mut edge = self.state.root;
        let mut depth = 0;
        while !edge::is_leaf(edge) {
            parent = link;
            link = Link::Slot(edge::step(edge, key));
            edge = self.edge(link);
            depth += 1;
        }

        if edge::entry(edge) != entry {
            self.relink(key, index(entry), up, up_len);
        } else if depth == 0 {
            self.state.root = if up == NONE { EMPTY } else { edge::leaf(up) };
        } else if up != NONE && up_len as usize > edge::position(self.edge(parent)) {
            // All other leaves leave the path before the end of the longest prefix, which so becomes a leaf.
            self.replace_leaf(key, index(entry), up);
        } else {
            self.remove_leaf(key, index(entry), parent, link);
        }

        self.state.garbage += len as usize;
        self.state.keys -= 1;
        self.entries[entry].offset = self.state.free_entry;
        self.state.free_entry = index(entry);
    }

    /// Takes the leaf `entry` out of the node behind `parent`, and that node too when one child is left.
    const fn remove_leaf(&mut self, key: &[u8], entry: u32, parent: Link, link: Link) {
        let node = self.edge(parent);
        let base = edge::block(node) as usize * BLOCK;
        let end = base + edge::width(node);
        self.set_edge(link, edge::absent(entry));

        let mut present = 0;
        let mut sibling = EMPTY;
        let mut slot = base;
        while slot < end {
            if edge::is_present(self.edges[slot]) {
                present += 1;
                sibling = self.edges[slot];
            }
            slot += 1;
        }
        self.replace_absent(key, entry, self.first_leaf(sibling));
        if present == 1 {
            self.set_edge(parent, sibling);
            self.free_node(node);
        }
    }

    /// Puts the leaf `new` where the leaf `old` of `key` was, which shares all digits tested on its path.
    const fn replace_leaf(&mut self, key: &[u8], old: u32, new: u32) {
        self.replace_absent(key, old, new);
        let mut link = Link::Root;
        while !edge::is_leaf(self.edge(link)) {
            link = Link::Slot(edge::step(self.edge(link), key));
        }
        self.set_edge(link, edge::leaf(new));
    }

    /// Lets the absent edges that name the leaf `old` name `new`. They are all in nodes on the path of `key`.
    const fn replace_absent(&mut self, key: &[u8], old: u32, new: u32) {
        let mut edge = self.state.root;
        while !edge::is_leaf(edge) {
            let base = edge::block(edge) as usize * BLOCK;
            let end = base + edge::width(edge);
            let next = edge::step(edge, key);
            edge = self.edges[next];
            let mut slot = base;
            while slot < end {
                if self.edges[slot] == edge::absent(old) {
                    self.edges[slot] = edge::absent(new);
                }
                slot += 1;
            }
        }
    }

    /// Points the registered keys right below `key`, whose longest proper prefix was `old`, at `new`.
    ///
    /// Visits one leaf for each of them: the leaves in edge order, and behind each the first one that does not
    /// start with the key just handled.
    const fn relink(&mut self, key: &[u8], old: u32, new: u32, new_len: u16) {
        let mut top = self.state.root;
        while !edge::is_leaf(top) && edge::position(top) < key.len() {
            top = self.edges[edge::step(top, key)];
        }
        let mut leaf = self.first_leaf(top) as usize;
        loop {
            let mut below = leaf;
            while self.entries[below].up != old {
                below = self.entries[below].up as usize;
            }
            self.entries[below].up = new;
            self.entries[below].up_len = new_len;

            let handled = self.entries[below].len as usize;
            let mut next = EMPTY;
            let mut edge = top;
            while !edge::is_leaf(edge) && edge::position(edge) < handled {
                let taken = edge::step(edge, self.key(leaf));
                let end = edge::block(edge) as usize * BLOCK + edge::width(edge);
                let mut slot = taken + 1;
                while slot < end {
                    if edge::is_present(self.edges[slot]) {
                        next = self.edges[slot];
                        break;
                    }
                    slot += 1;
                }
                edge = self.edges[taken];
            }
            if next == EMPTY {
                return;
            }
            leaf = self.first_leaf(next) as usize;
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

    const fn new_entry(&mut self, key: &[u8], up: u32, up_len: u16) -> u32 {
        let entry = match self.state.free_entry {
            NONE => {
                self.state.entries += 1;
                index(self.state.entries - 1)
            }
            free => {
                self.state.free_entry = self.entries[free as usize].offset;
                free
            }
        };
        let (_, room) = self.bytes.split_at_mut(self.state.bytes);
        room.split_at_mut(key.len()).0.copy_from_slice(key);
        #[expect(
            clippy::cast_possible_truncation,
            reason = "MAX_KEYS * MAX_KEY_LEN < 2^29, and as much garbage"
        )]
        let offset = self.state.bytes as u32;
        self.entries[entry as usize] = Entry {
            offset,
            up,
            len: key_len(key),
            up_len,
        };
        self.state.bytes += key.len();
        self.state.keys += 1;
        entry
    }

    const fn new_block(&mut self) -> u32 {
        if self.state.free_block != NONE {
            let block = self.state.free_block;
            self.state.free_block = self.edges[block as usize * BLOCK];
            return block;
        }
        if self.state.free_run != NONE {
            let block = self.state.free_run;
            self.state.free_run = self.edges[block as usize * BLOCK];
            let mut rest = 1;
            while rest < RUN {
                self.free_block(block + index(rest));
                rest += 1;
            }
            return block;
        }
        self.state.blocks += 1;
        index(self.state.blocks - 1)
    }

    const fn free_block(&mut self, block: u32) {
        self.edges[block as usize * BLOCK] = self.state.free_block;
        self.state.free_block = block;
    }

    const fn free_node(&mut self, node: u32) {
        let block = edge::block(node);
        if edge::kind(node) == KIND_WIDE {
            self.edges[block as usize * BLOCK] = self.state.free_run;
            self.state.free_run = block;
            self.state.wide -= 1;
        } else {
            self.free_block(block);
        }
    }

    /// Whether the node behind `link`, which tests a first digit, has enough grandchildren to be worth a wide node.
    pub(crate) const fn wants_wide(&self, link: Link) -> bool {
        if self.state.wide >= MAX_WIDE
            || (self.state.free_run == NONE && self.state.blocks + RUN > MAX_BLOCKS)
        {
            return false;
        }
        let node = self.edge(link);
        let base = edge::block(node) as usize * BLOCK;
        let mut distinct = 0;
        let mut first = 0;
        while first < BLOCK {
            let child = self.edges[base + first];
            if edge::is_present(child) {
                distinct += 1;
                if is_second_digit(node, child) {
                    distinct += self.present(child) - 1;
                }
            }
            first += 1;
        }
        distinct >= DENSE
    }

    const fn present(&self, node: u32) -> usize {
        let base = edge::block(node) as usize * BLOCK;
        let mut count = 0;
        let mut slot = 0;
        while slot < BLOCK {
            if edge::is_present(self.edges[base + slot]) {
                count += 1;
            }
            slot += 1;
        }
        count
    }

    /// Turns the node behind `link`, which tests a first digit, and its children that test the second digit of
    /// the same byte into one wide node. There must be room for `RUN` more blocks.
    pub(crate) const fn widen(&mut self, link: Link) {
        let node = self.edge(link);
        let base = edge::block(node) as usize * BLOCK;
        let block = if self.state.free_run != NONE {
            let block = self.state.free_run;
            self.state.free_run = self.edges[block as usize * BLOCK];
            block
        } else {
            self.state.blocks += RUN;
            index(self.state.blocks - RUN)
        };
        let wide = block as usize * BLOCK;

        let some_leaf = edge::absent(self.first_leaf(node));
        let mut slot = wide;
        while slot < wide + WIDE {
            self.edges[slot] = some_leaf;
            slot += 1;
        }
        let mut first = 0;
        while first < BLOCK {
            let child = self.edges[base + first];
            if edge::is_present(child) {
                if is_second_digit(node, child) {
                    let child_base = edge::block(child) as usize * BLOCK;
                    let mut second = 0;
                    while second < BLOCK {
                        if edge::is_present(self.edges[child_base + second]) {
                            self.edges[wide + second * BLOCK + first] = self.edges[child_base + second];
                        }
                        second += 1;
                    }
                    self.free_block(edge::block(child));
                } else {
                    // All keys below share the second digit; any of them tells it.
                    let leaf = self.first_leaf(child) as usize;
                    let (key, at) = (self.key(leaf), edge::position(node));
                    let byte = if at < key.len() { key[at] } else { 0 };
                    self.edges[wide + edge::digit(KIND_WIDE, byte)] = child;
                }
            }
            first += 1;
        }
        self.free_block(edge::block(node));
        self.state.wide += 1;
        #[expect(clippy::cast_possible_truncation, reason = "a position has 10 bits")]
        self.set_edge(link, edge::node(block, edge::position(node) as u32, KIND_WIDE));
    }
}

/// Whether `child` tests the second digit of the byte whose first digit `node` tests.
const fn is_second_digit(node: u32, child: u32) -> bool {
    !edge::is_leaf(child) && edge::kind(child) == 1 && edge::position(child) == edge::position(node)
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
