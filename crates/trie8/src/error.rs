use core::error::Error;
use core::fmt;

use crate::{MAX_KEY_LEN, MAX_KEYS};

/// The limit that a key would break.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Limit {
    /// The key is longer than [`MAX_KEY_LEN`] bytes.
    KeyLength,
    /// The trie holds [`MAX_KEYS`] keys.
    KeyCount,
}

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::KeyLength => write!(f, "key is longer than {MAX_KEY_LEN} bytes"),
            Self::KeyCount => write!(f, "trie already holds {MAX_KEYS} keys"),
        }
    }
}

impl Error for Limit {}

/// A key that was not inserted, with the value that was meant for it.
#[cfg(feature = "alloc")]
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct InsertError<T> {
    limit: Limit,
    value: T,
}

#[cfg(feature = "alloc")]
impl<T> InsertError<T> {
    pub(crate) const fn new(limit: Limit, value: T) -> Self {
        Self { limit, value }
    }

    /// The limit that was met.
    pub const fn limit(&self) -> Limit {
        self.limit
    }

    /// Gives the value back.
    pub fn into_value(self) -> T {
        self.value
    }
}

#[cfg(feature = "alloc")]
impl<T> fmt::Debug for InsertError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("InsertError")
            .field("limit", &self.limit)
            .finish_non_exhaustive()
    }
}

#[cfg(feature = "alloc")]
impl<T> fmt::Display for InsertError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.limit.fmt(f)
    }
}

#[cfg(feature = "alloc")]
impl<T> Error for InsertError<T> {}
