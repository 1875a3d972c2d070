//! Deferral, without the names of libc: what is queued, when it may be, and what becomes of it.

mod batch;
pub(crate) mod company;
pub(crate) mod engine;
pub(crate) mod fds;
pub(crate) mod known;
pub(crate) mod left;
mod local;
pub(crate) mod offer;
pub(crate) mod own;
mod plan;
mod record;
pub(crate) mod remainder;
pub(crate) mod segment;
pub(crate) mod take;
#[cfg(test)]
pub(crate) mod tests;
pub(crate) mod thread;
