//! What a thread knows of itself.

use core::cell::Cell;
use core::sync::atomic::{Ordering, compiler_fence};

use crate::queue::company::Company;
use crate::queue::fds::Fd;
use crate::queue::segment::Segment;

/// State of a thread. Without a destructor, so that a signal handler may look at any time.
#[derive(Debug)]
struct Me {
    segment: Cell<*const Segment>,
    /// The last wait for events returned some.
    open: Cell<bool>,
    /// This thread is putting a record together; a handler that interrupts it must not.
    recording: Cell<bool>,
    /// There is no segment for this thread.
    refused: Cell<bool>,
    company: Company,
}

thread_local! {
    static ME: Me = const {
        Me {
            segment: Cell::new(core::ptr::null()),
            open: Cell::new(false),
            recording: Cell::new(false),
            refused: Cell::new(false),
            company: Company::new(),
        }
    };
}

/// The segment of this thread.
#[inline]
pub(crate) fn segment() -> Option<&'static Segment> {
    let pointer = ME.with(|me| me.segment.get());
    // SAFETY: null or a segment from the registry, which stays mapped.
    let segment: &'static Segment = unsafe { pointer.as_ref() }?;
    segment.is_alive().then_some(segment)
}

/// Whether this thread has that segment.
pub(crate) fn has(segment: &Segment) -> bool {
    let pointer: *const Segment = segment;
    ME.with(|me| core::ptr::eq(me.segment.get(), pointer))
}

/// Whether something is queued by this thread.
#[inline]
pub(crate) fn has_queue() -> bool {
    segment().is_some_and(|segment| segment.state().count() != 0)
}

/// Whether this thread may defer now.
#[inline]
pub(crate) fn is_open() -> bool {
    ME.with(|me| me.open.get() && !me.recording.get())
}

/// Opens the segment, or says that a wait for events begins. A handler that left by a jump has left a record half done; that
/// is over now.
#[inline]
pub(crate) fn set_open(open: bool) {
    ME.with(|me| {
        me.open.set(open);
        me.recording.set(false);
        if open {
            me.company.begin_turn();
        }
    });
}

/// Notes a send of a thread that may defer, and says whether it had company or may expect some.
#[inline]
pub(crate) fn expects_company(fd: &Fd) -> bool {
    ME.with(|me| me.company.note(fd))
}

/// Defers nothing more before the next wait for events, not in a handler either.
pub(crate) fn close() {
    ME.with(|me| me.open.set(false));
}

/// Puts a record together: handlers that interrupt this defer nothing.
#[inline]
pub(crate) fn recording<R>(body: impl FnOnce() -> R) -> R {
    ME.with(|me| {
        me.recording.set(true);
        compiler_fence(Ordering::SeqCst);
        let result = body();
        compiler_fence(Ordering::SeqCst);
        me.recording.set(false);
        result
    })
}

/// Whether there is no segment for this thread.
pub(crate) fn is_refused() -> bool {
    ME.with(|me| me.refused.get())
}

/// Gives this thread a segment; `None` where there is none, or from now on none any more.
pub(crate) fn set_segment(segment: Option<&'static Segment>) {
    ME.with(|me| match segment {
        Some(segment) => me.segment.set(segment),
        None => {
            me.segment.set(core::ptr::null());
            me.open.set(false);
            me.refused.set(true);
        }
    });
}
