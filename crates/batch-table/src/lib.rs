#![no_std]
#![doc = include_str!("../README.md")]
#![deny(
    clippy::std_instead_of_core,
    clippy::std_instead_of_alloc,
    clippy::alloc_instead_of_core
)]
#![warn(clippy::cast_possible_truncation)]

#[cfg(test)]
extern crate alloc;

mod abi;
mod call;
mod chain;
pub mod device;
mod errno;
mod executor;
mod layout;
pub mod nr;
mod producer;
mod result;
mod state;
mod sync;
mod table;

pub use abi::{ENTRY_SIZE, Entry, HEADER_SIZE, Header, MAGIC, MAX_CAPACITY, VERSION};
pub use call::{Call, EntryFlags, UnknownFlags};
pub use chain::Chain;
pub use errno::Errno;
pub use executor::{ExecutorView, Step};
pub use layout::{Features, LayoutError, table_size};
pub use producer::{Outcome, ProducerView, PublishError};
pub use result::SysResult;
pub use state::State;
pub use table::Table;
