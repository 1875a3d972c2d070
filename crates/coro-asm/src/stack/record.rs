use core::fmt;
use core::mem::MaybeUninit;

use crate::yielder::Yielder;

/// Memory for what a switch needs of one coroutine, see [`Stack::record`](super::Stack::record).
///
/// 48 bytes with feature `alloc`, 64 with `asan`, else 40: less than a cache line, and best in a single one.
#[repr(transparent)]
pub struct ControlRecord(MaybeUninit<Yielder<(), ()>>);

impl ControlRecord {
    /// Memory that holds nothing yet.
    pub const fn new() -> Self {
        Self(MaybeUninit::uninit())
    }
}

impl Default for ControlRecord {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for ControlRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ControlRecord").finish_non_exhaustive()
    }
}
