//! Sockets and pipes that behave as a case needs them.

use std::fs::File;
use std::io;
use std::net::{TcpListener, TcpStream};
use std::os::fd::{AsRawFd, FromRawFd};

/// Both ends of a TCP connection on loopback.
pub(crate) fn tcp() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("loopback is up");
    let client = TcpStream::connect(listener.local_addr().expect("bound")).expect("connect");
    let (server, _) = listener.accept().expect("accept");
    (client, server)
}

/// An empty file that nobody else sees.
pub(crate) fn memory_file() -> File {
    // SAFETY: the name ends with zero.
    let fd = unsafe { libc::memfd_create(c"case".as_ptr(), libc::MFD_CLOEXEC) };
    assert!(fd >= 0, "{}", io::Error::last_os_error());
    // SAFETY: a new descriptor that nobody else owns.
    unsafe { File::from_raw_fd(fd) }
}

/// A counter that adds up what is written to it, eight bytes at a time.
pub(crate) fn event_counter() -> File {
    // SAFETY: no memory is involved.
    let fd = unsafe { libc::eventfd(0, libc::EFD_CLOEXEC | libc::EFD_NONBLOCK) };
    assert!(fd >= 0, "{}", io::Error::last_os_error());
    // SAFETY: a new descriptor that nobody else owns.
    unsafe { File::from_raw_fd(fd) }
}

/// An epoll instance.
pub(crate) fn epoll() -> File {
    // SAFETY: no memory is involved.
    let fd = unsafe { libc::epoll_create1(libc::EPOLL_CLOEXEC) };
    assert!(fd >= 0, "{}", io::Error::last_os_error());
    // SAFETY: a new descriptor that nobody else owns.
    unsafe { File::from_raw_fd(fd) }
}

/// Adds `file` to `epoll`, for reading.
pub(crate) fn watch(epoll: &File, file: &File) {
    let mut event = libc::epoll_event {
        events: u32::try_from(libc::EPOLLIN).expect("a bit"),
        u64: 0,
    };
    let (epoll, file) = (epoll.as_raw_fd(), file.as_raw_fd());
    // SAFETY: the event is read before the call returns.
    let result = unsafe { libc::epoll_ctl(epoll, libc::EPOLL_CTL_ADD, file, &raw mut event) };
    assert_eq!(result, 0, "{}", io::Error::last_os_error());
}
