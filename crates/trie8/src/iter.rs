use core::fmt;
use core::iter::FusedIterator;

use crate::matches::Match;
use crate::record::Record;
use crate::values::Values;
use crate::view::{Found, View};

/// The keys that a path starts with, from the longest to the shortest.
pub struct Prefixes<'a, T> {
    view: View<'a>,
    values: Values<'a, T>,
    next: Option<Found>,
}

impl<'a, T> Prefixes<'a, T> {
    pub(crate) const fn new(view: View<'a>, values: Values<'a, T>, next: Option<Found>) -> Self {
        Self { view, values, next }
    }
}

impl<'a, T> Iterator for Prefixes<'a, T> {
    type Item = Match<'a, T>;

    fn next(&mut self) -> Option<Match<'a, T>> {
        let found = self.next.take()?;
        self.next = self.view.next_shorter(found);
        self.values.matched(found)
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
    view: View<'a>,
    values: Values<'a, T>,
    /// Where the next record is.
    next: usize,
    left: usize,
}

impl<'a, T> Iter<'a, T> {
    pub(crate) const fn new(view: View<'a>, values: Values<'a, T>, left: usize) -> Self {
        Self {
            view,
            values,
            next: 0,
            left,
        }
    }
}

impl<'a, T> Iterator for Iter<'a, T> {
    type Item = (&'a [u8], &'a T);

    fn next(&mut self) -> Option<Self::Item> {
        while self.left > 0 {
            let (at, records) = (self.next, self.view.records);
            let (record, _) = Record::read(records, at)?;
            self.next += record.size();
            if record.is_live() {
                self.left -= 1;
                return Some((record.key(records, at), self.values.get(record.value)?));
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
