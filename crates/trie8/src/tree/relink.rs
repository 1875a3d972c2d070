use super::{Link, Tree};
use crate::edge::{self, BLOCK, EMPTY};

impl Tree<'_> {
    /// Puts the leaf `new` where the leaf `old` of `key` was, which shares all digits tested on its path.
    pub(super) const fn replace_leaf(&mut self, key: &[u8], old: u32, new: u32) {
        self.replace_absent(key, old, new);
        let mut link = Link::Root;
        while !edge::is_leaf(self.edge(link)) {
            link = Link::Slot(edge::step(self.edge(link), key));
        }
        self.set_edge(link, edge::leaf(new));
    }

    /// Lets the absent edges that name the leaf `old` name `new`. They are all in nodes on the path of `key`.
    pub(super) const fn replace_absent(&mut self, key: &[u8], old: u32, new: u32) {
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
    pub(super) const fn relink(&mut self, key: &[u8], old: u32, new: u32, new_len: u16) {
        let mut top = self.state.root;
        while !edge::is_leaf(top) && edge::position(top) < key.len() {
            top = self.edges[edge::step(top, key)];
        }
        let mut leaf = self.first_leaf(top);
        loop {
            let mut below = leaf;
            while self.record(below).up != old {
                below = self.record(below).up;
            }
            self.set_up(below, new, new_len);

            let handled = self.record(below).len as usize;
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
            leaf = self.first_leaf(next);
        }
    }
}
