#![no_std]
#![doc = include_str!("../README.md")]
#![deny(
    clippy::std_instead_of_core,
    clippy::std_instead_of_alloc,
    clippy::alloc_instead_of_core
)]
#![warn(clippy::cast_possible_truncation)]
#![forbid(unsafe_code)]

#[cfg(feature = "alloc")]
extern crate alloc;
#[cfg(feature = "std")]
extern crate std;

#[cfg(feature = "std")]
mod clock;
mod error;
mod handle;
mod hierarchy;
mod iter;
mod next;
mod node;
mod periodic;
mod poll;
mod slack;
mod storage;
mod wheel;

#[cfg(feature = "std")]
pub use clock::Clock;
pub use error::{Full, Stale};
pub use handle::Handle;
pub use iter::Iter;
pub use node::{Link, Node, Upper};
pub use periodic::{Periodic, Tick};
pub use poll::{Expired, Poll};
pub use slack::within;
#[cfg(feature = "alloc")]
pub use storage::Heap;
pub use storage::{Array, Slice, Storage};
#[cfg(feature = "alloc")]
pub use wheel::Wheel;
pub use wheel::{ArrayWheel, SliceWheel, TimingWheel};
