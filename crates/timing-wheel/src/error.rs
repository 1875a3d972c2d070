use core::fmt;

/// The handle's timer has expired, was cancelled, or never was in this wheel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Stale;

impl fmt::Display for Stale {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("timer handle is stale: its timer has expired or was cancelled")
    }
}

impl core::error::Error for Stale {}

/// The wheel has no room for one more timer; the value that could not be started comes back.
///
/// A wheel over fixed memory is full when as many timers are live as it has nodes; a cancelled timer's node is
/// free at once. The growing wheel is full at 2^32 - 1 nodes or when the allocator refuses to give more memory.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Full<T>(
    /// The value that was to be started.
    pub T,
);

impl<T> Full<T> {
    /// The value that could not be started.
    pub fn into_inner(self) -> T {
        self.0
    }
}

impl<T> fmt::Debug for Full<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Full").finish_non_exhaustive()
    }
}

impl<T> fmt::Display for Full<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("timing wheel is full: every node holds a live timer")
    }
}

impl<T> core::error::Error for Full<T> {}
