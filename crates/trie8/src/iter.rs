use core::fmt;
use core::iter::FusedIterator;

use crate::borrowed::TrieRef;
use crate::matches::Match;
use crate::view::Found;

/// The keys that a path starts with, from the longest to the shortest.
pub struct Prefixes<'a, T> {
    trie: TrieRef<'a, T>,
    next: Option<Found>,
}

impl<'a, T> Prefixes<'a, T> {
    pub(crate) const fn new(trie: TrieRef<'a, T>, next: Option<Found>) -> Self {
        Self { trie, next }
    }
}

impl<'a, T> Iterator for Prefixes<'a, T> {
    type Item = Match<'a, T>;

    fn next(&mut self) -> Option<Match<'a, T>> {
        let found = self.next.take()?;
        self.next = self.trie.view.next_shorter(found);
        self.trie.found(found)
    }
}

impl<T> FusedIterator for Prefixes<'_, T> {}

impl<T> Clone for Prefixes<'_, T> {
    fn clone(&self) -> Self {
        Self { ..*self }
    }
}

impl<T> fmt::Debug for Prefixes<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Prefixes")
            .field("next", &self.next.map(|found| found.len))
            .finish_non_exhaustive()
    }
}

/// All keys and values of a trie, in no particular order.
pub struct Iter<'a, T> {
    trie: TrieRef<'a, T>,
    entry: usize,
    left: usize,
}

impl<'a, T> Iter<'a, T> {
    pub(crate) const fn new(trie: TrieRef<'a, T>) -> Self {
        Self {
            trie,
            entry: 0,
            left: trie.len(),
        }
    }
}

impl<'a, T> Iterator for Iter<'a, T> {
    type Item = (&'a [u8], &'a T);

    fn next(&mut self) -> Option<Self::Item> {
        while self.left > 0 {
            let entry = self.trie.view.entries.get(self.entry)?;
            let value = self.trie.values.get(self.entry);
            self.entry += 1;
            if let Some(value) = value {
                self.left -= 1;
                return Some((self.trie.view.key(entry), value));
            }
        }
        None
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.left, Some(self.left))
    }
}

impl<T> ExactSizeIterator for Iter<'_, T> {}

impl<T> FusedIterator for Iter<'_, T> {}

impl<T> Clone for Iter<'_, T> {
    fn clone(&self) -> Self {
        Self { ..*self }
    }
}

impl<T> fmt::Debug for Iter<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Iter")
            .field("left", &self.left)
            .finish_non_exhaustive()
    }
}
