//! `/dev/esca`: how a process hands a table to the kernel module.
//!
//! 1. Open [`PATH`] with `O_RDWR | O_CLOEXEC`.
//! 2. `ioctl(fd, SETUP, capacity)`, once: the module makes the table and writes its header.
//! 3. `mmap` [`table_size`](crate::table_size)`(capacity)` bytes, rounded up to pages, shared, at offset 0.
//! 4. Fill entries; `ioctl(fd, FLUSH, flush_argument(first, count))` runs them and returns how many are finished, which is
//!    fewer than `count` when a signal is pending.
//!
//! A flush fails as a whole, touching no entry, with `EOPNOTSUPP` for a task that is watched (seccomp, ptrace, audit, user
//! dispatch), `EPERM` from another address space than the one that opened the device, `EBUSY` while another thread
//! flushes the same table, `EINVAL` for a bad range.

use crate::nr::native as nr;

/// Path of the device.
pub const PATH: &str = "/dev/esca";
/// Makes the table; the argument is its capacity: `_IO('E', 0)`.
pub const SETUP: u32 = (b'E' as u32) << 8;
/// Runs entries; the argument is a [`flush_argument`]: `_IO('E', 1)`.
pub const FLUSH: u32 = (b'E' as u32) << 8 | 1;

/// The calls that the module runs. Any other is refused with `EPERM`, so user space makes those itself.
pub const ALLOWED: [u32; 15] = [
    nr::READ,
    nr::WRITE,
    nr::CLOSE,
    nr::WRITEV,
    nr::SENDFILE,
    nr::SENDTO,
    nr::RECVFROM,
    nr::SENDMSG,
    nr::SHUTDOWN,
    nr::SETSOCKOPT,
    nr::FSYNC,
    nr::GETPPID,
    nr::EPOLL_CTL,
    nr::ACCEPT4,
    nr::EPOLL_PWAIT,
];

/// The argument of [`FLUSH`]: the entry of position `first` and the `count - 1` behind it, of a table of `capacity` entries
/// (a power of two). Both numbers are at most 4096, so 16 bits hold each.
#[inline]
#[must_use]
pub const fn flush_argument(first: u32, count: u32, capacity: u32) -> u64 {
    let first = first & (capacity - 1);
    (first << 16 | (count & 0xffff)) as u64
}

/// What [`flush_argument`] put together: index of the first entry and number of entries, or `None` where they are not a range
/// of a table of `capacity` entries.
#[inline]
#[must_use]
pub const fn parse_flush_argument(argument: u64, capacity: u32) -> Option<(u32, u32)> {
    if argument > u32::MAX as u64 {
        return None;
    }
    #[expect(clippy::cast_possible_truncation, reason = "checked above")]
    let argument = argument as u32;
    let first = argument >> 16;
    let count = argument & 0xffff;
    if first < capacity && count <= capacity {
        Some((first, count))
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::{flush_argument, parse_flush_argument};

    #[test]
    fn arguments_survive_and_bad_ones_are_refused() {
        for capacity in [1, 2, 64, 4096] {
            for first in [0, 1, capacity - 1, capacity, u32::MAX] {
                for count in [0, 1, capacity] {
                    let argument = flush_argument(first, count, capacity);
                    assert_eq!(
                        parse_flush_argument(argument, capacity),
                        Some((first % capacity, count))
                    );
                }
            }
        }
        assert_eq!(parse_flush_argument(64 << 16 | 1, 64), None);
        assert_eq!(parse_flush_argument(65, 64), None);
        assert_eq!(parse_flush_argument(1 << 32, 64), None);
        assert_eq!(parse_flush_argument(u64::MAX, 4096), None);
    }
}
