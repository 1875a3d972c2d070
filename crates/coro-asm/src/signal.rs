//! What a resume asks of the coroutine.

/// The signal of a resume with an input.
pub(crate) const RUN: usize = 0;
/// The signal of a resume that ends the coroutine; it comes without an input.
pub(crate) const UNWIND: usize = 1;
/// The signal of a resume that has a suspended coroutine run its deferred cleanups and suspend again, for the last time.
#[cfg(feature = "alloc")]
pub(crate) const ABANDON: usize = 2;
