use core::ops::Range;

use crate::{handle::Handle, node::Records, storage::Storage};

/// Iterator over live timers as (handle, deadline, value): see [`iter`](crate::TimingWheel::iter).
#[derive(Clone, Debug)]
pub struct Iter<'a, T> {
    records: Records<'a>,
    values: &'a [Option<T>],
    cursor: u64,
    indices: Range<u32>,
    left: usize,
}

impl<'a, T> Iter<'a, T> {
    /// Over the `live` timers of a wheel whose hierarchy is at `cursor`.
    pub(crate) fn new<S: Storage<Value = T>>(storage: &'a S, cursor: u64, live: usize) -> Self {
        Self {
            records: storage.records(),
            values: storage.values(),
            cursor,
            indices: 0..storage.in_use(),
            left: live,
        }
    }
}

impl<'a, T> Iterator for Iter<'a, T> {
    type Item = (Handle, u64, &'a T);

    fn next(&mut self) -> Option<Self::Item> {
        if self.left == 0 {
            return None;
        }
        let (records, cursor) = (self.records, self.cursor);
        let (index, deadline) = self
            .indices
            .find_map(|index| Some((index, records.deadline(index, cursor)?)))?;
        self.left -= 1;
        let handle = Handle::of_live(index, records.nodes[index as usize].generation);
        Some((handle, deadline, self.values[index as usize].as_ref()?))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.left, Some(self.left))
    }
}

impl<T> ExactSizeIterator for Iter<'_, T> {}
