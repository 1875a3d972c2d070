use alloc::vec;
use alloc::vec::Vec;
use core::fmt;

use crate::borrowed::TrieRef;
use crate::edge::{BLOCK, MAX_BLOCKS};
use crate::error::{InsertError, Limit};
use crate::iter::{Iter, Prefixes};
use crate::matches::Match;
use crate::tree::{Placed, RUN, State, Tree, pack};
use crate::values::Values;
use crate::view::{Entry, View};
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
    /// How many of `bytes` belong to removed keys.
    garbage: usize,
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
            garbage: 0,
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
        self.garbage = 0;
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
            Placed::New(entry) => {
                if entry == self.values.len() {
                    self.values.push(Some(value));
                } else {
                    self.values[entry] = Some(value);
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
        self.garbage += key.len();
        if self.garbage > self.state.bytes / 2 {
            self.compact();
        }
        value
    }

    /// Gives back the memory that the trie does not need, and puts the nodes near the root close together.
    ///
    /// Worth its time, which is proportional to the number of keys and their bytes, once all keys are in.
    pub fn shrink_to_fit(&mut self) {
        let mut edges = vec![0; self.state.live_blocks() * BLOCK];
        self.state
            .set_packed(pack(self.state.root, &self.edges, &mut edges).0);
        self.edges = edges;
        self.compact();
        self.entries.shrink_to_fit();
        self.values.shrink_to_fit();
    }

    /// Lends the trie in the form that all lookups are made on.
    #[inline]
    pub const fn as_ref(&self) -> TrieRef<'_, T> {
        TrieRef {
            view: self.view(),
            values: Values::Sparse(self.values.as_slice()),
            len: self.state.keys,
        }
    }

    /// The value of exactly `key`.
    #[inline]
    pub fn get(&self, key: &[u8]) -> Option<&T> {
        self.as_ref().get(key)
    }

    /// The value of exactly `key`, to change it.
    pub fn get_mut(&mut self, key: &[u8]) -> Option<&mut T> {
        let entry = self.view().get(key)?;
        self.values[entry].as_mut()
    }

    /// The longest key that `path` starts with; see [`TrieRef::longest_prefix`].
    #[inline]
    pub fn longest_prefix(&self, path: &[u8]) -> Option<Match<'_, T>> {
        self.as_ref().longest_prefix(path)
    }

    /// The longest key that `path` starts with and that ends at a boundary between segments; see
    /// [`TrieRef::longest_segment_prefix`].
    #[inline]
    pub fn longest_segment_prefix(&self, path: &[u8]) -> Option<Match<'_, T>> {
        self.as_ref().longest_segment_prefix(path)
    }

    /// All keys that `path` starts with, from the longest to the shortest.
    pub fn prefixes<'a>(&'a self, path: &[u8]) -> Prefixes<'a, T> {
        self.as_ref().prefixes(path)
    }

    /// All keys with their values, in no particular order.
    pub const fn iter(&self) -> Iter<'_, T> {
        self.as_ref().iter()
    }

    #[inline]
    const fn view(&self) -> View<'_> {
        View {
            root: self.state.root,
            edges: self.edges.as_slice(),
            entries: self.entries.as_slice(),
            bytes: self.bytes.as_slice(),
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

    /// Makes room for what inserting `key` may take: an entry, a narrow and a wide node, and its bytes.
    fn reserve_for(&mut self, key: &[u8]) {
        let blocks = (self.state.blocks + 1 + RUN).min(MAX_BLOCKS);
        grow(&mut self.edges, blocks * BLOCK, 0);
        grow(&mut self.entries, self.state.entries + 1, Entry::FREE);
        grow(&mut self.bytes, self.state.bytes + key.len(), 0);
    }

    /// Writes the keys anew, without those that were removed.
    fn compact(&mut self) {
        let mut bytes = Vec::with_capacity(self.state.bytes - self.garbage);
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
        self.garbage = 0;
        self.bytes = bytes;
    }
}

fn grow<E: Copy>(vec: &mut Vec<E>, len: usize, fill: E) {
    if vec.len() < len {
        vec.resize(len, fill);
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
            garbage: self.garbage,
            values: self.values.clone(),
        }
    }
}

impl<T: fmt::Debug> fmt::Debug for Trie<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.as_ref().fmt(f)
    }
}

impl<'a, T> IntoIterator for &'a Trie<T> {
    type Item = (&'a [u8], &'a T);
    type IntoIter = Iter<'a, T>;

    fn into_iter(self) -> Iter<'a, T> {
        self.iter()
    }
}
