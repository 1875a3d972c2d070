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

/// Why a trie was not built.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum BuildError {
    /// Key number `key` is the same as key number `first`.
    Duplicate {
        /// Index of the second of the two.
        key: usize,
        /// Index of the first of the two.
        first: usize,
    },
    /// Key number `key` breaks a limit.
    Limit {
        /// Index of the key.
        key: usize,
        /// The limit that it breaks.
        limit: Limit,
    },
    /// One of the lent slices is too short.
    Memory,
    /// There are not as many values as keys.
    ValueCount,
}

impl fmt::Display for BuildError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Duplicate { key, first } => write!(f, "key {key} is the same as key {first}"),
            Self::Limit { key, limit } => write!(f, "cannot add key {key}: {limit}"),
            Self::Memory => f.write_str("memory lent for the trie is too small for its keys"),
            Self::ValueCount => f.write_str("number of values is not the number of keys"),
        }
    }
}

impl Error for BuildError {}

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
