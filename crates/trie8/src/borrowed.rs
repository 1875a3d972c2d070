use core::fmt;

use crate::edge::BLOCK;
use crate::error::BuildError;
use crate::iter::{Iter, Prefixes};
use crate::matches::Match;
use crate::tree::{Placed, State, Tree};
use crate::values::Values;
use crate::view::{Entry, Found, View};
use crate::{Limit, MAX_KEY_LEN, MAX_KEYS};

/// A trie in memory that somebody else owns: a `static`, a [`Trie`](crate::Trie) or slices of the caller.
///
/// All lookups of this crate are here; the owners lend one of these.
///
/// A lookup takes time proportional to the length of the longest registered key that shares a prefix with the path,
/// never to the length of the path or the number of keys. It does not allocate and does not panic.
pub struct TrieRef<'a, T> {
    pub(crate) view: View<'a>,
    pub(crate) values: Values<'a, T>,
    pub(crate) len: usize,
}

/// Number of words that the nodes of `keys` keys take at most, for [`TrieRef::build_in`].
///
/// Insertion alone takes a block of eight words for each key after the first at most, and eight blocks for a wide
/// node, which takes the place of at least five branches.
pub const fn max_node_words(keys: usize) -> usize {
    3 * keys * BLOCK
}

impl<'a, T> TrieRef<'a, T> {
    /// Builds a trie of `keys` without an allocator, in slices that the caller lends.
    ///
    /// `values[i]` belongs to `keys[i]`. The key bytes are copied, so `bytes` must be as long as all keys together;
    /// `entries` must have a place for each key, and `nodes` [`max_node_words`] of them.
    ///
    /// Takes time proportional to the length of all keys, plus, for each key that comes after keys that start
    /// with it, to the number of those that have it as their longest proper prefix then.
    ///
    /// # Errors
    ///
    /// The first thing that is wrong, with the index of the key that it concerns.
    pub const fn build_in(
        nodes: &'a mut [u32],
        entries: &'a mut [Entry],
        bytes: &'a mut [u8],
        keys: &[&[u8]],
        values: &'a [T],
    ) -> Result<Self, BuildError> {
        if keys.len() != values.len() {
            return Err(BuildError::ValueCount);
        }
        let mut state = State::new();
        if let Err(error) = fill(&mut state, nodes, entries, bytes, keys) {
            return Err(error);
        }
        Ok(Self {
            view: View {
                root: state.root,
                edges: nodes,
                entries,
                bytes,
            },
            values: Values::Dense(values),
            len: keys.len(),
        })
    }

    /// Number of keys.
    pub const fn len(&self) -> usize {
        self.len
    }

    /// Whether there is no key.
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The value of exactly `key`.
    #[inline]
    pub fn get(&self, key: &[u8]) -> Option<&'a T> {
        self.values.get(self.view.get(key)?)
    }

    /// The longest key that `path` starts with.
    #[inline]
    pub fn longest_prefix(&self, path: &[u8]) -> Option<Match<'a, T>> {
        self.found(self.view.longest_prefix(path)?)
    }

    /// The longest key that `path` starts with and that ends at a boundary between segments.
    ///
    /// A key that is a prefix of the path ends at a boundary when it is the whole path, when it ends in `/`, when
    /// the path goes on with `/`, or when it is empty. So `/example` matches `/example`, `/example/` and
    /// `/example/x` but not `/exampleOf`; `/example/` matches `/example/` and `/example/x` but not `/example`;
    /// `/` matches every path that begins with `/`, and the empty key every path.
    #[inline]
    pub fn longest_segment_prefix(&self, path: &[u8]) -> Option<Match<'a, T>> {
        self.found(self.view.longest_segment_prefix(path)?)
    }

    /// All keys that `path` starts with, from the longest to the shortest.
    pub fn prefixes(&self, path: &[u8]) -> Prefixes<'a, T> {
        Prefixes::new(*self, self.view.longest_prefix(path))
    }

    /// All keys with their values, in no particular order.
    pub const fn iter(&self) -> Iter<'a, T> {
        Iter::new(*self)
    }

    #[inline]
    pub(crate) fn found(&self, found: Found) -> Option<Match<'a, T>> {
        let value = self.values.get(found.entry)?;
        Some(Match {
            len: found.len,
            value,
        })
    }
}

/// Inserts all keys, entry `i` for key `i`, and checks everything that may be wrong with them.
pub(crate) const fn fill(
    state: &mut State,
    edges: &mut [u32],
    entries: &mut [Entry],
    bytes: &mut [u8],
    keys: &[&[u8]],
) -> Result<(), BuildError> {
    if keys.len() > MAX_KEYS {
        return Err(BuildError::Limit {
            key: MAX_KEYS,
            limit: Limit::KeyCount,
        });
    }
    if edges.len() < max_node_words(keys.len()) || entries.len() < keys.len() {
        return Err(BuildError::Memory);
    }
    let mut tree = Tree {
        state,
        edges,
        entries,
        bytes,
    };
    let mut key = 0;
    while key < keys.len() {
        if keys[key].len() > MAX_KEY_LEN {
            return Err(BuildError::Limit {
                key,
                limit: Limit::KeyLength,
            });
        }
        if tree.bytes.len() - tree.state.bytes < keys[key].len() {
            return Err(BuildError::Memory);
        }
        match tree.insert(keys[key]) {
            Placed::Existing(first) => return Err(BuildError::Duplicate { key, first }),
            Placed::New(entry) => debug_assert!(entry == key),
        }
        key += 1;
    }
    Ok(())
}

impl<T> Clone for TrieRef<'_, T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for TrieRef<'_, T> {}

impl<T: fmt::Debug> fmt::Debug for TrieRef<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let entries = self.iter().map(|(key, value)| (key.escape_ascii(), value));
        f.debug_map().entries(entries).finish()
    }
}

impl<'a, T> IntoIterator for TrieRef<'a, T> {
    type Item = (&'a [u8], &'a T);
    type IntoIter = Iter<'a, T>;

    fn into_iter(self) -> Iter<'a, T> {
        self.iter()
    }
}
