//! Calls that take what has arrived.
//!
//! - They may be made before what this thread has queued: sends alone, on a socket that does not wait. Bytes that answer them
//!   cannot have arrived, and what else has is not changed by them. A program that finds nothing and looks again at once waits
//!   for an answer in its own way, so the second look comes behind the sends.
//! - A program that reads until there is nothing is told so without a call where that is what the kernel would have said right
//!   after the read before, which got less than it had room for. Nothing that the program did since may have changed that: it
//!   has one thread, has nothing queued, and has done nothing but send on this very socket. And what has come meanwhile must
//!   not be missed: one epoll instance watches the TCP socket level-triggered, and it is the one that this thread waits on, so the next
//!   wait reports it. It is told once; who looks again at once gets the kernel's answer.

use core::sync::atomic::{AtomicBool, AtomicPtr, AtomicU8, Ordering};

use libc::{c_int, ssize_t};

use crate::process::Process;
use crate::queue::fds::{
    ATTENTION, CONNECTED, Fd, LEVEL, NEVER_WAITS, NONBLOCK, QUEUED, READ_PAST, SEVERAL, SYNCHRONOUS, TCP,
    UNIX,
};
use crate::queue::{offer, thread};
use crate::settings;
use crate::stats::{self, STATS};

/// Flags that change nothing about what is taken.
const PLAIN_FLAGS: c_int = libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL;

/// The byte by which the C library says that there is one thread.
static SINGLE: AtomicPtr<u8> = AtomicPtr::new(core::ptr::null_mut());
static GIVEN_UP: AtomicBool = AtomicBool::new(false);

/// What the program is to be told.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Take {
    /// Make the call.
    Pass,
    /// Make the call before what is queued, and say what it has found ([`found_nothing`]).
    Overtake,
    /// There is nothing.
    Nothing,
    /// The call fails with this error.
    Fail(c_int),
}

/// Before a call that takes what has arrived, `room` bytes at most where that is not 0, with the flags of `recv`.
#[inline]
pub(crate) fn begin(fd: c_int, flags: c_int, room: usize) -> Take {
    let again = thread::take_drained(fd);
    let Some((process, entry)) = offer::known(fd) else {
        offer::before_unknown();
        return Take::Pass;
    };
    let word = entry.word();
    if again && room != 0 && flags & !PLAIN_FLAGS == 0 && finds_nothing(word) {
        stats::count(&STATS.unread, 1);
        return Take::Nothing;
    }
    if word & ATTENTION == 0 && word & (NONBLOCK | NEVER_WAITS) != 0 {
        return Take::Pass;
    }
    begin_slowly(process, fd, entry, flags)
}

/// Whether a call behind one that got all there was would have found nothing, right after it.
fn finds_nothing(word: u32) -> bool {
    may_be_drained(word) && !thread::has_queue() && has_one_thread() && !GIVEN_UP.load(Ordering::Relaxed)
}

fn begin_slowly(process: &Process, fd: c_int, entry: &Fd, flags: c_int) -> Take {
    // What has become of sends can be asked for, too.
    if flags & (libc::MSG_ERRQUEUE | libc::MSG_OOB) == 0 && may_overtake(process, entry) {
        return Take::Overtake;
    }
    offer::settle(process, fd, entry).map_or(Take::Pass, Take::Fail)
}

fn may_overtake(process: &Process, entry: &Fd) -> bool {
    let word = entry.word();
    word & (QUEUED | NONBLOCK | READ_PAST | SYNCHRONOUS) == QUEUED | NONBLOCK
        && process.closes.load(Ordering::Acquire) == 0
        && offer::queues_here(process, entry)
}

/// Whether a socket is one of which it is noted that all there was was read.
#[inline]
const fn may_be_drained(word: u32) -> bool {
    const WANTED: u32 = TCP | LEVEL | NONBLOCK | CONNECTED;
    word & (WANTED | ATTENTION | SYNCHRONOUS) == WANTED
}

/// Behind a call for `room` bytes that has got some.
#[inline]
pub(crate) fn end(fd: c_int, got: ssize_t, room: usize, flags: c_int) {
    let Some((_, entry)) = offer::known(fd) else {
        return;
    };
    let word = entry.word();
    if word & CONNECTED == 0 && word & (TCP | UNIX) != 0 {
        entry.set(CONNECTED);
    }
    if may_be_drained(word)
        && got.cast_unsigned() < room
        && flags & !PLAIN_FLAGS == 0
        && settings::optimises()
        && !matches!(entry.epoll(), 0 | SEVERAL)
    {
        thread::set_drained(fd, entry.epoll());
    }
}

/// What is there may not be reported: no call is left out any more.
pub(crate) fn give_up() {
    GIVEN_UP.store(true, Ordering::Relaxed);
}

/// Finds out how to tell whether the process has one thread.
pub(crate) fn set_up() {
    // SAFETY: looks a C string up.
    let place = unsafe { libc::dlsym(libc::RTLD_DEFAULT, c"__libc_single_threaded".as_ptr()) };
    SINGLE.store(place.cast(), Ordering::Relaxed);
}

/// Whether the process has had one thread only, as far as the C library knows.
fn has_one_thread() -> bool {
    let place = SINGLE.load(Ordering::Relaxed);
    if place.is_null() {
        return false;
    }
    // SAFETY: not null, so the C library's byte of that name (glibc 2.32 and later), which is never unloaded. It writes it where
    // a second thread is made, before that begins.
    let single = unsafe { AtomicU8::from_ptr(place) };
    single.load(Ordering::Relaxed) != 0
}

/// A call that overtook sends has found nothing.
#[inline]
pub(crate) fn found_nothing(fd: c_int) {
    if let Some((_, entry)) = offer::known(fd) {
        entry.set(READ_PAST);
    }
}
