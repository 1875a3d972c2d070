//! One range of addresses, divided into equal slots, each a guard page and a stack above it.

use core::cell::Cell;
use core::ptr::{self, NonNull};

use super::overflow::Range;
use super::{GuardKind, StackError};

/// Linux `include/uapi/asm-generic/mman-common.h`; in no release of glibc yet.
const MADV_GUARD_INSTALL: libc::c_int = 102;

/// An advice that no kernel knows.
const MADV_NONSENSE: libc::c_int = 0x5a5a_5a5a;

/// A slot's addresses are fixed when the arena is made; its memory is opened by [`Arena::open`].
#[derive(Debug)]
pub(super) struct Arena {
    start: NonNull<u8>,
    stride: usize,
    guard_size: usize,
    slots: usize,
    opened: Cell<usize>,
    guard: GuardKind,
    #[cfg(feature = "valgrind")]
    registered: core::cell::RefCell<alloc::vec::Vec<crate::valgrind::Registered>>,
}

impl Arena {
    /// Reserves addresses for `slots` stacks of `stack_size` bytes, rounded up to pages.
    pub(super) fn reserve(
        stack_size: usize,
        slots: usize,
        guard: Option<GuardKind>,
    ) -> Result<Self, StackError> {
        let invalid = StackError::InvalidSize {
            stack_size,
            max_stacks: slots,
        };
        let page = page_size();
        let stride = stack_size
            .checked_next_multiple_of(page)
            .filter(|&size| size > 0)
            .and_then(|size| size.checked_add(page))
            .ok_or(invalid)?;
        let bytes = stride
            .checked_mul(slots)
            .filter(|&bytes| bytes > 0 && bytes <= isize::MAX.unsigned_abs())
            .ok_or(invalid)?;
        let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE;
        // SAFETY: a new mapping at an address of the kernel's choice touches no existing memory.
        let start = unsafe { libc::mmap(ptr::null_mut(), bytes, libc::PROT_NONE, flags, -1, 0) };
        if start == libc::MAP_FAILED {
            return Err(StackError::OutOfMemory {
                bytes,
                errno: errno(),
            });
        }
        let Some(start) = NonNull::new(start.cast::<u8>()) else {
            return Err(StackError::OutOfMemory { bytes, errno: 0 });
        };
        // A huge page would make the whole of many stacks resident; the kernel may not have any, so an error is none.
        // SAFETY: the range is ours, and this advice changes no contents.
        unsafe { libc::madvise(start.as_ptr().cast(), bytes, libc::MADV_NOHUGEPAGE) };
        let guard = guard
            .filter(|&guard| guard != GuardKind::Absent)
            .unwrap_or_else(|| probe(start, page));
        Ok(Self {
            start,
            stride,
            guard_size: page,
            slots,
            opened: Cell::new(0),
            guard,
            #[cfg(feature = "valgrind")]
            registered: core::cell::RefCell::default(),
        })
    }

    /// Makes up to `wanted` more slots usable and returns their tops.
    ///
    /// # Errors
    /// When not even one could be opened.
    pub(super) fn open(
        &self,
        wanted: usize,
    ) -> Result<impl Iterator<Item = NonNull<u8>> + use<'_>, StackError> {
        let first = self.opened.get();
        let count = wanted.min(self.slots - first);
        if count == 0 {
            return Err(StackError::Exhausted {
                max_stacks: self.slots,
            });
        }
        let opened = match self.guard {
            GuardKind::Marker => self.open_marked(first, count)?,
            GuardKind::Mprotect | GuardKind::Absent => self.open_protected(first, count)?,
        };
        self.opened.set(first + opened);
        #[cfg(feature = "valgrind")]
        self.registered.borrow_mut().extend(
            (first..first + opened)
                .map(|slot| crate::valgrind::Registered::new(self.limit(slot), self.slot(slot + 1))),
        );
        Ok((first..first + opened).map(|slot| self.slot(slot + 1)))
    }

    fn open_marked(&self, first: usize, count: usize) -> Result<usize, StackError> {
        for slot in first..first + count {
            let guard = self.slot(slot).as_ptr().cast();
            // SAFETY: the page is ours, holds nothing, and is never used for data.
            if unsafe { libc::madvise(guard, self.guard_size, MADV_GUARD_INSTALL) } != 0 {
                return Err(StackError::OutOfMemory {
                    bytes: self.guard_size,
                    errno: errno(),
                });
            }
        }
        self.make_writable(self.slot(first), count * self.stride)?;
        Ok(count)
    }

    fn open_protected(&self, first: usize, count: usize) -> Result<usize, StackError> {
        for slot in first..first + count {
            match self.make_writable(self.limit(slot), self.stack_size()) {
                Ok(()) => {}
                Err(_) if slot > first => return Ok(slot - first),
                Err(StackError::OutOfMemory {
                    errno: libc::ENOMEM, ..
                }) => {
                    return Err(StackError::TooManyMappings { stacks: first });
                }
                Err(error) => return Err(error),
            }
        }
        Ok(count)
    }

    fn make_writable(&self, start: NonNull<u8>, bytes: usize) -> Result<(), StackError> {
        // SAFETY: the range lies in unopened slots of our mapping, which no one uses yet.
        match unsafe { libc::mprotect(start.as_ptr().cast(), bytes, libc::PROT_READ | libc::PROT_WRITE) } {
            0 => Ok(()),
            _ => Err(StackError::OutOfMemory {
                bytes,
                errno: errno(),
            }),
        }
    }

    /// The lowest address of a slot, where its guard is; that of `slots` is the end of the arena.
    fn slot(&self, index: usize) -> NonNull<u8> {
        assert!(index <= self.slots);
        // SAFETY: the mapping is `slots * stride` bytes long, so this is in it or its end.
        unsafe { self.start.add(index * self.stride) }
    }

    /// The lowest address of a slot's stack, above the guard.
    fn limit(&self, index: usize) -> NonNull<u8> {
        assert!(index < self.slots);
        // SAFETY: `stride` is a guard and at least one page more, so this is within the slot.
        unsafe { self.slot(index).add(self.guard_size) }
    }

    /// The index of the slot in which the stack with this base lies.
    pub(super) fn index_of(&self, base: NonNull<u8>) -> usize {
        // A base may be the end of its slot.
        (base.addr().get() - 1 - self.start.addr().get()) / self.stride
    }

    /// Gives the pages of `count` slots from `first` back to the kernel; they read as zero afterwards.
    ///
    /// # Safety
    /// - No stack of these slots is in use.
    pub(super) unsafe fn give_back(&self, first: usize, count: usize) {
        let start = self.slot(first).as_ptr().cast();
        // Guard markers and protected pages stay as they are. An error (locked memory) leaves the pages resident.
        // SAFETY: the range is ours, and its contents are not needed by the caller's promise.
        unsafe { libc::madvise(start, count * self.stride, libc::MADV_DONTNEED) };
    }

    pub(super) fn opened(&self) -> usize {
        self.opened.get()
    }

    pub(super) fn guard(&self) -> GuardKind {
        self.guard
    }

    /// The lowest address of a slot's stack whose byte is not zero; its top if there is none.
    ///
    /// Pages that were never touched are left so.
    pub(super) fn lowest_used(&self, index: usize) -> NonNull<u8> {
        let top = self.slot(index + 1);
        let limit = self.limit(index);
        // The guard is as large as a page.
        let pages = self.stack_size() / self.guard_size;
        let mut resident = alloc::vec![0_u8; pages];
        // SAFETY: the range is ours and page-aligned, and there is a byte for each page of it.
        let known =
            unsafe { libc::mincore(limit.as_ptr().cast(), self.stack_size(), resident.as_mut_ptr()) } == 0;
        let touched = if known {
            resident.iter().position(|flags| flags & 1 != 0)
        } else {
            Some(0)
        };
        let Some(first) = touched else { return top };
        let words = (pages - first) * self.guard_size / size_of::<u64>();
        // SAFETY: `first` is less than `pages`, so this is a page between the limit and the top.
        let start = unsafe { limit.add(first * self.guard_size) }.cast::<u64>();
        (0..words)
            // SAFETY: so many words lie between this page and the top.
            .map(|word| unsafe { start.add(word) })
            // SAFETY: an opened slot is readable above its guard, and a page is aligned to any word.
            .find(|&word| unsafe { crate::asan::read(word) } != 0)
            .map_or(top, NonNull::cast)
    }

    /// Where the guards are.
    pub(super) fn range(&self) -> Range {
        Range {
            start: self.start.addr().get(),
            slots: self.slots,
            stride: self.stride,
            guard_size: self.guard_size,
        }
    }

    /// The bytes of a stack, without its guard.
    pub(super) fn stack_size(&self) -> usize {
        self.stride - self.guard_size
    }
}

impl Drop for Arena {
    fn drop(&mut self) {
        // SAFETY: the mapping is ours, of this length, and its owner keeps no pointer into it past this.
        unsafe { libc::munmap(self.start.as_ptr().cast(), self.slots * self.stride) };
    }
}

/// Finds out whether this kernel marks guards.
///
/// Emulators (QEMU's user mode) accept any advice and do nothing, so acceptance proves something only where nonsense
/// is refused.
fn probe(start: NonNull<u8>, page: usize) -> GuardKind {
    let start = start.as_ptr().cast();
    // SAFETY: the page is the guard of the first slot and holds nothing.
    let nonsense_refused = unsafe { libc::madvise(start, page, MADV_NONSENSE) } != 0;
    // SAFETY: as above.
    if nonsense_refused && unsafe { libc::madvise(start, page, MADV_GUARD_INSTALL) } == 0 {
        GuardKind::Marker
    } else {
        GuardKind::Mprotect
    }
}

fn page_size() -> usize {
    // SAFETY: it only reads a constant of the system.
    let size = unsafe { libc::sysconf(libc::_SC_PAGESIZE) };
    usize::try_from(size).unwrap_or(4096)
}

fn errno() -> i32 {
    std::io::Error::last_os_error().raw_os_error().unwrap_or(0)
}
