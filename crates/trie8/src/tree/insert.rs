use super::{Link, Tree, index, key_len};
use crate::edge::{self, BLOCK, KIND_WIDE, NONE};
use crate::lcp::common_prefix;

/// Where a key went: the index of its entry.
pub(crate) enum Placed {
    /// The key was there already.
    Existing(usize),
    /// The key is new.
    New(usize),
}

impl Tree<'_> {
    /// Adds `key`, which is at most `MAX_KEY_LEN` bytes long.
    ///
    /// There must be room for one more key: an entry, a block, and the bytes of the key behind `State::bytes`. With
    /// room for a run of blocks besides, the node that the key comes to may become a wide one.
    pub(crate) const fn insert(&mut self, key: &[u8]) -> Placed {
        if self.state.keys == 0 {
            let entry = self.new_entry(key, NONE, 0);
            self.state.root = edge::leaf(entry);
            return Placed::New(entry as usize);
        }
        let leaf = self.view().nearest_leaf(key);
        let common = common_prefix(self.key(leaf), key);
        if common == key.len() {
            return self.insert_prefix(leaf, key);
        }
        let entry = if common == self.entries[leaf].len as usize {
            self.insert_longer(leaf, key)
        } else {
            self.insert_branch(leaf, key, common)
        };
        Placed::New(entry as usize)
    }

    /// Adds a key that the key of `leaf` starts with or equals: it gets a place in a chain, and no node.
    const fn insert_prefix(&mut self, leaf: usize, key: &[u8]) -> Placed {
        let mut below = leaf;
        while self.entries[below].len as usize > key.len() {
            let entry = self.entries[below];
            if entry.up == NONE || (entry.up_len as usize) < key.len() {
                let new = self.new_entry(key, entry.up, entry.up_len);
                self.relink(key, entry.up, new, key_len(key));
                return Placed::New(new as usize);
            }
            below = entry.up as usize;
        }
        Placed::Existing(below)
    }

    /// Adds a key that starts with the key of `leaf`: the old key moves into the chain of the new one.
    const fn insert_longer(&mut self, leaf: usize, key: &[u8]) -> u32 {
        let entry = self.new_entry(key, index(leaf), self.entries[leaf].len);
        self.replace_leaf(key, index(leaf), entry);
        entry
    }

    /// Adds a key that leaves the key of `leaf`, the nearest, behind `common` bytes.
    const fn insert_branch(&mut self, leaf: usize, key: &[u8], common: usize) -> u32 {
        let other = self.key(leaf)[common];
        let kind = edge::first_difference(key[common], other);

        // The registered prefixes of the key are those of the leaf's key that end before the difference.
        let mut above = self.entries[leaf];
        while above.up_len as usize > common {
            above = self.entries[above.up as usize];
        }
        let entry = self.new_entry(key, above.up, above.up_len);

        // Go down to the edge into the part of the trie where only digits from the first difference on are tested.
        let mut previous = Link::Root;
        let mut link = Link::Root;
        let mut old = self.state.root;
        while !edge::is_leaf(old) {
            let at = edge::position(old);
            if at > common || (at == common && edge::last_digit(old) >= kind) {
                break;
            }
            previous = link;
            link = Link::Slot(edge::step(old, key));
            old = self.edge(link);
        }

        if edge::tests(old, common, kind) {
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

        let changed = self.edge(link);
        if edge::kind(changed) == 0 {
            self.widen_if_dense(link);
        } else if edge::kind(changed) != KIND_WIDE && edge::tests(self.edge(previous), common, 0) {
            self.widen_if_dense(previous);
        }
        entry
    }
}
