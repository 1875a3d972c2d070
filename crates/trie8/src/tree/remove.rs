use super::{Link, Tree, index};
use crate::edge::{self, BLOCK, EMPTY, NONE};
use crate::view::Entry;

impl Tree<'_> {
    /// Takes `key` out, which has the entry `entry`.
    pub(crate) const fn remove(&mut self, key: &[u8], entry: usize) {
        let Entry { up, up_len, .. } = self.entries[entry];

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
}
