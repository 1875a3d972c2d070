//! The heap of the shim: a mapping for each allocation.
//!
//! The program's own heap would not do: a flush may run in a signal handler that interrupted `malloc`. What is allocated here
//! is rare and large (tables, rings), so nothing cleverer pays.

use core::alloc::{GlobalAlloc, Layout};

use crate::sys;

const PAGE: usize = 4096;

/// Mappings, one for each allocation.
#[derive(Debug)]
pub(crate) struct Mappings;

// SAFETY: a mapping is page-aligned, as large as was asked for (rounded up), belongs to nobody else, and lives until it is
// unmapped; alignments above a page are refused with null. Nothing here unwinds.
unsafe impl GlobalAlloc for Mappings {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        if layout.align() > PAGE {
            return core::ptr::null_mut();
        }
        sys::map(layout.size().next_multiple_of(PAGE)).map_or(core::ptr::null_mut(), |start| start.as_ptr())
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's promise; new mappings are zero.
        unsafe { self.alloc(layout) }
    }

    unsafe fn dealloc(&self, start: *mut u8, layout: Layout) {
        // SAFETY: the caller gives back what `alloc` returned for this layout, which is a mapping of this length.
        unsafe { sys::unmap(start, layout.size().next_multiple_of(PAGE)) }
    }
}
