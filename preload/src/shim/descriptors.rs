//! Calls that close, copy or change descriptors.

use libc::{c_char, c_int, c_uint, c_ulong};

use super::{fail, interpose};
use crate::queue::known;
use crate::queue::offer::{self, Offer};
use crate::sys;

/// What a call that makes a descriptor returned.
fn made(fd: c_int) -> c_int {
    if fd >= 0 {
        known::made(fd);
    }
    fd
}

/// Before `fcntl`.
fn before_control(fd: c_int, command: c_int) {
    match command {
        libc::F_DUPFD | libc::F_DUPFD_CLOEXEC => {
            offer::numbers();
            known::shared(fd);
        }
        libc::F_SETLKW | libc::F_OFD_SETLKW => offer::unknown(),
        // These see nothing that a queued call changes.
        libc::F_GETFL | libc::F_GETFD | libc::F_SETFD => {}
        _ => offer::touch(fd),
    }
}

/// After `fcntl`.
fn after_control(fd: c_int, command: c_int, argument: c_ulong, result: c_int) {
    if result < 0 {
        return;
    }
    match command {
        libc::F_DUPFD | libc::F_DUPFD_CLOEXEC => known::made(result),
        libc::F_SETFL => known::mode_set(fd, argument & libc::O_NONBLOCK as c_ulong != 0),
        _ => {}
    }
}

interpose! {
    fn close | __close(fd: c_int) -> c_int = |real| {
        match offer::close(fd) {
            Offer::Taken(_) => 0,
            Offer::Fail(errno) => fail(errno),
            Offer::Pass => real(),
        }
    }

    fn close_range(first: c_uint, last: c_uint, flags: c_int) -> c_int = |real| {
        const CLOSE_RANGE_CLOEXEC: c_int = 4;
        offer::everything();
        if flags & CLOSE_RANGE_CLOEXEC == 0 {
            known::closing(first, last);
        }
        real()
    }

    fn closefrom(first: c_int) -> () = |real| {
        offer::everything();
        known::closing(first.max(0).cast_unsigned(), c_uint::MAX);
        real();
    }

    fn dup(fd: c_int) -> c_int = |real| {
        offer::numbers();
        known::shared(fd);
        made(real())
    }

    fn dup2 | __dup2(from: c_int, to: c_int) -> c_int = |real| {
        offer::numbers();
        if from != to {
            known::shared(from);
            known::replaced(to);
        }
        real()
    }

    fn dup3(from: c_int, to: c_int, flags: c_int) -> c_int = |real| {
        let _ = flags;
        offer::numbers();
        if from != to {
            known::shared(from);
            known::replaced(to);
        }
        real()
    }

    // The third argument of a variadic function is passed like that of another one, on both architectures.
    fn fcntl | fcntl64 | __fcntl(fd: c_int, command: c_int, argument: c_ulong) -> c_int = |real| {
        before_control(fd, command);
        let result = real();
        after_control(fd, command, argument, result);
        result
    }

    fn ioctl(fd: c_int, request: c_ulong, argument: c_ulong) -> c_int = |real| {
        offer::touch(fd);
        let result = real();
        // The upper half of an `int` request is whatever the caller left there.
        if result == 0 && request & 0xffff_ffff == libc::FIONBIO {
            let value = core::ptr::with_exposed_provenance::<c_int>(usize::try_from(argument).unwrap_or(0));
            if sys::is_plausible(value.cast()) {
                // SAFETY: the kernel has just read an `int` there.
                known::mode_set(fd, unsafe { value.read_unaligned() } != 0);
            }
        }
        result
    }

    fn pipe(pair: *mut c_int) -> c_int = |real| {
        offer::numbers();
        let done = real();
        if done == 0 {
            // SAFETY: libc has just written two numbers there.
            unsafe { known::made_pair(pair) };
        }
        done
    }

    fn pipe2(pair: *mut c_int, flags: c_int) -> c_int = |real| {
        let _ = flags;
        offer::numbers();
        let done = real();
        if done == 0 {
            // SAFETY: libc has just written two numbers there.
            unsafe { known::made_pair(pair) };
        }
        done
    }

    fn epoll_create(size: c_int) -> c_int = |real| {
        let _ = size;
        offer::numbers();
        made(real())
    }

    fn epoll_create1(flags: c_int) -> c_int = |real| {
        let _ = flags;
        offer::numbers();
        made(real())
    }

    fn eventfd(value: c_uint, flags: c_int) -> c_int = |real| {
        let _ = (value, flags);
        offer::numbers();
        made(real())
    }

    fn timerfd_create(clock: c_int, flags: c_int) -> c_int = |real| {
        let _ = (clock, flags);
        offer::numbers();
        made(real())
    }

    fn signalfd(fd: c_int, mask: *const libc::sigset_t, flags: c_int) -> c_int = |real| {
        let _ = (mask, flags);
        offer::numbers();
        let made_now = real();
        if fd < 0 { made(made_now) } else { made_now }
    }

    fn inotify_init1(flags: c_int) -> c_int = |real| {
        let _ = flags;
        offer::numbers();
        made(real())
    }

    fn memfd_create(name: *const c_char, flags: c_uint) -> c_int = |real| {
        let _ = (name, flags);
        offer::numbers();
        made(real())
    }

    // A stream writes behind the shim's back.
    fn fdopen(fd: c_int, mode: *const c_char) -> *mut libc::FILE = |real| {
        let _ = mode;
        known::shared(fd);
        real()
    }
}
