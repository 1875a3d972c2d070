use crate::edge;
use crate::lcp::{PADDING, common_head, common_rest};
use crate::record::Record;

/// What a lookup reads, whoever owns it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct View<'a> {
    pub(crate) root: u32,
    pub(crate) edges: &'a [u32],
    pub(crate) records: &'a [u8],
}

/// A registered prefix of a path.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Found {
    /// Length of the key.
    pub(crate) len: usize,
    record: Record,
}

impl Found {
    /// Index of the value.
    #[inline]
    pub(crate) const fn value(&self) -> u32 {
        self.record.value
    }
}

// The view is a handful of pointers, which stay in registers where a lookup is inlined into the method of the owner.
impl<'a> View<'a> {
    /// The record of the leaf that a blind walk ends at: no key shares a longer prefix with `path` than its does.
    ///
    /// Let `n` be the largest number of digits that some leaf shares with the path. Above digit `n` the walk takes
    /// the edges of that leaf. From there on all leaves below agree in the first `n` digits, so any of them will do.
    #[inline(always)]
    pub(crate) const fn nearest_leaf(&self, path: &[u8]) -> u32 {
        let mut edge = self.root;
        while !edge::is_leaf(edge) {
            edge = self.edges[edge::step(edge, path)];
        }
        edge::record(edge)
    }

    /// The record at `at`, and the length of the common prefix of its key and `path`.
    #[inline(always)]
    pub(crate) const fn compare(&self, at: u32, path: &[u8]) -> Option<(Record, usize)> {
        let at = at as usize;
        let Some((record, head)) = Record::read(self.records, at) else {
            return None;
        };
        let mut common = common_head(head, record.len as usize, path);
        if common >= PADDING {
            common = common_rest(record.key(self.records, at), path);
        }
        Some((record, common))
    }

    /// The longest registered prefix of `path`.
    #[inline(always)]
    pub(crate) fn longest_prefix(&self, path: &[u8]) -> Option<Found> {
        let (mut record, common) = self.compare(self.nearest_leaf(path), path)?;
        // Every registered prefix of the path is a prefix of the leaf's key, hence on its chain.
        let mut len = record.len;
        while len as usize > common {
            len = record.up_len;
            record = self.up(&record)?;
        }
        Some(Found {
            len: len as usize,
            record,
        })
    }

    /// The record of the longest registered proper prefix of the key of `record`.
    #[inline(always)]
    fn up(&self, record: &Record) -> Option<Record> {
        // `NONE` lies behind any record.
        Some(Record::read(self.records, record.up as usize)?.0)
    }

    /// The next shorter registered prefix.
    #[inline]
    pub(crate) fn next_shorter(&self, found: Found) -> Option<Found> {
        let record = self.up(&found.record)?;
        Some(Found {
            len: record.len as usize,
            record,
        })
    }

    /// The longest registered prefix of `path` that ends between two segments.
    #[inline(always)]
    pub(crate) fn longest_segment_prefix(&self, path: &[u8]) -> Option<Found> {
        let mut found = self.longest_prefix(path)?;
        while !is_boundary(path, found.len) {
            found = self.next_shorter(found)?;
        }
        Some(found)
    }

    /// The index of the value of exactly `key`.
    #[inline]
    pub(crate) fn get(&self, key: &[u8]) -> Option<u32> {
        let found = self.longest_prefix(key)?;
        (found.len == key.len()).then_some(found.value())
    }
}

/// Whether a segment begins or ends at byte `at` of `path`. Without branches, which would be hard to predict.
#[inline]
fn is_boundary(path: &[u8], at: usize) -> bool {
    let before = path.get(at.saturating_sub(1));
    let next = path.get(at.min(path.len().wrapping_sub(1)));
    let (Some(&before), Some(&next)) = (before, next) else {
        return true;
    };
    (at == 0) | (at == path.len()) | (before == b'/') | (next == b'/')
}
