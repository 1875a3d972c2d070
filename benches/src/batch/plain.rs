//! The rival: plain calls through libc, as a server makes them.

use std::os::fd::AsRawFd;

/// What a call moved; a failure is the end of the measurement.
fn moved(result: isize) -> u64 {
    u64::try_from(result).expect("a call on loopback works")
}

pub(super) fn send(socket: &impl AsRawFd, bytes: &[u8], flags: i32) -> u64 {
    // SAFETY: the bytes are live and as long as said.
    moved(unsafe {
        libc::send(
            socket.as_raw_fd(),
            bytes.as_ptr().cast(),
            bytes.len(),
            libc::MSG_NOSIGNAL | flags,
        )
    })
}

pub(super) fn write(file: &impl AsRawFd, bytes: &[u8]) -> u64 {
    // SAFETY: the bytes are live and as long as said.
    moved(unsafe { libc::write(file.as_raw_fd(), bytes.as_ptr().cast(), bytes.len()) })
}

pub(super) fn sendfile(socket: &impl AsRawFd, file: &impl AsRawFd, count: usize) -> u64 {
    let mut offset = 0;
    // SAFETY: the offset is live.
    moved(unsafe { libc::sendfile(socket.as_raw_fd(), file.as_raw_fd(), &mut offset, count) })
}

pub(super) fn cork(socket: &impl AsRawFd, on: bool) {
    let value = libc::c_int::from(on);
    // SAFETY: the value is live and as long as said.
    let result = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            libc::IPPROTO_TCP,
            libc::TCP_CORK,
            (&raw const value).cast(),
            size_of_val(&value) as libc::socklen_t,
        )
    };
    assert_eq!(result, 0, "cork on loopback works");
}

pub(super) fn getppid() -> u64 {
    // SAFETY: no arguments, no effect.
    moved(unsafe { libc::syscall(libc::SYS_getppid) } as isize)
}
