//! The thread that sees to it that nothing is held up.
//!
//! The helper looks at the segments every two milliseconds. Where it finds something, it looks again one millisecond later, and
//! flushes what is still there. So nothing waits for longer than three, and what the scheduler takes to give the helper its turn:
//! two milliseconds of the promised five are left for that. When there is nothing to do for a while, it sleeps until it is
//! woken.

use core::sync::atomic::Ordering;

use libc::c_void;

use crate::process::{self, Helper, Process, SEGMENTS};
use crate::queue::{engine, remainder};
use crate::stats::Reason;
use crate::sys;

/// Time until the next look where nothing was found.
const LOOK_NS: i64 = 2_000_000;
/// The same where something was.
const AGAIN_NS: i64 = 1_000_000;
/// Looks without work before it sleeps.
const IDLE_TICKS: u32 = 50;
const STACK: usize = 128 << 10;

/// Starts the helper where it was missed. A program in which nothing can be deferred stays without: the kernel and the C
/// library are quicker with a process that has one thread.
#[inline]
pub(crate) fn start_where_wanted(process: &'static Process) {
    if process.helper.load(Ordering::Acquire) == Helper::WANTED {
        start_helper(process);
    }
}

#[cold]
fn start_helper(process: &'static Process) {
    // The program's signals are for its own threads, and a handler must not jump out of this.
    let mask = sys::block_signals();
    if process
        .helper
        .compare_exchange(
            Helper::WANTED,
            Helper::STARTING,
            Ordering::AcqRel,
            Ordering::Acquire,
        )
        .is_ok()
    {
        let state = if spawn() { Helper::RUNNING } else { Helper::REFUSED };
        process.helper.store(state, Ordering::Release);
    }
    sys::restore_signals(mask);
}

#[cold]
fn spawn() -> bool {
    // SAFETY: an array of bytes and words, for which all zeros is a value; `pthread_attr_init` fills it.
    let mut attributes: libc::pthread_attr_t = unsafe { core::mem::zeroed() };
    let mut id: libc::pthread_t = 0;
    // SAFETY: the attributes are live.
    if unsafe { libc::pthread_attr_init(&raw mut attributes) } != 0 {
        return false;
    }
    // SAFETY: initialised above.
    unsafe { libc::pthread_attr_setdetachstate(&raw mut attributes, libc::PTHREAD_CREATE_DETACHED) };
    // SAFETY: as above.
    unsafe { libc::pthread_attr_setstacksize(&raw mut attributes, STACK) };
    // SAFETY: all pointers are live; `watch` takes no argument.
    let made =
        unsafe { libc::pthread_create(&raw mut id, &raw const attributes, watch, core::ptr::null_mut()) };
    // SAFETY: initialised above.
    unsafe { libc::pthread_attr_destroy(&raw mut attributes) };
    made == 0
}

/// The helper.
extern "C" fn watch(_: *mut c_void) -> *mut c_void {
    let Some(process) = process::get() else {
        return core::ptr::null_mut();
    };
    let mut seen = [None; SEGMENTS];
    let mut idle = 0;
    let mut pause = LOOK_NS;
    sys::be_prompt();
    loop {
        sys::sleep_ns(pause);
        let mut work = false;
        pause = LOOK_NS;
        for (segment, seen) in process.segments().zip(&mut seen) {
            let state = segment.state();
            let now = (state.count() != 0).then(|| state.generation());
            if now.is_some() && *seen == now {
                engine::flush(process, segment, Reason::Deadline);
                *seen = None;
            } else {
                if now.is_some() {
                    pause = AGAIN_NS;
                }
                *seen = now;
            }
            work |= now.is_some();
        }
        if process.remainders.load(Ordering::Acquire) != 0 {
            remainder::push(process, None);
            work = true;
        }
        idle = if work { 0 } else { idle + 1 };
        if idle >= IDLE_TICKS {
            process.helper_sleeps.store(1, Ordering::SeqCst);
            let quiet = process.segments().all(|segment| segment.state().count() == 0)
                && process.remainders.load(Ordering::SeqCst) == 0;
            if quiet {
                sys::futex_wait(&process.helper_sleeps, 1);
            }
            process.helper_sleeps.store(0, Ordering::SeqCst);
            idle = 0;
        }
    }
}
