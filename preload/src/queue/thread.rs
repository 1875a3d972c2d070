//! What a thread knows of itself.

use core::cell::Cell;
use core::sync::atomic::{Ordering, compiler_fence};

use crate::process::{self, Process};
use crate::queue::engine::{self, Engine};
use crate::queue::segment::Segment;
use crate::stats::Reason;
use crate::sys;

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
}

thread_local! {
    static ME: Me = const {
        Me {
            segment: Cell::new(core::ptr::null()),
            open: Cell::new(false),
            recording: Cell::new(false),
            refused: Cell::new(false),
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
    });
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

/// The segment of this thread, made where there is none yet.
#[inline]
pub(crate) fn segment_or_new(process: &Process) -> Option<&'static Segment> {
    match segment() {
        Some(segment) => Some(segment),
        None => make(process),
    }
}

#[cold]
fn make(process: &Process) -> Option<&'static Segment> {
    if ME.with(|me| me.refused.get()) {
        return None;
    }
    // A handler that jumps away must not leave it half made.
    let mask = sys::block_signals();
    let made = process.take_segment();
    let engine = made.and_then(|_| Engine::new());
    if let (Some(segment), Some(engine)) = (made, engine) {
        segment.set_engine(engine);
        ME.with(|me| me.segment.set(segment));
        at_exit(segment);
    } else {
        ME.with(|me| me.refused.set(true));
        if let Some(segment) = made {
            segment.leave();
        }
    }
    sys::restore_signals(mask);
    segment()
}

/// Runs what this thread has queued.
#[inline]
pub(crate) fn flush(why: Reason) {
    if let Some(segment) = segment()
        && segment.state().count() != 0
        && let Some(process) = process::get()
    {
        engine::flush(process, segment, why);
    }
}

/// Has the segment flushed and given back when the thread ends.
fn at_exit(segment: &'static Segment) {
    let Some(key) = crate::helper::thread_key() else {
        return;
    };
    let pointer: *const Segment = segment;
    // SAFETY: the key was made, and the value is not looked at but by the key's destructor.
    let _ = unsafe { libc::pthread_setspecific(key, pointer.cast()) };
}

/// The thread ends.
///
/// # Safety
///
/// - `segment` is what `at_exit` was given, on this thread.
pub(crate) unsafe extern "C" fn ended(segment: *mut libc::c_void) {
    // SAFETY: the caller's promise: a segment from the registry, which stays mapped.
    let Some(segment) = (unsafe { segment.cast::<Segment>().as_ref() }) else {
        return;
    };
    if !segment.is_alive() || !has(segment) {
        return;
    }
    flush(Reason::Process);
    segment.wait();
    ME.with(|me| {
        me.segment.set(core::ptr::null());
        me.open.set(false);
        me.refused.set(true);
    });
    segment.leave();
}
