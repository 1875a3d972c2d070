//! What calls tell about descriptors.

use libc::{c_int, msghdr};

use crate::process;
use crate::queue::fds::{
    ACCEPTS_OTHER, ACCEPTS_TCP, ACCEPTS_UNIX, CONNECTED, Fd, LATCHED, LEVEL, NEVER_WAITS, NONBLOCK,
    REMAINDER, SYNCHRONOUS, TCP, UNCORKED, UNIX,
};
use crate::queue::{offer, remainder, take};
use crate::sys;

/// The number means a new file, of which nothing is known.
#[inline]
pub(crate) fn made(fd: c_int) {
    if let Some(process) = process::get()
        && process.fd(fd).is_some_and(|entry| entry.word() != 0)
    {
        process.made(fd, 0);
    }
}

/// A stream socket that may be deferred on when it is connected.
fn kind_of(domain: c_int, kind: c_int, protocol: c_int) -> u32 {
    if kind & 0xf != libc::SOCK_STREAM {
        return 0;
    }
    match (domain, protocol) {
        (libc::AF_INET | libc::AF_INET6, 0 | libc::IPPROTO_TCP) => TCP,
        (libc::AF_UNIX, 0) => UNIX,
        _ => 0,
    }
}

const fn mode(flags: c_int) -> u32 {
    if flags & libc::SOCK_NONBLOCK != 0 {
        NONBLOCK
    } else {
        0
    }
}

/// `socket` has made it.
pub(crate) fn made_socket(fd: c_int, domain: c_int, kind: c_int, protocol: c_int) {
    if let Some(process) = process::get() {
        let bits = kind_of(domain, kind, protocol);
        process.made(fd, if bits == 0 { 0 } else { bits | mode(kind) });
    }
}

/// `socketpair`, `pipe` or the like has made both.
///
/// # Safety
///
/// - There are two numbers at `pair`.
pub(crate) unsafe fn made_pair(pair: *const c_int) {
    for index in 0..2 {
        // SAFETY: the caller's promise.
        let place = unsafe { pair.add(index) };
        // SAFETY: as above.
        made(unsafe { place.read() });
    }
}

/// A connection was accepted.
pub(crate) fn accepted(listener: c_int, fd: c_int, flags: c_int) {
    let Some(process) = process::get() else {
        return;
    };
    let kind = match process.fd(listener) {
        Some(entry) => accepts(listener, entry),
        None => ACCEPTS_OTHER,
    };
    let bits = match kind {
        ACCEPTS_TCP => TCP | CONNECTED | mode(flags),
        ACCEPTS_UNIX => UNIX | CONNECTED | mode(flags),
        _ => 0,
    };
    process.made(fd, bits);
}

/// What a listener accepts; asked for once.
fn accepts(listener: c_int, entry: &Fd) -> u32 {
    const SO_PROTOCOL: c_int = 38;
    const SO_DOMAIN: c_int = 39;
    const ALL: u32 = ACCEPTS_TCP | ACCEPTS_UNIX | ACCEPTS_OTHER;
    let known = entry.word() & ALL;
    if known != 0 {
        return known;
    }
    let option = |name| sys::socket_option(listener, libc::SOL_SOCKET, name).unwrap_or(-1);
    let kind = match kind_of(option(SO_DOMAIN), option(libc::SO_TYPE), option(SO_PROTOCOL)) {
        TCP => ACCEPTS_TCP,
        UNIX => ACCEPTS_UNIX,
        _ => ACCEPTS_OTHER,
    };
    entry.set(kind);
    kind
}

/// Bytes were moved at once, so the socket is connected.
#[inline]
pub(crate) fn moved(fd: c_int) {
    if let Some(process) = process::get()
        && let Some(entry) = process.fd(fd)
    {
        let word = entry.word();
        if word & (TCP | UNIX) != 0 && word & CONNECTED == 0 {
            entry.set(CONNECTED);
        }
    }
}

/// `epoll_ctl` was done, with these events.
pub(crate) fn watched(epoll: c_int, operation: c_int, fd: c_int, events: u32) {
    let Some(entry) = process::get().and_then(|process| process.fd(fd)) else {
        return;
    };
    if operation == libc::EPOLL_CTL_ADD {
        entry.added_to(epoll);
    }
    let once = (libc::EPOLLET | libc::EPOLLONESHOT | libc::EPOLLEXCLUSIVE).cast_unsigned();
    let input = libc::EPOLLIN.cast_unsigned();
    let level = operation != libc::EPOLL_CTL_DEL && events & (once | input) == input;
    let word = entry.word();
    if word & TCP != 0 && level != (word & LEVEL != 0) {
        if level {
            entry.set(LEVEL);
        } else {
            entry.clear(LEVEL);
        }
    }
}

/// Something is not known any more.
pub(crate) fn forget(fd: c_int, bits: u32) {
    if let Some(process) = process::get()
        && let Some(entry) = process.fd(fd)
        && entry.word() & bits != 0
    {
        entry.clear(bits);
    }
}

/// Somebody else may have it, too.
pub(crate) fn shared(fd: c_int) {
    // First, so that a handler that comes now queues nothing.
    forget(fd, TCP | UNIX);
    offer::touch(fd);
}

/// `O_NONBLOCK` was set or cleared.
pub(crate) fn mode_set(fd: c_int, nonblock: bool) {
    if let Some(process) = process::get()
        && let Some(entry) = process.fd(fd)
    {
        let word = entry.word();
        if word & NEVER_WAITS != 0 {
            entry.clear(NEVER_WAITS);
        }
        if word & (TCP | UNIX) != 0 {
            if nonblock {
                entry.set(NONBLOCK);
            } else {
                entry.clear(NONBLOCK);
            }
        }
    }
}

/// A socket option is about to be set, by a call of its own.
pub(crate) fn option_set(fd: c_int, level: c_int, name: c_int) {
    const TCP_REPAIR: c_int = 19;
    const TCP_NOTSENT_LOWAT: c_int = 25;
    const TCP_ULP: c_int = 31;
    const SO_TIMESTAMPING: c_int = 37;
    const SO_ZEROCOPY: c_int = 60;
    const SO_TXTIME: c_int = 61;
    if (level, name) == (libc::SOL_SOCKET, libc::SO_RCVLOWAT) {
        // A listener hands it on, too.
        take::give_up();
    }
    let Some(entry) = process::get().and_then(|process| process.fd(fd)) else {
        return;
    };
    if entry.word() & (TCP | UNIX) == 0 {
        return;
    }
    match (level, name) {
        (libc::SOL_SOCKET, libc::SO_SNDBUF | libc::SO_SNDBUFFORCE) => entry.set_room(0),
        (libc::IPPROTO_TCP, libc::TCP_CORK) => entry.clear(UNCORKED),
        // With these a send is more than its bytes, or the room is not what it seems.
        (libc::SOL_SOCKET, SO_TIMESTAMPING | SO_ZEROCOPY | SO_TXTIME)
        | (libc::IPPROTO_TCP, TCP_REPAIR | TCP_NOTSENT_LOWAT | TCP_ULP) => entry.set(SYNCHRONOUS),
        (libc::SOL_SOCKET | libc::IPPROTO_TCP | libc::IPPROTO_IP | libc::IPPROTO_IPV6, _) => {}
        _ => entry.set(SYNCHRONOUS),
    }
}

/// The error that came late, if there is one.
pub(crate) fn latched(fd: c_int) -> Option<c_int> {
    let entry = process::get()?.fd(fd)?;
    if entry.word() & LATCHED == 0 {
        return None;
    }
    entry.take_latch()
}

/// The number is about to mean another file, by `dup2`.
pub(crate) fn replaced(fd: c_int) {
    shared(fd);
    if let Some(process) = process::get()
        && let Some(entry) = process.fd(fd)
        && entry.word() != 0
    {
        if entry.word() & REMAINDER != 0 {
            remainder::detach(process, fd);
        }
        entry.reset(0);
    }
}

/// Numbers in a range are about to be closed.
pub(crate) fn closing(first: u32, last: u32) {
    if let Some(process) = process::get() {
        for fd in process.known_in(first, last) {
            replaced(fd);
        }
    }
}

/// Descriptors are passed on in a control message: somebody else will have them, too.
///
/// # Safety
///
/// - `message` is what the program gave `sendmsg`.
pub(crate) unsafe fn passed_on(message: *const msghdr) {
    // SAFETY: the caller's promise.
    unsafe { each_passed(message, shared) };
}

/// Descriptors came in a control message.
///
/// # Safety
///
/// - `message` is what `recvmsg` filled.
pub(crate) unsafe fn received(message: *const msghdr) {
    if process::get().is_none() || !sys::is_plausible(message.cast()) {
        return;
    }
    // SAFETY: the caller's promise.
    unsafe { each_passed(message, made) };
}

/// Every descriptor in the control messages.
///
/// # Safety
///
/// - `message` points to a message whose control part is there to be read.
unsafe fn each_passed(message: *const msghdr, mut body: impl FnMut(c_int)) {
    // SAFETY: the caller's promise.
    let mut control = unsafe { libc::CMSG_FIRSTHDR(message) };
    while !control.is_null() {
        // SAFETY: the macros stay within the control part; the header is aligned as the kernel needs it.
        let header = unsafe { control.read_unaligned() };
        if header.cmsg_level == libc::SOL_SOCKET && header.cmsg_type == libc::SCM_RIGHTS {
            // SAFETY: as above.
            let data: *const c_int = unsafe { libc::CMSG_DATA(control) }.cast();
            // SAFETY: takes nothing but a number.
            let head = unsafe { libc::CMSG_LEN(0) } as usize;
            let count = header.cmsg_len.saturating_sub(head) / size_of::<c_int>();
            for index in 0..count.min(253) {
                // SAFETY: within the data of this header, by its length.
                let place = unsafe { data.add(index) };
                // SAFETY: as above.
                body(unsafe { place.read_unaligned() });
            }
        }
        // SAFETY: as above.
        control = unsafe { libc::CMSG_NXTHDR(message, control) };
    }
}
