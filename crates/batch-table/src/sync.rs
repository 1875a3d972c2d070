//! The atomics of the table: those of `core`, or those of the model checker.

#[cfg(not(loom))]
pub(crate) use core::sync::atomic::{AtomicI64, AtomicU16, AtomicU32, AtomicU64, Ordering};
#[cfg(loom)]
pub(crate) use loom::sync::atomic::{AtomicI64, AtomicU16, AtomicU32, AtomicU64, Ordering};
