use super::{Link, Tree, key_len};
use crate::edge::{self, BLOCK, KIND_WIDE, NONE};

/// What became of a key.
pub(crate) enum Placed {
    /// It was there already, with the value of this index.
    Existing(u32),
    /// It is new.
    New,
}

impl Tree<'_> {
    /// Adds `key`, which is at most `MAX_KEY_LEN` bytes long, with the value of index `value`.
    ///
    /// There must be room for a block, and for a record and the padding behind `State::bytes`. With room for a run
    /// of blocks besides, the node that the key comes to may become a wide one.
    pub(crate) const fn insert(&mut self, key: &[u8], value: u32) -> Placed {
        if self.state.keys == 0 {
            let record = self.new_record(key, NONE, 0, value);
            self.state.root = edge::leaf(record);
            return Placed::New;
        }
        let leaf = self.view().nearest_leaf(key);
        let Some((nearest, common)) = self.view().compare(leaf, key) else {
            panic!("a leaf has no record");
        };
        if common == key.len() {
            return self.insert_prefix(leaf, key, value);
        }
        if common == nearest.len as usize {
            self.insert_longer(leaf, key, value);
        } else {
            self.insert_branch(leaf, key, value, common);
        }
        Placed::New
    }

    /// Adds a key that the key of `leaf` starts with or equals: it gets a place in a chain, and no node.
    const fn insert_prefix(&mut self, leaf: u32, key: &[u8], value: u32) -> Placed {
        let mut below = self.record(leaf);
        while below.len as usize > key.len() {
            if below.up == NONE || (below.up_len as usize) < key.len() {
                let record = self.new_record(key, below.up, below.up_len, value);
                self.relink(key, below.up, record, key_len(key));
                return Placed::New;
            }
            below = self.record(below.up);
        }
        Placed::Existing(below.value)
    }

    /// Adds a key that starts with the key of `leaf`: the old key moves into the chain of the new one.
    const fn insert_longer(&mut self, leaf: u32, key: &[u8], value: u32) {
        let record = self.new_record(key, leaf, self.record(leaf).len, value);
        self.replace_leaf(key, leaf, record);
    }

    /// Adds a key that leaves the key of `leaf`, the nearest, behind `common` bytes.
    const fn insert_branch(&mut self, leaf: u32, key: &[u8], value: u32, common: usize) {
        let other = self.key(leaf)[common];
        let kind = edge::first_difference(key[common], other);

        // The registered prefixes of the key are those of the leaf's key that end before the difference.
        let mut above = self.record(leaf);
        while above.up_len as usize > common {
            above = self.record(above.up);
        }
        let record = self.new_record(key, above.up, above.up_len, value);

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
            self.edges[edge::step(old, key)] = edge::leaf(record);
        } else {
            let block = self.new_block();
            let base = block as usize * BLOCK;
            let mut slot = base;
            while slot < base + BLOCK {
                self.edges[slot] = edge::absent(leaf);
                slot += 1;
            }
            self.edges[base + edge::digit(kind, other)] = old;
            self.edges[base + edge::digit(kind, key[common])] = edge::leaf(record);
            #[expect(clippy::cast_possible_truncation, reason = "below MAX_KEY_LEN")]
            self.set_edge(link, edge::node(block, common as u32, kind));
        }

        let changed = self.edge(link);
        if edge::kind(changed) == 0 {
            self.widen_if_dense(link);
        } else if edge::kind(changed) != KIND_WIDE && edge::tests(self.edge(previous), common, 0) {
            self.widen_if_dense(previous);
        }
    }
}
