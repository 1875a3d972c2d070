/// The values of a trie, by entry.
#[derive(Debug)]
pub(crate) enum Values<'a, T> {
    /// Every entry is in use.
    Dense(&'a [T]),
    /// `None` where the entry is free.
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
    pub(crate) fn get(self, entry: usize) -> Option<&'a T> {
        match self {
            Self::Dense(values) => values.get(entry),
            #[cfg(feature = "alloc")]
            Self::Sparse(values) => values.get(entry)?.as_ref(),
        }
    }
}
