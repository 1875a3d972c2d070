//! What takes the place of the mapped arena under Miri: memory from the allocator. No frames lie in it, so it has no guards.

use alloc::alloc::{alloc, dealloc};
use alloc::vec::Vec;
use core::alloc::Layout;
use core::cell::RefCell;
use core::ptr::NonNull;

use super::overflow::Range;
use super::{GuardKind, StackError};

/// Bytes; also their alignment.
const PAGE: usize = 4096;

#[derive(Debug)]
pub(super) struct Arena {
    layout: Layout,
    slots: usize,
    opened: RefCell<Vec<NonNull<u8>>>,
}

impl Arena {
    pub(super) fn reserve(
        stack_size: usize,
        slots: usize,
        _guard: Option<GuardKind>,
    ) -> Result<Self, StackError> {
        let invalid = StackError::InvalidSize {
            stack_size,
            max_stacks: slots,
        };
        let size = stack_size
            .checked_next_multiple_of(PAGE)
            .filter(|&size| size > 0)
            .ok_or(invalid)?;
        // As the mapped arena, which has to address all of them.
        size.checked_add(PAGE)
            .and_then(|stride| stride.checked_mul(slots))
            .filter(|&bytes| bytes > 0 && bytes <= isize::MAX.unsigned_abs())
            .ok_or(invalid)?;
        Ok(Self {
            layout: Layout::from_size_align(size, PAGE).map_err(|_| invalid)?,
            slots,
            opened: RefCell::default(),
        })
    }

    /// One at a time, for memory that is not used costs Miri as much as any.
    pub(super) fn open(
        &self,
        _wanted: usize,
    ) -> Result<impl Iterator<Item = NonNull<u8>> + use<'_>, StackError> {
        if self.opened() == self.slots {
            return Err(StackError::Exhausted {
                max_stacks: self.slots,
            });
        }
        // SAFETY: the size is not zero.
        let start = NonNull::new(unsafe { alloc(self.layout) }).ok_or(StackError::OutOfMemory {
            bytes: self.layout.size(),
            errno: libc::ENOMEM,
        })?;
        self.opened.borrow_mut().push(start);
        // SAFETY: the end of the allocation.
        Ok(core::iter::once(unsafe { start.add(self.layout.size()) }))
    }

    pub(super) fn index_of(&self, base: NonNull<u8>) -> usize {
        let is_in = |start: &NonNull<u8>| {
            let address = start.addr().get();
            (address + 1..=address + self.layout.size()).contains(&base.addr().get())
        };
        self.opened.borrow().iter().position(is_in).unwrap_or_default()
    }

    /// # Safety
    /// - No stack of these slots is in use.
    #[expect(clippy::unused_self, reason = "as for the mapped arena")]
    pub(super) unsafe fn give_back(&self, _first: usize, _count: usize) {}

    pub(super) fn opened(&self) -> usize {
        self.opened.borrow().len()
    }

    #[expect(clippy::unused_self, reason = "as for the mapped arena")]
    pub(super) fn guard(&self) -> GuardKind {
        GuardKind::Absent
    }

    /// The top: frames lie elsewhere.
    pub(super) fn lowest_used(&self, index: usize) -> NonNull<u8> {
        // SAFETY: the end of the allocation.
        unsafe { self.opened.borrow()[index].add(self.layout.size()) }
    }

    /// No addresses at all.
    #[expect(clippy::unused_self, reason = "as for the mapped arena")]
    pub(super) fn range(&self) -> Range {
        Range {
            start: 1,
            slots: 0,
            stride: 1,
            guard_size: 0,
        }
    }

    pub(super) fn stack_size(&self) -> usize {
        self.layout.size()
    }
}

impl Drop for Arena {
    fn drop(&mut self) {
        for start in self.opened.get_mut().drain(..) {
            // SAFETY: it was allocated with this layout, and its owner keeps no pointer into it past this.
            unsafe { dealloc(start.as_ptr(), self.layout) };
        }
    }
}
