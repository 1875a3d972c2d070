//! Deferral, without the names of libc: what is queued, when it may be, and what becomes of it.

pub(crate) mod engine;
pub(crate) mod fds;
pub(crate) mod known;
pub(crate) mod offer;
pub(crate) mod plan;
pub(crate) mod remainder;
pub(crate) mod segment;
pub(crate) mod thread;
