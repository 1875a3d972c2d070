//! The segment of a thread: made when the first call is deferred, run, and given back when the thread ends.

use core::sync::atomic::{AtomicU32, Ordering};

use libc::{c_void, pthread_key_t};

use crate::process::{self, Process};
use crate::queue::batch::Batch;
use crate::queue::segment::Segment;
use crate::queue::{engine, thread};
use crate::stats::Reason;
use crate::sys;

/// The key whose destructor flushes when a thread ends, and 1.
static KEY: AtomicU32 = AtomicU32::new(0);

/// Makes the key; once, before any thread defers.
pub(crate) fn make_key() {
    let mut key: pthread_key_t = 0;
    // SAFETY: `key` is live; the destructor gets what `at_exit` sets, on that thread.
    if unsafe { libc::pthread_key_create(&raw mut key, Some(ended)) } == 0 {
        KEY.store(key.wrapping_add(1), Ordering::Relaxed);
    }
}

fn key() -> Option<pthread_key_t> {
    KEY.load(Ordering::Relaxed).checked_sub(1)
}

/// The segment of this thread, made where there is none yet.
#[inline]
pub(crate) fn segment_or_new(process: &Process) -> Option<&'static Segment> {
    match thread::segment() {
        Some(segment) => Some(segment),
        None => make(process),
    }
}

#[cold]
fn make(process: &Process) -> Option<&'static Segment> {
    if thread::is_refused() {
        return None;
    }
    // A handler that jumps away must not leave it half made.
    let mask = sys::block_signals();
    let made = process.take_segment();
    let batch = made.and_then(|_| Batch::new());
    if let (Some(segment), Some(batch)) = (made, batch) {
        segment.set_batch(batch);
        thread::set_segment(Some(segment));
        at_exit(segment);
    } else {
        thread::set_segment(None);
        if let Some(segment) = made {
            segment.leave();
        }
    }
    sys::restore_signals(mask);
    thread::segment()
}

/// Runs what this thread has queued.
#[inline]
pub(crate) fn flush(why: Reason) {
    if let Some(segment) = thread::segment()
        && segment.state().count() != 0
        && let Some(process) = process::get()
    {
        engine::flush(process, segment, why);
    }
}

/// Has the segment flushed and given back when the thread ends.
fn at_exit(segment: &'static Segment) {
    let Some(key) = key() else {
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
unsafe extern "C" fn ended(segment: *mut c_void) {
    // SAFETY: the caller's promise: a segment from the registry, which stays mapped.
    let Some(segment) = (unsafe { segment.cast::<Segment>().as_ref() }) else {
        return;
    };
    if !segment.is_alive() || !thread::has(segment) {
        return;
    }
    flush(Reason::Process);
    segment.wait();
    thread::set_segment(None);
    segment.leave();
}
