//! Start, end, and the thread that sees to it that nothing is held up.
//!
//! The helper looks at the segments every two milliseconds; what it has seen before, it flushes. So nothing waits for longer
//! than twice that, whatever the program does. When there is nothing to do for a while, it sleeps until it is woken.

use core::sync::atomic::{AtomicBool, AtomicPtr, AtomicU32, Ordering};

use libc::{c_char, c_void, pthread_key_t};

use crate::process::{self, Process, SEGMENTS};
use crate::queue::{engine, offer, remainder, thread};
use crate::stats::{self, Reason};
use crate::sys;

/// Time between two looks.
const TICK_NS: i64 = 2_000_000;
/// Looks without work before it sleeps.
const IDLE_TICKS: u32 = 50;
const STACK: usize = 128 << 10;

/// States of the helper. Zero, that there is none, is what a forked child finds.
const STARTING: u32 = 1;
const RUNNING: u32 = 2;
const REFUSED: u32 = 3;
/// Something could have been deferred, had there been one.
const WANTED: u32 = 4;

/// The executor that `ESCA_EXECUTOR` asks for. Read at the start: a server may clear its environment, as nginx does.
static EXECUTOR: AtomicPtr<c_char> = AtomicPtr::new(core::ptr::null_mut());
static OPTIMISE: AtomicBool = AtomicBool::new(true);
/// The key whose destructor flushes when a thread ends, and 1.
static KEY: AtomicU32 = AtomicU32::new(0);

/// Whether adjacent calls are joined.
#[inline]
pub(crate) fn optimises() -> bool {
    OPTIMISE.load(Ordering::Relaxed)
}

/// The name of the executor that was asked for; nothing where it was not, or is not to be read.
pub(crate) fn executor() -> &'static str {
    let name = EXECUTOR.load(Ordering::Relaxed);
    if name.is_null() {
        return "";
    }
    // SAFETY: not null, so the copy made in `start`, a C string that is never freed.
    let name = unsafe { core::ffi::CStr::from_ptr(name) };
    name.to_str().unwrap_or("?")
}

pub(crate) fn thread_key() -> Option<pthread_key_t> {
    KEY.load(Ordering::Relaxed).checked_sub(1)
}

#[cfg(not(test))]
#[used]
#[unsafe(link_section = ".init_array")]
static START: extern "C" fn() = start;

#[cfg(not(test))]
#[used]
#[unsafe(link_section = ".fini_array")]
static END: extern "C" fn() = end;

/// The value of an environment variable.
fn environment(name: &core::ffi::CStr) -> *mut c_char {
    // SAFETY: `name` is a C string. The program may change its environment later; at start nobody does.
    unsafe { libc::getenv(name.as_ptr()) }
}

/// A copy: the program may write its title over the environment.
fn copy(value: *mut c_char) -> *mut c_char {
    if value.is_null() {
        return value;
    }
    // SAFETY: not null, so a C string of the environment.
    unsafe { libc::strdup(value) }
}

fn is_off(name: &core::ffi::CStr) -> bool {
    let value = environment(name);
    if value.is_null() {
        return false;
    }
    // SAFETY: not null, so a C string of the environment.
    let value = unsafe { core::ffi::CStr::from_ptr(value) };
    matches!(value.to_bytes(), b"off" | b"0")
}

extern "C" fn start() {
    if is_off(c"ESCA_PRELOAD") || !process::set_up() {
        return;
    }
    OPTIMISE.store(!is_off(c"ESCA_PRELOAD_OPTIMISE"), Ordering::Relaxed);
    EXECUTOR.store(copy(environment(c"ESCA_EXECUTOR")), Ordering::Relaxed);
    // SAFETY: null or a copy that is never freed.
    unsafe { stats::set_up(copy(environment(c"ESCA_STATS"))) };
    let mut key: pthread_key_t = 0;
    // SAFETY: `key` is live; the destructor gets what `thread::at_exit` sets, on that thread.
    if unsafe { libc::pthread_key_create(&raw mut key, Some(thread_ended)) } == 0 {
        KEY.store(key.wrapping_add(1), Ordering::Relaxed);
    }
    // SAFETY: functions that stay loaded with this library, which is never unloaded: it was preloaded.
    unsafe { libc::pthread_atfork(Some(before_fork), None, Some(in_child)) };
}

unsafe extern "C" fn thread_ended(segment: *mut c_void) {
    // SAFETY: the key's value is set by `thread::at_exit` alone.
    unsafe { thread::ended(segment) };
}

/// The program ends: what is queued is sent, and nothing more is deferred.
pub(crate) extern "C" fn end() {
    if let Some(process) = process::get() {
        process.ending.store(1, Ordering::Release);
        offer::flush_all(process, Reason::Process);
        if process.remainders.load(Ordering::Acquire) != 0 {
            remainder::finish(process, None);
        }
        stats::print();
    }
}

/// Everything is sent before a child is made, and what the child shares is not deferred on any more.
pub(crate) extern "C" fn before_fork() {
    if let Some(process) = process::get() {
        process.share_all();
        offer::flush_all(process, Reason::Process);
    }
}

extern "C" fn in_child() {
    stats::reset();
    // The kernel has emptied the tables; the thread's own notes are of its parent.
    thread::set_open(false);
}

/// Starts the helper where it was missed. A program in which nothing can be deferred stays without: the kernel and the C
/// library are quicker with a process that has one thread.
#[inline]
pub(crate) fn start_where_wanted(process: &'static Process) {
    if process.helper.load(Ordering::Acquire) == WANTED {
        start_helper(process);
    }
}

#[cold]
fn start_helper(process: &'static Process) {
    // The program's signals are for its own threads, and a handler must not jump out of this.
    let mask = sys::block_signals();
    if process
        .helper
        .compare_exchange(WANTED, STARTING, Ordering::AcqRel, Ordering::Acquire)
        .is_ok()
    {
        let state = if spawn() { RUNNING } else { REFUSED };
        process.helper.store(state, Ordering::Release);
    }
    sys::restore_signals(mask);
}

/// Whether somebody sees to the deadline. Without that nothing is deferred; the next wait for events ends with a start, for
/// which this may be the wrong place, as in a signal handler.
#[inline]
pub(crate) fn is_there(process: &Process) -> bool {
    let state = process.helper.load(Ordering::Acquire);
    if state == 0 {
        let _ = process
            .helper
            .compare_exchange(0, WANTED, Ordering::AcqRel, Ordering::Acquire);
    }
    state == RUNNING
}

/// Wakes the helper, if it sleeps.
#[inline]
pub(crate) fn wake(process: &Process) {
    if process.helper_sleeps.load(Ordering::SeqCst) != 0 {
        process.helper_sleeps.store(0, Ordering::SeqCst);
        sys::futex_wake(&process.helper_sleeps);
    }
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
    loop {
        sys::sleep_ns(TICK_NS);
        let mut work = false;
        for (segment, seen) in process.segments().zip(&mut seen) {
            let state = segment.state();
            let now = (state.count() != 0).then(|| state.generation());
            if now.is_some() && *seen == now {
                engine::flush(process, segment, Reason::Deadline);
                *seen = None;
            } else {
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
