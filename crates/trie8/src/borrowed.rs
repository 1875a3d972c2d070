use core::fmt;

use crate::edge::BLOCK;
use crate::error::BuildError;
use crate::iter::{Iter, Prefixes};
use crate::matches::Match;
use crate::record::room;
use crate::tree::{Placed, State, Tree};
use crate::values::Values;
use crate::view::View;
use crate::{Limit, MAX_KEY_LEN, MAX_KEYS};

/// A trie in memory that somebody else owns: a `static`, a `Trie` or slices of the caller.
///
/// All lookups of this crate are here; the owners lend one of these.
///
/// A lookup takes time proportional to the length of the key that shares the longest prefix with the path, whatever the
/// length of the path and the number of keys. It does not allocate and does not panic.
pub struct TrieRef<'a, T> {
    pub(crate) view: View<'a>,
    pub(crate) values: Values<'a, T>,
    pub(crate) len: usize,
}

/// Number of words that the nodes of `keys` keys take at most, for [`TrieRef::build_in`].
///
/// Each key after the first takes a block of eight words at most. A wide node takes eight blocks more, but it tells at
/// least five values apart, so at most one key in four makes one.
pub const fn max_node_words(keys: usize) -> usize {
    3 * keys * BLOCK
}

/// Number of bytes that the records of `keys` take, for [`TrieRef::build_in`]: 12 bytes and the key for each, and 32 at
/// the end, since keys are compared in whole words.
pub const fn record_bytes(keys: &[&[u8]]) -> usize {
    let mut bytes = 0;
    let mut key = 0;
    while key < keys.len() {
        bytes += keys[key].len();
        key += 1;
    }
    room(keys.len(), bytes)
}

impl<'a, T> TrieRef<'a, T> {
    /// Builds a trie of `keys` without an allocator, in slices that the caller lends.
    ///
    /// `values[i]` belongs to `keys[i]`. The keys are copied. `nodes` must have [`max_node_words`] elements and
    /// `records` [`record_bytes`].
    ///
    /// Takes time proportional to the length of all keys, plus, for each key that comes after keys that start
    /// with it, to the number of those that have it as their longest proper prefix then.
    ///
    /// # Errors
    ///
    /// The first thing that is wrong, with the index of the key that it concerns.
    pub const fn build_in(
        nodes: &'a mut [u32],
        records: &'a mut [u8],
        keys: &[&[u8]],
        values: &'a [T],
    ) -> Result<Self, BuildError> {
        if keys.len() != values.len() {
            return Err(BuildError::ValueCount);
        }
        let mut state = State::new();
        if let Err(error) = fill(&mut state, nodes, records, keys) {
            return Err(error);
        }
        Ok(Self {
            view: View {
                root: state.root,
                edges: nodes,
                records,
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
        self.values.matched(self.view.longest_prefix(path)?)
    }

    /// The longest key that `path` starts with and that ends at a boundary between segments.
    ///
    /// A key that is a prefix of the path ends at a boundary when it is the whole path, when it ends in `/`, when
    /// the path goes on with `/`, or when it is empty. So `/example` matches `/example`, `/example/` and
    /// `/example/x` but not `/exampleOf`; `/example/` matches `/example/` and `/example/x` but not `/example`;
    /// `/` matches every path that begins with `/`, and the empty key every path.
    #[inline]
    pub fn longest_segment_prefix(&self, path: &[u8]) -> Option<Match<'a, T>> {
        self.values.matched(self.view.longest_segment_prefix(path)?)
    }

    /// All keys that `path` starts with, from the longest to the shortest.
    pub fn prefixes(&self, path: &[u8]) -> Prefixes<'a, T> {
        Prefixes::new(self.view, self.values, self.view.longest_prefix(path))
    }

    /// All keys with their values, in no particular order.
    pub const fn iter(&self) -> Iter<'a, T> {
        Iter::new(self.view, self.values, self.len)
    }
}

/// Inserts all keys, value `i` for key `i`, and checks everything that may be wrong with them.
pub(crate) const fn fill(
    state: &mut State,
    edges: &mut [u32],
    records: &mut [u8],
    keys: &[&[u8]],
) -> Result<(), BuildError> {
    if keys.len() > MAX_KEYS {
        return Err(BuildError::Limit {
            key: MAX_KEYS,
            limit: Limit::KeyCount,
        });
    }
    if edges.len() < max_node_words(keys.len()) {
        return Err(BuildError::Memory);
    }
    let mut tree = Tree {
        state,
        edges,
        records,
    };
    let mut key = 0;
    while key < keys.len() {
        if keys[key].len() > MAX_KEY_LEN {
            return Err(BuildError::Limit {
                key,
                limit: Limit::KeyLength,
            });
        }
        if tree.records.len() < tree.state.bytes + room(1, keys[key].len()) {
            return Err(BuildError::Memory);
        }
        #[expect(clippy::cast_possible_truncation, reason = "at most MAX_KEYS")]
        let index = key as u32;
        match tree.insert(keys[key], index) {
            Placed::Existing(first) => {
                return Err(BuildError::Duplicate {
                    key,
                    first: first as usize,
                });
            }
            Placed::New => {}
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
