//! Calls that receive: an error that came late is theirs, and what the peer may be waiting for is sent first.

use core::ffi::c_void;

use libc::{c_int, c_uint, iovec, mmsghdr, msghdr, size_t, sockaddr, socklen_t, ssize_t, timespec};

use super::{fail, interpose};
use crate::queue::{known, offer};
use crate::sys;

/// Makes the call behind what is queued.
#[inline]
fn receive(fd: c_int, real: impl FnOnce() -> ssize_t) -> ssize_t {
    if let Some(errno) = offer::before(fd) {
        return fail(errno);
    }
    let got = real();
    if got > 0 {
        known::moved(fd);
    }
    got
}

/// Takes what has arrived: before sends that are queued, where that makes no difference.
#[inline]
fn take(fd: c_int, flags: c_int, real: impl FnOnce() -> ssize_t) -> ssize_t {
    // What has become of sends can be asked for, too.
    if flags & (libc::MSG_ERRQUEUE | libc::MSG_OOB) != 0 || !offer::may_overtake(fd) {
        return receive(fd, real);
    }
    let got = real();
    if got < 0 && sys::errno() == libc::EAGAIN {
        offer::found_nothing(fd);
    }
    got
}

interpose! {
    fn read | __read(fd: c_int, buffer: *mut c_void, count: size_t) -> ssize_t = |real| {
        let _ = (buffer, count);
        take(fd, 0, real)
    }

    fn __read_chk(fd: c_int, buffer: *mut c_void, count: size_t, room: size_t) -> ssize_t = |real| {
        let _ = (buffer, count, room);
        take(fd, 0, real)
    }

    fn readv(fd: c_int, parts: *const iovec, count: c_int) -> ssize_t = |real| {
        let _ = (parts, count);
        take(fd, 0, real)
    }

    fn recv(fd: c_int, buffer: *mut c_void, count: size_t, flags: c_int) -> ssize_t = |real| {
        let _ = (buffer, count);
        take(fd, flags, real)
    }

    fn __recv_chk(fd: c_int, buffer: *mut c_void, count: size_t, room: size_t, flags: c_int) -> ssize_t = |real| {
        let _ = (buffer, count, room);
        take(fd, flags, real)
    }

    fn recvfrom(
        fd: c_int,
        buffer: *mut c_void,
        count: size_t,
        flags: c_int,
        from: *mut sockaddr,
        len: *mut socklen_t,
    ) -> ssize_t = |real| {
        let _ = (buffer, count, from, len);
        take(fd, flags, real)
    }

    fn __recvfrom_chk(
        fd: c_int,
        buffer: *mut c_void,
        count: size_t,
        room: size_t,
        flags: c_int,
        from: *mut sockaddr,
        len: *mut socklen_t,
    ) -> ssize_t = |real| {
        let _ = (buffer, count, room, from, len);
        take(fd, flags, real)
    }

    fn recvmsg(fd: c_int, message: *mut msghdr, flags: c_int) -> ssize_t = |real| {
        let _ = flags;
        let got = receive(fd, real);
        if got >= 0 {
            // SAFETY: the kernel has just filled it for the program, which vouches for it.
            unsafe { known::received(message) };
        }
        got
    }

    fn recvmmsg(
        fd: c_int,
        messages: *mut mmsghdr,
        count: c_uint,
        flags: c_int,
        timeout: *mut timespec,
    ) -> c_int = |real| {
        let _ = (messages, count, flags, timeout);
        match offer::before(fd) {
            Some(errno) => fail(errno),
            None => real(),
        }
    }
}
