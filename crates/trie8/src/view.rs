use crate::edge::{self, NONE};
use crate::lcp::common_prefix;

/// What a trie keeps of a key besides its bytes: memory for [`TrieRef::build_in`](crate::TrieRef::build_in).
#[derive(Clone, Copy, Debug)]
pub struct Entry {
    /// First of the key's bytes; the next entry of the free list when the entry is free.
    pub(crate) offset: u32,
    /// Entry of the longest registered proper prefix, or `NONE`.
    pub(crate) up: u32,
    /// Length of the key.
    pub(crate) len: u16,
    /// Length of the key of `up`, 0 without one: a chain is followed without looking at what it skips.
    pub(crate) up_len: u16,
}

impl Entry {
    /// An entry that no key uses.
    pub const FREE: Self = Self {
        offset: NONE,
        up: NONE,
        len: 0,
        up_len: 0,
    };
}

/// What a lookup reads, whoever owns it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct View<'a> {
    pub(crate) root: u32,
    pub(crate) edges: &'a [u32],
    pub(crate) entries: &'a [Entry],
    pub(crate) bytes: &'a [u8],
}

/// A registered prefix of a path: index of its entry and length of its key.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Found {
    pub(crate) entry: usize,
    pub(crate) len: usize,
}

impl<'a> View<'a> {
    /// The leaf that a blind walk ends at: no key shares a longer prefix with `path` than its key does.
    ///
    /// Let `n` be the largest number of digits that some leaf shares with the path. Above digit `n` the walk takes
    /// the edges of that leaf. From there on all leaves below agree in the first `n` digits, so any of them will do.
    #[inline]
    pub(crate) const fn nearest_leaf(&self, path: &[u8]) -> usize {
        let mut edge = self.root;
        while !edge::is_leaf(edge) {
            edge = self.edges[edge::step(edge, path)];
        }
        edge::entry(edge)
    }

    /// The bytes of the key of `entry`.
    #[inline]
    pub(crate) const fn key(&self, entry: &Entry) -> &'a [u8] {
        let (_, rest) = self.bytes.split_at(entry.offset as usize);
        rest.split_at(entry.len as usize).0
    }

    /// The longest registered prefix of `path`.
    #[inline]
    pub(crate) fn longest_prefix(&self, path: &[u8]) -> Option<Found> {
        let leaf = self.nearest_leaf(path);
        let mut entry = self.entries.get(leaf)?;
        let common = common_prefix(self.key(entry), path);
        if common == entry.len as usize {
            return Some(Found {
                entry: leaf,
                len: common,
            });
        }
        // Every registered prefix of the path is a prefix of the leaf's key, hence on its chain.
        while entry.up_len as usize > common {
            entry = &self.entries[entry.up as usize];
        }
        self.up(entry)
    }

    /// The longest registered proper prefix of the key of `entry`.
    #[inline]
    fn up(&self, entry: &Entry) -> Option<Found> {
        if entry.up == NONE {
            return None;
        }
        Some(Found {
            entry: entry.up as usize,
            len: entry.up_len as usize,
        })
    }

    /// The next shorter registered prefix.
    #[inline]
    pub(crate) fn next_shorter(&self, found: Found) -> Option<Found> {
        self.up(self.entries.get(found.entry)?)
    }

    /// The longest registered prefix of `path` that ends between two segments.
    #[inline]
    pub(crate) fn longest_segment_prefix(&self, path: &[u8]) -> Option<Found> {
        let mut found = self.longest_prefix(path)?;
        while !is_boundary(path, found.len) {
            found = self.next_shorter(found)?;
        }
        Some(found)
    }

    /// The entry of exactly `key`.
    #[inline]
    pub(crate) fn get(&self, key: &[u8]) -> Option<usize> {
        let found = self.longest_prefix(key)?;
        (found.len == key.len()).then_some(found.entry)
    }
}

/// Whether a segment begins or ends at byte `at` of `path`.
#[inline]
fn is_boundary(path: &[u8], at: usize) -> bool {
    at == 0 || at == path.len() || path[at] == b'/' || path[at - 1] == b'/'
}
