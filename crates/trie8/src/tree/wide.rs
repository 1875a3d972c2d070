use super::{Link, RUN, Tree, index};
use crate::MAX_KEYS;
use crate::edge::{self, BLOCK, KIND_WIDE, MAX_BLOCKS, NONE, WIDE};

/// Distinct values of the two low digits from which a wide node is worth its memory.
const DENSE: usize = 5;
// What `max_node_words` counts on.
const _: () = assert!(RUN <= 2 * (DENSE - 1));
/// Wide nodes that may exist at a time. A trie of `n` leaves has at most `n - 1` nodes, so with `MAX_KEYS` keys and
/// this many wide nodes there is still a block for every node.
const MAX_WIDE: usize = (MAX_BLOCKS - MAX_KEYS) / (RUN - 1);

impl Tree<'_> {
    /// Widens the node behind `link`, which tests a first digit or is wide already, if it has enough grandchildren
    /// and there is room.
    pub(super) const fn widen_if_dense(&mut self, link: Link) {
        let node = self.edge(link);
        let room = self.state.free_run != NONE
            || (self.state.blocks + RUN <= MAX_BLOCKS
                && (self.state.blocks + RUN) * BLOCK <= self.edges.len());
        if edge::kind(node) == 0 && room && self.state.wide < MAX_WIDE && self.is_dense(node) {
            self.widen(link);
        }
    }

    const fn is_dense(&self, node: u32) -> bool {
        let base = edge::block(node) as usize * BLOCK;
        let mut distinct = 0;
        let mut first = 0;
        while first < BLOCK {
            let child = self.edges[base + first];
            if is_second_digit(node, child) {
                distinct += self.present(child);
            } else if edge::is_present(child) {
                distinct += 1;
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
    /// the same byte into one wide node. There must be room for a run.
    const fn widen(&mut self, link: Link) {
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
                    self.free_node(child);
                } else {
                    // All keys below share the second digit; any of them tells it.
                    let leaf = self.first_leaf(child);
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
