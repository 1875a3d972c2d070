use super::{Link, Tree};
use crate::edge::{self, BLOCK, EMPTY, NONE};
use crate::record::Record;

impl Tree<'_> {
    /// Takes out `key`, which is in the trie, and returns how many bytes its record took.
    pub(crate) const fn remove(&mut self, key: &[u8]) -> usize {
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

        let mut at = edge::record(edge);
        let mut record = self.record(at);
        let is_leaf = record.len as usize == key.len();
        while record.len as usize > key.len() {
            at = record.up;
            record = self.record(at);
        }
        let Record { up, up_len, .. } = record;
        if !is_leaf {
            self.relink(key, at, up, up_len);
        } else if depth == 0 {
            self.state.root = if up == NONE { EMPTY } else { edge::leaf(up) };
        } else if up != NONE && up_len as usize > edge::position(self.edge(parent)) {
            // All other leaves leave the path before the end of the longest prefix, which so becomes a leaf.
            self.replace_leaf(key, at, up);
        } else {
            self.remove_leaf(key, at, parent, link);
        }

        Record {
            value: NONE,
            ..record
        }
        .write(self.records, at as usize);
        self.state.keys -= 1;
        record.size()
    }

    /// Takes the leaf `record` out of the node behind `parent`, and that node too when one child is left.
    const fn remove_leaf(&mut self, key: &[u8], record: u32, parent: Link, link: Link) {
        let node = self.edge(parent);
        let base = edge::block(node) as usize * BLOCK;
        let end = base + edge::width(node);
        self.set_edge(link, edge::absent(record));

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
        self.replace_absent(key, record, self.first_leaf(sibling));
        if present == 1 {
            self.set_edge(parent, sibling);
            self.free_node(node);
        }
    }
}
