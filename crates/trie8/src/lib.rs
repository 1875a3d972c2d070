#![no_std]
#![forbid(unsafe_code)]
#![doc = include_str!("../README.md")]
#![deny(
    clippy::std_instead_of_core,
    clippy::std_instead_of_alloc,
    clippy::alloc_instead_of_core
)]
#![warn(clippy::cast_possible_truncation)]

#[cfg(feature = "alloc")]
extern crate alloc;

mod borrowed;
mod edge;
mod error;
mod fixed;
mod iter;
mod lcp;
mod macros;
mod matches;
mod record;
mod tree;
#[cfg(feature = "alloc")]
mod trie;
mod values;
mod view;

pub use borrowed::{TrieRef, max_node_words, record_bytes};
#[cfg(feature = "alloc")]
pub use error::InsertError;
pub use error::{BuildError, Limit};
pub use fixed::{Plan, StaticTrie};
pub use iter::{Iter, Prefixes};
#[doc(hidden)]
pub use macros::__private;
pub use matches::Match;
#[cfg(feature = "alloc")]
pub use trie::Trie;

/// The longest key in bytes: a branch may stand at byte 0 to 1023 of a key.
pub const MAX_KEY_LEN: usize = edge::MAX_POSITION as usize;

/// The largest number of keys in one trie.
///
/// Nodes have 19-bit numbers. There are fewer branching points than keys, and wide nodes are made only as
/// long as this many keys find room even where every node has two children.
pub const MAX_KEYS: usize = 400_000;
