use alloc::vec;
use alloc::vec::Vec;
use core::fmt;

use crate::borrowed::TrieRef;
use crate::edge::{self, BLOCK, EMPTY, MAX_BLOCKS, NONE};
use crate::error::{InsertError, Limit};
use crate::iter::{Iter, Prefixes};
use crate::matches::Match;
use crate::record::{Record, room};
use crate::tree::{Placed, RUN, State, Tree, pack};
use crate::values::Values;
use crate::view::View;
use crate::{MAX_KEY_LEN, MAX_KEYS};

/// A trie on the heap that keys can be added to and taken from.
///
/// A lookup takes time proportional to the length of the key that shares the longest prefix with the path, whatever the
/// length of the path and the number of keys.
pub struct Trie<T> {
    state: State,
    edges: Vec<u32>,
    records: Vec<u8>,
    /// How many bytes of `records` belong to removed keys.
    garbage: usize,
    /// `None` where no key has the index.
    values: Vec<Option<T>>,
    /// Indices of the `None`s in `values`.
    free: Vec<u32>,
}

impl<T> Trie<T> {
    /// An empty trie; it allocates nothing.
    pub const fn new() -> Self {
        Self {
            state: State::new(),
            edges: Vec::new(),
            records: Vec::new(),
            garbage: 0,
            values: Vec::new(),
            free: Vec::new(),
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
        self.records.clear();
        self.garbage = 0;
        self.values.clear();
        self.free.clear();
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
        #[expect(clippy::cast_possible_truncation, reason = "at most MAX_KEYS")]
        let index = self.free.last().copied().unwrap_or(self.values.len() as u32);
        match self.tree().insert(key, index) {
            Placed::Existing(index) => Ok(self.values[index as usize].replace(value)),
            Placed::New => {
                if self.free.pop().is_some() {
                    self.values[index as usize] = Some(value);
                } else {
                    self.values.push(Some(value));
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
        let index = self.view().get(key)?;
        self.garbage += self.tree().remove(key);
        self.free.push(index);
        if self.garbage > self.state.bytes / 2 {
            self.compact();
        }
        self.values[index as usize].take()
    }

    /// Gives back the memory that the trie does not need, and puts nodes that a lookup passes close together.
    ///
    /// Worth its time, which is proportional to the number of keys and their bytes, once all keys are in.
    pub fn shrink_to_fit(&mut self) {
        self.compact();
        self.values.shrink_to_fit();
        self.free.shrink_to_fit();
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
        let index = self.view().get(key)?;
        self.values[index as usize].as_mut()
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
            records: self.records.as_slice(),
        }
    }

    fn tree(&mut self) -> Tree<'_> {
        Tree {
            state: &mut self.state,
            edges: &mut self.edges,
            records: &mut self.records,
        }
    }

    /// Makes room for what inserting `key` may take: a narrow and a wide node, and a record.
    fn reserve_for(&mut self, key: &[u8]) {
        let blocks = (self.state.blocks + 1 + RUN).min(MAX_BLOCKS);
        grow(&mut self.edges, blocks * BLOCK, 0);
        grow(&mut self.records, self.state.bytes + room(1, key.len()), 0);
    }

    /// Writes nodes and records anew, without gaps and without the keys that were removed.
    fn compact(&mut self) {
        let mut edges = vec![0; self.state.live_blocks() * BLOCK];
        let (root, _) = pack(self.state.root, &self.edges, &mut edges);
        self.state.set_packed(root);
        self.edges = edges;
        if self.garbage > 0 {
            self.drop_removed();
        }
        self.records.truncate(self.state.bytes + room(0, 0));
        self.records.shrink_to_fit();
    }

    /// Copies the records of the keys that are left, and leads all edges and links to the copies.
    fn drop_removed(&mut self) {
        let mut records = Vec::with_capacity(self.state.bytes - self.garbage + room(0, 0));
        let mut at = 0;
        while at < self.state.bytes {
            let record = Record::at(&self.records, at);
            if record.is_live() {
                let copy = records.len();
                records.extend_from_slice(&self.records[at..at + record.size()]);
                // From here on the old record only tells where its copy is.
                #[expect(
                    clippy::cast_possible_truncation,
                    reason = "less than 2^30 bytes, see `index`"
                )]
                let value = copy as u32;
                Record { value, ..record }.write(&mut self.records, at);
            }
            at += record.size();
        }
        self.state.bytes = records.len();
        self.garbage = 0;
        records.resize(records.len() + room(0, 0), 0);

        let copy_of = |at: u32| Record::at(&self.records, at as usize).value;
        for edge in self.edges.iter_mut().chain([&mut self.state.root]) {
            if edge::is_leaf(*edge) && *edge != EMPTY {
                *edge = edge::with_record(*edge, copy_of(edge::record(*edge)));
            }
        }
        let mut at = 0;
        while at < self.state.bytes {
            let Some((record, _)) = Record::read(&records, at) else {
                break;
            };
            if record.up != NONE {
                Record {
                    up: copy_of(record.up),
                    ..record
                }
                .write(&mut records, at);
            }
            at += record.size();
        }
        self.records = records;
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
            records: self.records.clone(),
            garbage: self.garbage,
            values: self.values.clone(),
            free: self.free.clone(),
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
