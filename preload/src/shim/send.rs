//! Calls that send.

use core::ffi::c_void;

use libc::{c_int, c_uint, iovec, mmsghdr, msghdr, off64_t, size_t, sockaddr, socklen_t, ssize_t};

use super::{fail, interpose};
use crate::queue::offer::{self, Offer};
use crate::queue::{known, thread};
use crate::sys;

/// Answers the program, or makes the call and notes what it says about the socket.
#[inline]
fn answer(fd: c_int, offer: Offer, real: impl FnOnce() -> ssize_t) -> ssize_t {
    thread::keep_drained(fd);
    match offer {
        Offer::Taken(len) => ssize_t::try_from(len).unwrap_or(ssize_t::MAX),
        Offer::Fail(errno) => fail(errno),
        Offer::Pass => {
            let sent = real();
            if sent > 0 {
                known::moved(fd);
            }
            sent
        }
    }
}

/// One part.
fn part(start: *const c_void, len: size_t) -> iovec {
    iovec {
        iov_base: start.cast_mut(),
        iov_len: len,
    }
}

/// The parts of a vectored call, if there are few enough to look at.
///
/// # Safety
///
/// - Where `parts` is a plausible address, `count` vectors are there to be read.
unsafe fn vectors<'a>(parts: *const iovec, count: usize) -> &'a [iovec] {
    const MOST: usize = 1024;
    if count > MOST || !sys::is_plausible(parts.cast()) || !parts.is_aligned() {
        return &[];
    }
    // SAFETY: aligned and not null, and the caller's promise.
    unsafe { core::slice::from_raw_parts(parts, count) }
}

/// Whether a message is one of plain bytes.
///
/// # Safety
///
/// - `message` is what the program gave `sendmsg`, and plausible.
unsafe fn is_plain(message: *const msghdr) -> bool {
    // SAFETY: the program vouches for its message.
    let message = unsafe { &*message };
    message.msg_control.is_null() && message.msg_controllen == 0 && message.msg_name.is_null()
}

interpose! {
    these see to what was drained;

    fn write | __write(fd: c_int, buffer: *const c_void, count: size_t) -> ssize_t = |real| {
        answer(fd, offer::send(fd, &[part(buffer, count)], 0), real)
    }

    fn writev(fd: c_int, parts: *const iovec, count: c_int) -> ssize_t = |real| {
        // SAFETY: the program vouches for its vectors.
        let vectors = unsafe { vectors(parts, usize::try_from(count).unwrap_or(usize::MAX)) };
        answer(fd, offer::send(fd, vectors, 0), real)
    }

    fn send | __send(fd: c_int, buffer: *const c_void, count: size_t, flags: c_int) -> ssize_t = |real| {
        answer(fd, offer::send(fd, &[part(buffer, count)], flags), real)
    }

    fn sendto(
        fd: c_int,
        buffer: *const c_void,
        count: size_t,
        flags: c_int,
        to: *const sockaddr,
        len: socklen_t,
    ) -> ssize_t = |real| {
        let _ = len;
        let parts = [part(buffer, count)];
        let parts: &[iovec] = if to.is_null() { &parts } else { &[] };
        answer(fd, offer::send(fd, parts, flags), real)
    }

    fn sendmsg(fd: c_int, message: *const msghdr, flags: c_int) -> ssize_t = |real| {
        let mut parts: &[iovec] = &[];
        if sys::is_plausible(message.cast()) {
            // SAFETY: the program vouches for its message.
            if unsafe { is_plain(message) } {
                // SAFETY: as above.
                let message = unsafe { &*message };
                // SAFETY: as above, for its vectors.
                parts = unsafe { vectors(message.msg_iov, message.msg_iovlen) };
            } else {
                // SAFETY: as above.
                unsafe { known::passed_on(message) };
            }
        }
        answer(fd, offer::send(fd, parts, flags), real)
    }

    fn sendmmsg(fd: c_int, messages: *mut mmsghdr, count: c_uint, flags: c_int) -> c_int = |real| {
        let _ = (messages, count, flags);
        thread::forget_drained();
        offer::unknown();
        match offer::send(fd, &[], flags) {
            Offer::Fail(errno) => fail(errno),
            Offer::Taken(_) | Offer::Pass => real(),
        }
    }

    fn sendfile | sendfile64(fd: c_int, file: c_int, offset: *mut off64_t, count: size_t) -> ssize_t = |real| {
        // SAFETY: the program vouches for the offset.
        let offer = unsafe { offer::sendfile(fd, file, offset, count) };
        answer(fd, offer, real)
    }

    fn splice(
        from: c_int,
        from_offset: *mut off64_t,
        to: c_int,
        to_offset: *mut off64_t,
        count: size_t,
        flags: c_uint,
    ) -> ssize_t = |real| {
        let _ = (from_offset, to_offset, count, flags);
        thread::forget_drained();
        if let Some(errno) = offer::before(from) {
            return fail(errno);
        }
        answer(to, offer::send(to, &[], 0), real)
    }

    fn tee(from: c_int, to: c_int, count: size_t, flags: c_uint) -> ssize_t = |real| {
        let _ = (count, flags);
        thread::forget_drained();
        offer::before(from);
        offer::before(to);
        real()
    }

    fn vmsplice(fd: c_int, parts: *const iovec, count: size_t, flags: c_uint) -> ssize_t = |real| {
        let _ = (parts, count, flags);
        thread::forget_drained();
        offer::before(fd);
        real()
    }
}
