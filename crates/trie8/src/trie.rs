use alloc::vec::Vec;
use core::fmt;

use crate::edge::BLOCK;
use crate::error::{InsertError, Limit};
use crate::matches::Match;
use crate::tree::{Placed, State, Tree};
use crate::view::{Entry, Found, View};
use crate::{MAX_KEY_LEN, MAX_KEYS};

/// A trie on the heap that keys can be added to and taken from.
///
/// A lookup takes time proportional to the length of the longest registered key that shares a prefix with the path,
/// never to the length of the path or the number of keys.
pub struct Trie<T> {
    state: State,
    edges: Vec<u32>,
    entries: Vec<Entry>,
    bytes: Vec<u8>,
    /// By entry; `None` where the entry is free.
    values: Vec<Option<T>>,
}

impl<T> Trie<T> {
    /// An empty trie; it allocates nothing.
    pub const fn new() -> Self {
        Self {
            state: State::new(),
            edges: Vec::new(),
            entries: Vec::new(),
            bytes: Vec::new(),
            values: Vec::new(),
        }
    }

    /// Number of keys.
    pub const fn len(&self) -> usize {
        self.state.keys
    }

    /// Whether there is no key.
    pub const fn is_empty(&self) -> bool {
        self.state.keys == 0
    }

    /// Removes all keys, and keeps the memory.
    pub fn clear(&mut self) {
        self.state = State::new();
        self.edges.clear();
        self.entries.clear();
        self.bytes.clear();
        self.values.clear();
    }

    /// Registers `value` for `key`, any bytes, and returns the value that it replaces.
    ///
    /// Takes time proportional to the length of the key, and for a new key that others start with also to the
    /// number of those that have it as their longest proper prefix now.
    ///
    /// # Errors
    ///
    /// [`Limit::KeyLength`] when the key is longer than [`MAX_KEY_LEN`] bytes, [`Limit::KeyCount`] when the key
    /// is new and the trie holds [`MAX_KEYS`] keys. The error gives the value back; the trie is as before.
    pub fn insert(&mut self, key: &[u8], value: T) -> Result<Option<T>, InsertError<T>> {
        if key.len() > MAX_KEY_LEN {
            return Err(InsertError::new(Limit::KeyLength, value));
        }
        if self.state.keys >= MAX_KEYS {
            return match self.get_mut(key) {
                Some(old) => Ok(Some(core::mem::replace(old, value))),
                None => Err(InsertError::new(Limit::KeyCount, value)),
            };
        }
        self.reserve_for(key);
        match self.tree().insert(key) {
            Placed::Existing(entry) => Ok(self.values[entry].replace(value)),
            Placed::New { entry, widen } => {
                if entry < self.values.len() {
                    self.values[entry] = Some(value);
                } else {
                    self.values.push(Some(value));
                }
                if let Some(link) = widen.filter(|&link| self.tree().wants_wide(link)) {
                    self.reserve_blocks(8);
                    self.tree().widen(link);
                }
                Ok(None)
            }
        }
    }

    /// Takes `key` out and returns its value.
    ///
    /// Takes time proportional to the length of the key, and for a key that others start with also to the number
    /// of those that have it as their longest proper prefix.
    pub fn remove(&mut self, key: &[u8]) -> Option<T> {
        let entry = self.view().get(key)?;
        self.tree().remove(key, entry);
        let value = self.values[entry].take();
        if self.state.garbage > self.state.bytes / 2 {
            self.compact();
        }
        value
    }

    /// The value of exactly `key`.
    pub fn get(&self, key: &[u8]) -> Option<&T> {
        self.values[self.view().get(key)?].as_ref()
    }

    /// The value of exactly `key`, to change it.
    pub fn get_mut(&mut self, key: &[u8]) -> Option<&mut T> {
        let entry = self.view().get(key)?;
        self.values[entry].as_mut()
    }

    /// The longest key that `path` starts with.
    #[inline]
    pub fn longest_prefix(&self, path: &[u8]) -> Option<Match<'_, T>> {
        self.found(self.view().longest_prefix(path)?)
    }

    /// The longest key that `path` starts with and that ends at a boundary between segments.
    ///
    /// A key that is a prefix of the path ends at a boundary when it is the whole path, when it ends in `/`, when
    /// the path goes on with `/`, or when it is empty. So `/example` matches `/example`, `/example/` and
    /// `/example/x` but not `/exampleOf`; `/example/` matches `/example/` and `/example/x` but not `/example`;
    /// `/` matches every path that begins with `/`, and the empty key every path.
    #[inline]
    pub fn longest_segment_prefix(&self, path: &[u8]) -> Option<Match<'_, T>> {
        self.found(self.view().longest_segment_prefix(path)?)
    }

    /// All keys that `path` starts with, from the longest to the shortest.
    pub fn prefixes<'a>(&'a self, path: &[u8]) -> Prefixes<'a, T> {
        Prefixes {
            trie: self,
            next: self.view().longest_prefix(path),
        }
    }

    /// All keys with their values, in no particular order.
    pub fn iter(&self) -> Iter<'_, T> {
        Iter {
            trie: self,
            next: 0,
            left: self.len(),
        }
    }

    #[inline]
    fn found(&self, found: Found) -> Option<Match<'_, T>> {
        let value = self.values[found.entry].as_ref()?;
        Some(Match {
            len: found.len,
            value,
        })
    }

    #[inline]
    fn view(&self) -> View<'_> {
        View {
            root: self.state.root,
            edges: &self.edges,
            entries: &self.entries,
            bytes: &self.bytes,
        }
    }

    fn tree(&mut self) -> Tree<'_> {
        Tree {
            state: &mut self.state,
            edges: &mut self.edges,
            entries: &mut self.entries,
            bytes: &mut self.bytes,
        }
    }

    /// Makes room for what inserting `key` may take.
    fn reserve_for(&mut self, key: &[u8]) {
        self.reserve_blocks(1);
        let bytes = self.state.bytes + key.len();
        if self.bytes.len() < bytes {
            self.bytes.resize(bytes, 0);
        }
        if self.entries.len() == self.state.entries {
            self.entries.push(Entry::FREE);
        }
    }

    fn reserve_blocks(&mut self, blocks: usize) {
        let edges = (self.state.blocks + blocks) * BLOCK;
        if self.edges.len() < edges {
            self.edges.resize(edges, 0);
        }
    }

    /// Writes the keys anew, without those that were removed.
    fn compact(&mut self) {
        let mut bytes = Vec::with_capacity(self.state.bytes - self.state.garbage);
        for (entry, value) in self.entries.iter_mut().zip(&self.values) {
            if value.is_some() {
                let start = entry.offset as usize;
                #[expect(clippy::cast_possible_truncation, reason = "MAX_KEYS * MAX_KEY_LEN < 2^29")]
                let offset = bytes.len() as u32;
                entry.offset = offset;
                bytes.extend_from_slice(&self.bytes[start..start + entry.len as usize]);
            }
        }
        self.state.bytes = bytes.len();
        self.state.garbage = 0;
        self.bytes = bytes;
    }
}

impl<T> Default for Trie<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T: Clone> Clone for Trie<T> {
    fn clone(&self) -> Self {
        Self {
            state: self.state,
            edges: self.edges.clone(),
            entries: self.entries.clone(),
            bytes: self.bytes.clone(),
            values: self.values.clone(),
        }
    }
}

impl<T: fmt::Debug> fmt::Debug for Trie<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map()
            .entries(self.iter().map(|(key, value)| (key.escape_ascii(), value)))
            .finish()
    }
}

impl<'a, T> IntoIterator for &'a Trie<T> {
    type Item = (&'a [u8], &'a T);
    type IntoIter = Iter<'a, T>;

    fn into_iter(self) -> Iter<'a, T> {
        self.iter()
    }
}

/// The keys that a path starts with, see [`Trie::prefixes`].
pub struct Prefixes<'a, T> {
    trie: &'a Trie<T>,
    next: Option<Found>,
}

impl<'a, T> Iterator for Prefixes<'a, T> {
    type Item = Match<'a, T>;

    fn next(&mut self) -> Option<Match<'a, T>> {
        let found = self.next.take()?;
        self.next = self.trie.view().next_shorter(found);
        self.trie.found(found)
    }
}

impl<T> core::iter::FusedIterator for Prefixes<'_, T> {}

impl<T> fmt::Debug for Prefixes<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Prefixes")
            .field("next", &self.next.map(|found| found.len))
            .finish_non_exhaustive()
    }
}

/// All keys and values, see [`Trie::iter`].
pub struct Iter<'a, T> {
    trie: &'a Trie<T>,
    next: usize,
    left: usize,
}

impl<'a, T> Iterator for Iter<'a, T> {
    type Item = (&'a [u8], &'a T);

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let entry = self.trie.entries.get(self.next)?;
            let value = self.trie.values.get(self.next)?;
            self.next += 1;
            if let Some(value) = value {
                self.left -= 1;
                return Some((self.trie.view().key(entry), value));
            }
        }
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.left, Some(self.left))
    }
}

impl<T> ExactSizeIterator for Iter<'_, T> {}

impl<T> core::iter::FusedIterator for Iter<'_, T> {}

impl<T> fmt::Debug for Iter<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Iter")
            .field("left", &self.left)
            .finish_non_exhaustive()
    }
}
