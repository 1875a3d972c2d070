use crate::matches::Match;
use crate::view::Found;

/// The values of a trie.
#[derive(Debug)]
pub(crate) enum Values<'a, T> {
    /// Every index is in use.
    Dense(&'a [T]),
    /// `None` where the index is free.
    #[cfg(feature = "alloc")]
    Sparse(&'a [Option<T>]),
}

impl<T> Clone for Values<'_, T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Values<'_, T> {}

impl<'a, T> Values<'a, T> {
    #[inline]
    pub(crate) fn get(self, index: u32) -> Option<&'a T> {
        match self {
            Self::Dense(values) => values.get(index as usize),
            #[cfg(feature = "alloc")]
            Self::Sparse(values) => values.get(index as usize)?.as_ref(),
        }
    }

    /// What a lookup answers for `found`.
    #[inline]
    pub(crate) fn matched(self, found: Found) -> Option<Match<'a, T>> {
        let value = self.get(found.value())?;
        Some(Match {
            len: found.len,
            value,
        })
    }
}
