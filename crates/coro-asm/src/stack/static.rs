use core::mem::MaybeUninit;
use core::ptr::NonNull;

use super::{ALIGNMENT, Stack};
use crate::raw;

/// A stack in memory that the caller has set aside for ever, for programs without an allocator.
///
/// It has no guard: an overflow overwrites what lies below.
#[derive(Debug)]
pub struct StaticStack {
    base: NonNull<u8>,
    limit: NonNull<u8>,
}

impl StaticStack {
    /// Takes `memory` as a stack; up to 15 bytes at its end go to alignment.
    ///
    /// # Panics
    /// When `memory` is shorter than 16 bytes. (A coroutine needs more and says so.)
    /// Also on a thread with a hardware shadow stack ([`raw::shadow_stack_enabled`]).
    ///
    /// # Safety
    /// - Everything that runs on this stack, signal and interrupt handlers included, fits into `memory`, for
    ///   nothing stops it at the lower end.
    pub unsafe fn new(memory: &'static mut [MaybeUninit<u8>]) -> Self {
        if raw::shadow_stack_enabled() {
            raw::shadow_stack_refused();
        }
        let size = memory.len();
        assert!(
            size >= ALIGNMENT,
            "a static stack of {size} bytes is shorter than its alignment of 16 bytes"
        );
        let limit = NonNull::from(memory).cast::<u8>();
        let unaligned = (limit.addr().get() + size) % ALIGNMENT;
        // SAFETY: `unaligned` is at most 15 and `size` at least 16, so this is inside the slice.
        let base = unsafe { limit.add(size - unaligned) };
        Self { base, limit }
    }
}

// SAFETY: both ends are fixed at construction and lie in memory that was borrowed exclusively for ever; the base is
// rounded down to the alignment. Overflow is answered for by the caller of `new`.
unsafe impl Stack for StaticStack {
    #[inline]
    fn base(&self) -> NonNull<u8> {
        self.base
    }

    #[inline]
    fn limit(&self) -> NonNull<u8> {
        self.limit
    }
}
