//! Numbers of the system calls that the format knows something about.
//!
//! A table may carry any number; these are the ones whose full length an executor has to know to tell a short result
//! from a complete one, and those that [`esca-sys`] has constructors for.
//!
//! Sources: `arch/x86/entry/syscalls/syscall_64.tbl` and `include/uapi/asm-generic/unistd.h` of Linux.
//!
//! [`esca-sys`]: https://docs.rs/esca-sys

macro_rules! table {
    ($($(#[$doc:meta])* $name:ident = $x86_64:literal, $generic:literal;)+) => {
        /// The table of x86-64.
        pub mod x86_64 {
            $($(#[$doc])* pub const $name: u32 = $x86_64;)+
        }
        /// The table that AArch64, RISC-V and LoongArch share.
        pub mod generic {
            $($(#[$doc])* pub const $name: u32 = $generic;)+
        }
    };
}

table! {
    /// `read(fd, buf, count)`.
    READ = 0, 63;
    /// `write(fd, buf, count)`.
    WRITE = 1, 64;
    /// `close(fd)`.
    CLOSE = 3, 57;
    /// `writev(fd, iov, iovcnt)`.
    WRITEV = 20, 66;
    /// `sendfile(out_fd, in_fd, offset, count)`.
    SENDFILE = 40, 71;
    /// `sendto(fd, buf, len, flags, addr, addrlen)`.
    SENDTO = 44, 206;
    /// `recvfrom(fd, buf, len, flags, addr, addrlen)`.
    RECVFROM = 45, 207;
    /// `sendmsg(fd, msg, flags)`.
    SENDMSG = 46, 211;
    /// `recvmsg(fd, msg, flags)`.
    RECVMSG = 47, 212;
    /// `shutdown(fd, how)`.
    SHUTDOWN = 48, 210;
    /// `setsockopt(fd, level, name, value, len)`.
    SETSOCKOPT = 54, 208;
    /// `getsockopt(fd, level, name, value, len)`.
    GETSOCKOPT = 55, 209;
    /// `fsync(fd)`.
    FSYNC = 74, 82;
    /// `getppid()`.
    GETPPID = 110, 173;
    /// `epoll_ctl(epfd, op, fd, event)`.
    EPOLL_CTL = 233, 21;
    /// `splice(fd_in, off_in, fd_out, off_out, len, flags)`.
    SPLICE = 275, 76;
    /// `epoll_pwait(epfd, events, maxevents, timeout, sigmask, sigsetsize)`.
    EPOLL_PWAIT = 281, 22;
    /// `accept4(fd, addr, addrlen, flags)`.
    ACCEPT4 = 288, 242;
}

#[cfg(not(target_arch = "x86_64"))]
pub use generic as native;
/// The table of the machine that this is compiled for.
#[cfg(target_arch = "x86_64")]
pub use x86_64 as native;

/// Set in the flags of a receiving call that waits for all of its length (`linux/socket.h`).
const MSG_WAITALL: u64 = 0x100;

/// How many bytes a call moves when nothing stops it, or `None` for a call that is never short.
///
/// A receiving call on a socket counts only with `MSG_WAITALL`: without it, less than the buffer is the normal case.
/// `writev` and `sendmsg` do not say their length in registers: a producer that links them stores it in `args[3]`, which
/// the kernel does not read for them. Zero there means not known, so never short.
pub(crate) const fn full_length(nr: u32, args: &[u64; 6]) -> Option<u64> {
    match nr {
        native::READ | native::WRITE | native::SENDTO => Some(args[2]),
        native::RECVFROM if args[3] & MSG_WAITALL != 0 => Some(args[2]),
        native::SENDFILE => Some(args[3]),
        native::SPLICE => Some(args[4]),
        native::WRITEV | native::SENDMSG if args[3] != 0 => Some(args[3]),
        _ => None,
    }
}
