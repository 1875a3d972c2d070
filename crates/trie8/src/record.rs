//! What is kept of a key: 12 bytes about it, then its own bytes. A lookup reads both, so they share a cache line.
//!
//! ```text
//! up:4 | len:2 | up_len:2 | value:4 | key
//! ```

use crate::edge::NONE;
use crate::lcp::PADDING;

/// Bytes before the key.
pub(crate) const HEADER: usize = 12;

/// The header of a record.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Record {
    /// Record of the longest registered proper prefix, or `NONE`.
    pub(crate) up: u32,
    /// Length of the key.
    pub(crate) len: u16,
    /// Length of the key of `up`, 0 without one: a chain is followed without a look at what is skipped.
    pub(crate) up_len: u16,
    /// Index of the value, `NONE` when the key has been removed.
    pub(crate) value: u32,
}

impl Record {
    /// Reads the record at `at`, and returns it with the first bytes of its key and what follows; `None` when there
    /// is none.
    #[inline(always)]
    pub(crate) const fn read(records: &[u8], at: usize) -> Option<(Self, &[u8; PADDING])> {
        if at > records.len() {
            return None;
        }
        let Some(window) = records.split_at(at).1.first_chunk::<{ HEADER + PADDING }>() else {
            return None;
        };
        let Some((&[a, b, c, d, e, f, g, h, i, j, k, l], rest)) = window.split_first_chunk::<HEADER>() else {
            return None;
        };
        let Some(head) = rest.first_chunk() else {
            return None;
        };
        let record = Self {
            up: u32::from_le_bytes([a, b, c, d]),
            len: u16::from_le_bytes([e, f]),
            up_len: u16::from_le_bytes([g, h]),
            value: u32::from_le_bytes([i, j, k, l]),
        };
        Some((record, head))
    }

    /// Reads the record at `at`, where there is one.
    pub(crate) const fn at(records: &[u8], at: usize) -> Self {
        match Self::read(records, at) {
            Some((record, _)) => record,
            None => panic!("a record lies outside of the memory of the trie"),
        }
    }

    /// Writes the header of the record at `at`.
    pub(crate) const fn write(&self, records: &mut [u8], at: usize) {
        let ([a, b, c, d], [e, f]) = (self.up.to_le_bytes(), self.len.to_le_bytes());
        let ([g, h], [i, j, k, l]) = (self.up_len.to_le_bytes(), self.value.to_le_bytes());
        let (_, tail) = records.split_at_mut(at);
        tail.split_at_mut(HEADER)
            .0
            .copy_from_slice(&[a, b, c, d, e, f, g, h, i, j, k, l]);
    }

    /// Whether the key has not been removed.
    pub(crate) const fn is_live(&self) -> bool {
        self.value != NONE
    }

    /// The key of this record, which is the one at `at`.
    pub(crate) const fn key<'a>(&self, records: &'a [u8], at: usize) -> &'a [u8] {
        records.split_at(at + HEADER).1.split_at(self.len as usize).0
    }

    /// Bytes that the record takes.
    pub(crate) const fn size(&self) -> usize {
        HEADER + self.len as usize
    }
}

/// Bytes of memory that keys take which are `bytes` long together.
pub(crate) const fn room(keys: usize, bytes: usize) -> usize {
    keys * HEADER + bytes + PADDING
}
