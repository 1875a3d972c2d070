use alloc::alloc::{alloc, dealloc, handle_alloc_error};
use core::alloc::Layout;
use core::ptr::NonNull;

use super::{ALIGNMENT, Stack};
use crate::raw;

/// A stack from the global allocator, for programs without `mmap`.
///
/// It has no guard: an overflow overwrites what lies below.
#[derive(Debug)]
pub struct HeapStack {
    limit: NonNull<u8>,
    layout: Layout,
}

impl HeapStack {
    /// Allocates a stack of `size` bytes, rounded up to 16; at least 16.
    ///
    /// # Panics
    /// When `size` is above `isize::MAX - 15`, and on a thread with a hardware shadow stack
    /// ([`raw::shadow_stack_enabled`]).
    ///
    /// # Safety
    /// - Everything that runs on this stack, signal and interrupt handlers included, fits into `size`
    ///   bytes, for nothing stops it at the lower end.
    pub unsafe fn new(size: usize) -> Self {
        if raw::shadow_stack_enabled() {
            raw::shadow_stack_refused();
        }
        let layout = Layout::from_size_align(size.max(ALIGNMENT), ALIGNMENT)
            .expect("the size of a heap stack is at most isize::MAX - 15 bytes")
            .pad_to_align();
        // SAFETY: the layout's size is at least 16.
        let memory = unsafe { alloc(layout) };
        let Some(limit) = NonNull::new(memory) else {
            handle_alloc_error(layout)
        };
        Self { limit, layout }
    }
}

impl Drop for HeapStack {
    fn drop(&mut self) {
        // SAFETY: it was allocated with this layout, and is freed once.
        unsafe { dealloc(self.limit.as_ptr(), self.layout) };
    }
}

// SAFETY: the allocation is owned until drop, and leaked if the value is; its start and padded size are multiples of 16.
// Overflow is answered for by the caller of `new`.
unsafe impl Stack for HeapStack {
    #[inline]
    fn base(&self) -> NonNull<u8> {
        // SAFETY: one past the end of the allocation.
        unsafe { self.limit.add(self.layout.size()) }
    }

    #[inline]
    fn limit(&self) -> NonNull<u8> {
        self.limit
    }
}
