//! What trie8 is compared with.

mod fst_walk;
mod hash;
mod low_bits;
mod radix;
mod routers;
mod scan;
mod set_of_regexes;

pub use fst_walk::FstWalk;
pub use hash::{HashFx, HashFxCapped, HashSip, HashSipCapped};
pub use low_bits::LowBits;
pub use radix::RadixTrie;
pub use routers::{Matchit, PathTree};
pub use scan::{NaiveScan, SortedSearch};
pub use set_of_regexes::Regexes;
