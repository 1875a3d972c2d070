#![no_std]
#![doc = include_str!("../README.md")]
#![deny(
    clippy::std_instead_of_core,
    clippy::std_instead_of_alloc,
    clippy::alloc_instead_of_core
)]
#![warn(clippy::cast_possible_truncation)]

#[cfg(feature = "alloc")]
extern crate alloc;
#[cfg(feature = "std")]
extern crate std;

mod arch;
mod asan;
mod coroutine;
#[cfg(feature = "alloc")]
mod defer;
mod frame;
pub mod raw;
mod scope;
mod signal;
mod stack;
mod state;
mod transfer;
mod unwind;
#[cfg(feature = "valgrind")]
mod valgrind;
mod yielder;

pub use coroutine::Coroutine;
#[cfg(feature = "alloc")]
pub use defer::Deferred;
pub use scope::{ScopedCoroutine, scope};
#[cfg(feature = "alloc")]
pub use stack::HeapStack;
pub use stack::{ControlRecord, Stack, StaticStack};
#[cfg(feature = "std")]
pub use stack::{GuardKind, PoolStats, PooledStack, StackError, StackPool, StackPoolConfig};
pub use state::CoroutineState;
pub use yielder::Yielder;
