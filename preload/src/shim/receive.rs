//! Calls that receive: an error that came late is theirs, and what the peer may be waiting for is sent first.

use core::ffi::c_void;

use libc::{c_int, c_uint, iovec, mmsghdr, msghdr, size_t, sockaddr, socklen_t, ssize_t, timespec};

use super::{fail, interpose};
use crate::queue::take::{self, Take};
use crate::queue::{known, offer, thread};
use crate::sys;

/// Makes the call behind what is queued.
#[inline]
fn receive(fd: c_int, real: impl FnOnce() -> ssize_t) -> ssize_t {
    thread::forget_drained();
    if let Some(errno) = offer::before(fd) {
        return fail(errno);
    }
    let got = real();
    if got > 0 {
        known::moved(fd);
    }
    got
}

/// Takes what has arrived, `room` bytes at most.
#[inline]
fn take(fd: c_int, flags: c_int, room: usize, real: impl FnOnce() -> ssize_t) -> ssize_t {
    let begun = take::begin(fd, flags, room);
    match begun {
        Take::Pass | Take::Overtake => {}
        Take::Nothing => return fail(libc::EAGAIN),
        Take::Fail(errno) => return fail(errno),
    }
    let got = real();
    if got > 0 {
        take::end(fd, got, room, flags);
    } else if begun == Take::Overtake && got < 0 && sys::errno() == libc::EAGAIN {
        take::found_nothing(fd);
    }
    got
}

interpose! {
    these see to what was drained;

    fn read | __read(fd: c_int, buffer: *mut c_void, count: size_t) -> ssize_t = |real| {
        let _ = buffer;
        take(fd, 0, count, real)
    }

    fn __read_chk(fd: c_int, buffer: *mut c_void, count: size_t, room: size_t) -> ssize_t = |real| {
        let _ = (buffer, room);
        take(fd, 0, count, real)
    }

    fn readv(fd: c_int, parts: *const iovec, count: c_int) -> ssize_t = |real| {
        let _ = (parts, count);
        // How much room there is is not added up.
        take(fd, 0, 0, real)
    }

    fn recv(fd: c_int, buffer: *mut c_void, count: size_t, flags: c_int) -> ssize_t = |real| {
        let _ = buffer;
        take(fd, flags, count, real)
    }

    fn __recv_chk(fd: c_int, buffer: *mut c_void, count: size_t, room: size_t, flags: c_int) -> ssize_t = |real| {
        let _ = (buffer, room);
        take(fd, flags, count, real)
    }

    fn recvfrom(
        fd: c_int,
        buffer: *mut c_void,
        count: size_t,
        flags: c_int,
        from: *mut sockaddr,
        len: *mut socklen_t,
    ) -> ssize_t = |real| {
        let _ = (buffer, from, len);
        take(fd, flags, count, real)
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
        let _ = (buffer, room, from, len);
        take(fd, flags, count, real)
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
        thread::forget_drained();
        match offer::before(fd) {
            Some(errno) => fail(errno),
            None => real(),
        }
    }
}
