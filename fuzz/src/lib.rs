//! What the fuzz targets do with an input, free of any fuzzer, so that a plain test can replay what they found.

pub mod batch_table;
pub mod http;
pub mod input;
pub mod kernel;
pub mod strict;
pub mod trie;
pub mod wheel;

/// A name, as in `fuzz_targets/NAME.rs` and `regression/NAME/`, and what is done with an input under that name.
pub type Subject = (&'static str, fn(&[u8]));

/// Every subject, sorted by name.
pub const SUBJECTS: &[Subject] = &[
    ("batch_table", batch_table::run),
    ("http", http::run),
    ("kernel", kernel::run),
    ("trie", trie::run),
    ("wheel", wheel::run),
];
