use core::fmt;

/// A registered key that matches a path.
pub struct Match<'a, T> {
    /// Length of the key in bytes: the key is `&path[..len]`.
    pub len: usize,
    /// The value registered for the key.
    pub value: &'a T,
}

impl<T> Clone for Match<'_, T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Match<'_, T> {}

impl<T: fmt::Debug> fmt::Debug for Match<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Match")
            .field("len", &self.len)
            .field("value", &self.value)
            .finish()
    }
}

impl<T: PartialEq> PartialEq for Match<'_, T> {
    fn eq(&self, other: &Self) -> bool {
        self.len == other.len && self.value == other.value
    }
}

impl<T: Eq> Eq for Match<'_, T> {}
