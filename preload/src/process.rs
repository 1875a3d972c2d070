//! What a process has one of: descriptors, segments, the helper.
//!
//! All of it lies in pages that the kernel zeroes in a forked child, however it was forked. All zeros is the state of a process
//! that has deferred nothing and knows nothing, so a child starts empty, and nothing is sent twice.

use core::sync::atomic::{AtomicI32, AtomicPtr, AtomicU32, AtomicUsize, Ordering};

use libc::c_int;

use crate::queue::fds::{self, Fd};
use crate::queue::left::Remainder;
use crate::queue::segment::Segment;
use crate::sys;

/// Threads that may have a segment at a time; others defer nothing.
pub(crate) const SEGMENTS: usize = 512;

/// The tables of this process.
#[derive(Debug)]
pub(crate) struct Process {
    /// A state of [`Helper`].
    pub(crate) helper: AtomicU32,
    /// The helper's futex.
    pub(crate) helper_sleeps: AtomicU32,
    /// Closes that are queued.
    pub(crate) closes: AtomicI32,
    /// Connections with a remainder.
    pub(crate) remainders: AtomicU32,
    /// The remainders themselves, and their lock.
    pub(crate) remainder_lock: AtomicU32,
    pub(crate) remainder_list: AtomicPtr<Vec<Remainder>>,
    /// The program is about to end: nothing is deferred any more.
    pub(crate) ending: AtomicU32,
    /// One above the highest descriptor that something is known about.
    top: AtomicUsize,
    /// One above the highest segment in use.
    segments_top: AtomicUsize,
    segments: [AtomicPtr<Segment>; SEGMENTS],
    fds: [Fd; fds::LIMIT],
}

/// States of the helper. Zero, that there is none, is what a forked child finds.
#[derive(Debug)]
pub(crate) struct Helper;

impl Helper {
    pub(crate) const STARTING: u32 = 1;
    pub(crate) const RUNNING: u32 = 2;
    pub(crate) const REFUSED: u32 = 3;
    /// Something could have been deferred, had there been one.
    pub(crate) const WANTED: u32 = 4;
}

static PROCESS: AtomicPtr<Process> = AtomicPtr::new(core::ptr::null_mut());

/// Makes the tables. Without them everything is passed through.
pub(crate) fn set_up() -> bool {
    let len = size_of::<Process>().next_multiple_of(4096);
    let Some(start) = sys::map(len) else {
        return false;
    };
    // SAFETY: whole pages of the mapping made above.
    if !unsafe { sys::wipe_on_fork(start.as_ptr(), len) } {
        return false;
    }
    PROCESS.store(start.as_ptr().cast(), Ordering::Release);
    true
}

/// The tables, or `None` where the shim is off.
#[inline]
pub(crate) fn get() -> Option<&'static Process> {
    let process = PROCESS.load(Ordering::Acquire);
    // SAFETY: null, or the mapping that `set_up` made: page-aligned, large enough, never unmapped, and made of atomics, for
    // which all zeros is a value.
    unsafe { process.as_ref() }
}

impl Process {
    /// The descriptor of this number, where it is one that the table has.
    #[inline]
    pub(crate) fn fd(&self, fd: c_int) -> Option<&Fd> {
        usize::try_from(fd).ok().and_then(|fd| self.fds.get(fd))
    }

    /// Whether somebody sees to the deadline. Without that nothing is deferred; the next wait for events ends with a start, for
    /// which this may be the wrong place, as in a signal handler.
    #[inline]
    pub(crate) fn has_helper(&self) -> bool {
        let state = self.helper.load(Ordering::Acquire);
        if state == 0 {
            let _ = self
                .helper
                .compare_exchange(0, Helper::WANTED, Ordering::AcqRel, Ordering::Acquire);
        }
        state == Helper::RUNNING
    }

    /// Wakes the helper, if it sleeps.
    #[inline]
    pub(crate) fn wake_helper(&self) {
        if self.helper_sleeps.load(Ordering::SeqCst) != 0 {
            self.helper_sleeps.store(0, Ordering::SeqCst);
            sys::futex_wake(&self.helper_sleeps);
        }
    }

    /// A new descriptor of which this is known.
    pub(crate) fn made(&self, fd: c_int, bits: u32) {
        if let Some(entry) = self.fd(fd) {
            entry.reset(bits);
            if bits != 0 {
                self.top
                    .fetch_max(fd.unsigned_abs() as usize + 1, Ordering::AcqRel);
            }
        }
    }

    /// Forgets about every descriptor that it may be deferred on: a child is about to share them.
    pub(crate) fn share_all(&self) {
        let top = self.top.load(Ordering::Acquire);
        for fd in self.fds.iter().take(top) {
            if fd.word() & (fds::TCP | fds::UNIX) != 0 {
                fd.clear(fds::TCP | fds::UNIX);
            }
        }
    }

    /// Descriptors in a range that something is known about.
    pub(crate) fn known_in(&self, first: u32, last: u32) -> impl Iterator<Item = c_int> + '_ {
        let (first, last) = (first as usize, last as usize);
        let known = move |(fd, entry): (usize, &Fd)| {
            let inside = (first..=last).contains(&fd) && entry.word() != 0;
            inside.then(|| c_int::try_from(fd).ok()).flatten()
        };
        self.fds.iter().enumerate().filter_map(known)
    }

    /// The segment of this index.
    #[inline]
    pub(crate) fn segment(&self, index: usize) -> Option<&'static Segment> {
        let segment = self.segments.get(index)?.load(Ordering::Acquire);
        // SAFETY: null or a segment that was registered; those are mapped for good (a later thread uses them again).
        unsafe { segment.as_ref() }
    }

    /// Every segment.
    pub(crate) fn segments(&self) -> impl Iterator<Item = &'static Segment> + '_ {
        let top = self.segments_top.load(Ordering::Acquire);
        (0..top).filter_map(|index| self.segment(index))
    }

    /// A segment for this thread: one that a thread has left, or a new one.
    pub(crate) fn take_segment(&self) -> Option<&'static Segment> {
        if let Some(left) = self.segments().find(|segment| segment.take_over()) {
            return Some(left);
        }
        let segment = Segment::map()?;
        for (index, place) in self.segments.iter().enumerate() {
            let pointer: *const Segment = segment;
            segment.name(index);
            if place
                .compare_exchange(
                    core::ptr::null_mut(),
                    pointer.cast_mut(),
                    Ordering::AcqRel,
                    Ordering::Acquire,
                )
                .is_ok()
            {
                self.segments_top.fetch_max(index + 1, Ordering::AcqRel);
                return Some(segment);
            }
        }
        None
    }
}
