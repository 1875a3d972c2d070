//! Memory of a table.

use alloc::alloc::{alloc_zeroed, dealloc};
use core::alloc::Layout;
use core::ptr::NonNull;

use batch_table::{Errno, LayoutError, table_size};

/// Alignment of a table on the heap: that of a page, as a mapped table has.
const ALIGN: usize = 4096;

/// Zeroed, page-aligned memory that holds a table and nothing else, given back when it is dropped.
#[derive(Debug)]
pub struct TableMemory {
    pointer: NonNull<u8>,
    layout: Layout,
    release: unsafe fn(NonNull<u8>, Layout),
}

// SAFETY: the memory is owned by this value alone, and `release` is a plain function that may run on any thread by the
// contract of `from_raw_parts` (the heap's is).
unsafe impl Send for TableMemory {}

impl TableMemory {
    /// Memory on the heap for a table of `capacity` entries.
    ///
    /// # Errors
    ///
    /// `EINVAL` for a capacity that no table may have, `ENOMEM` where the heap has no more.
    pub fn heap(capacity: u32) -> Result<Self, Errno> {
        let size = table_size(capacity).map_err(|_: LayoutError| Errno::EINVAL)?;
        let layout = Layout::from_size_align(size, ALIGN).map_err(|_| Errno::EINVAL)?;
        // SAFETY: the size is not zero: a table has a header.
        let memory = unsafe { alloc_zeroed(layout) };
        let pointer = NonNull::new(memory).ok_or(Errno::ENOMEM)?;
        Ok(Self {
            pointer,
            layout,
            release: release_heap,
        })
    }

    /// Memory from elsewhere, for instance mapped from a device.
    ///
    /// # Safety
    ///
    /// - `pointer` is the start of `layout.size()` bytes, aligned to `layout.align()`, initialised, zero where no other
    ///   side has written, and good for atomic reads and writes until `release` is called.
    /// - Nothing else in this program touches them.
    /// - `release` may be called once, on any thread, with the same two values.
    #[must_use]
    pub const unsafe fn from_raw_parts(
        pointer: NonNull<u8>,
        layout: Layout,
        release: unsafe fn(NonNull<u8>, Layout),
    ) -> Self {
        Self {
            pointer,
            layout,
            release,
        }
    }

    /// Start of the memory.
    #[must_use]
    pub const fn pointer(&self) -> NonNull<u8> {
        self.pointer
    }

    /// Number of bytes.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.layout.size()
    }

    /// Whether there are no bytes.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// # Safety
///
/// - `pointer` came from `alloc_zeroed` with this layout and has not been given back.
unsafe fn release_heap(pointer: NonNull<u8>, layout: Layout) {
    // SAFETY: the caller's promise is the allocator's condition.
    unsafe { dealloc(pointer.as_ptr(), layout) }
}

impl Drop for TableMemory {
    fn drop(&mut self) {
        // SAFETY: called once, here, with the values that the constructor was given.
        unsafe { (self.release)(self.pointer, self.layout) }
    }
}
