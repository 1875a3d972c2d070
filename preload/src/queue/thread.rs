//! What a thread knows of itself.

use core::sync::atomic::{Ordering, compiler_fence};

use libc::c_int;

use crate::queue::fds::Fd;
use crate::queue::local;
use crate::queue::segment::Segment;

/// The segment of this thread.
#[inline]
pub(crate) fn segment() -> Option<&'static Segment> {
    let pointer = local::with(|me| me.segment.get());
    // SAFETY: null or a segment from the registry, which stays mapped.
    let segment: &'static Segment = unsafe { pointer.as_ref() }?;
    segment.is_alive().then_some(segment)
}

/// Whether this thread has that segment.
pub(crate) fn has(segment: &Segment) -> bool {
    let pointer: *const Segment = segment;
    local::with(|me| core::ptr::eq(me.segment.get(), pointer))
}

/// Whether something is queued by this thread.
#[inline]
pub(crate) fn has_queue() -> bool {
    segment().is_some_and(|segment| segment.state().count() != 0)
}

/// Whether this thread may defer now.
#[inline]
pub(crate) fn is_open() -> bool {
    local::with(|me| me.open.get() && !me.recording.get())
}

/// Opens the segment, or says that a wait for events begins. A handler that left by a jump has left a record half done; that
/// is over now.
#[inline]
pub(crate) fn set_open(open: bool) {
    local::with(|me| {
        me.open.set(open);
        me.recording.set(false);
        if open {
            me.company.begin_turn();
        }
    });
}

/// What comes now has nothing to do with what came before: something may have waited.
#[inline]
pub(crate) fn begin_turn() {
    local::with(|me| me.company.begin_turn());
}

/// Notes a send of a thread that may defer, and says whether it had company or may expect some.
#[inline]
pub(crate) fn expects_company(fd: &Fd) -> bool {
    local::with(|me| me.company.note(fd))
}

/// Defers nothing more before the next wait for events, not in a handler either.
pub(crate) fn close() {
    local::with(|me| me.open.set(false));
}

/// Puts a record together: handlers that interrupt this defer nothing.
#[inline]
pub(crate) fn recording<R>(body: impl FnOnce() -> R) -> R {
    local::with(|me| {
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
    local::with(|me| me.refused.get())
}

/// Gives this thread a segment; `None` where there is none, or from now on none any more.
pub(crate) fn set_segment(segment: Option<&'static Segment>) {
    local::with(|me| match segment {
        Some(segment) => me.segment.set(segment),
        None => {
            me.segment.set(core::ptr::null());
            me.open.set(false);
            me.refused.set(true);
        }
    });
}

/// Keeps where the last events came from.
#[inline]
pub(crate) fn set_source(epoll: Option<c_int>) {
    local::with(|me| me.source.set(epoll.map_or(0, mark)));
}

/// What stands for a descriptor where 0 stands for none.
#[inline]
const fn mark(fd: c_int) -> i32 {
    fd.wrapping_add(1)
}

/// A read has got all there was from a descriptor that this epoll instance watches.
#[inline]
pub(crate) fn set_drained(fd: c_int, epoll: u32) {
    local::with(|me| {
        if me.open.get() && u32::try_from(me.source.get()) == Ok(epoll) {
            me.drained.set(mark(fd));
        }
    });
}

/// Whether the last thing done was a read that got all there was from this descriptor; said once.
#[inline]
pub(crate) fn take_drained(fd: c_int) -> bool {
    local::with(|me| me.drained.replace(0) == mark(fd))
}

/// Something was sent on this descriptor, which changes nothing about what has arrived there.
#[inline]
pub(crate) fn keep_drained(fd: c_int) {
    local::with(|me| {
        if me.drained.get() != mark(fd) {
            me.drained.set(0);
        }
    });
}

/// Something else was done, after which more may have arrived anywhere.
#[inline]
pub(crate) fn forget_drained() {
    local::with(|me| me.drained.set(0));
}
