//! `/dev/esca`: how a process hands a table to the kernel module.
//!
//! 1. Open [`PATH`] with `O_RDWR | O_CLOEXEC`. `ioctl(fd, QUERY, &mut query)` fills in a [`Query`].
//! 2. `ioctl(fd, SETUP, capacity)`, once (`EEXIST` after that): the module makes the table and writes its header.
//! 3. `mmap` [`table_size`](crate::table_size)`(capacity)` bytes, rounded up to pages, shared, at offset 0.
//! 4. Fill entries; `ioctl(fd, FLUSH, flush_argument(first, count, capacity))` runs them and returns how many are finished.
//!
//! A flush may finish fewer than `count`; the rest is still ready, and the next flush goes on with it. It stops
//!
//! - between two entries when a signal is pending, and before a call that a signal interrupted and that a plain system
//!   call would restart; a flush that is not interrupted finishes at least one entry;
//! - behind an `epoll_pwait`, and, once a file was closed, before a call that may wait: the kernel finishes a close on the
//!   way back to user space only, and what is waited for may depend on it;
//! - when the task begins to be watched in the middle of it.
//!
//! It never stops inside a chain that is broken: the rest of such a chain is cancelled first.
//!
//! A flush fails as a whole, touching no entry, with `EOPNOTSUPP` for a task that is watched (seccomp, ptrace, audit, user
//! dispatch, tracing of system calls), `EPERM` from another address space than the one that opened the device, `EBUSY`
//! while another thread flushes the same table, `EINVAL` for a bad range and before [`SETUP`].

use crate::nr::native as nr;

/// Path of the device.
pub const PATH: &str = "/dev/esca";
/// Makes the table; the argument is its capacity: `_IO('E', 0)`.
pub const SETUP: u32 = (b'E' as u32) << 8;
/// Runs entries; the argument is a [`flush_argument`]: `_IO('E', 1)`.
pub const FLUSH: u32 = (b'E' as u32) << 8 | 1;
/// Fills in a [`Query`]: `_IOR('E', 2, struct batch_query)`.
pub const QUERY: u32 = reads(2, size_of::<Query>());
/// Fills in the [`Stats`] of this open file: `_IOR('E', 3, struct batch_stats)`.
pub const STATS: u32 = reads(3, size_of::<Stats>());

/// `_IOR('E', number, ...)` of `asm-generic/ioctl.h`. The size is part of the request, so a structure that grows gets a
/// request of its own.
const fn reads(number: u32, size: usize) -> u32 {
    assert!(size < 1 << 14);
    #[expect(clippy::cast_possible_truncation, reason = "checked above")]
    let size = size as u32;
    2 << 30 | size << 16 | (b'E' as u32) << 8 | number
}

/// What the module can do.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[repr(C)]
pub struct Query {
    /// Version of the layout of its tables: [`VERSION`](crate::VERSION).
    pub version: u32,
    /// Largest capacity that [`SETUP`] takes.
    pub max_capacity: u32,
    /// [`Features`](crate::Features) of its tables.
    pub features: u64,
    /// The calls that it runs on this kernel: bit `nr % 64` of word `nr / 64`.
    pub calls: [u64; 8],
}

impl Query {
    /// Whether the module runs the system call `nr`.
    #[inline]
    #[must_use]
    pub const fn runs(&self, nr: u32) -> bool {
        nr < 512 && self.calls[nr as usize / 64] >> (nr % 64) & 1 == 1
    }
}

/// What one open file was used for, since it was opened.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[repr(C)]
pub struct Stats {
    /// Flushes that were not refused.
    pub flushes: u64,
    /// Entries that they finished.
    pub finished: u64,
    /// Flushes that finished fewer entries than they were asked to.
    pub stopped: u64,
}

/// The calls that the module runs, where the kernel lets it find them. Any other is refused with `EPERM`, so user space makes those itself.
pub const ALLOWED: [u32; 17] = [
    nr::READ,
    nr::WRITE,
    nr::CLOSE,
    nr::WRITEV,
    nr::SENDFILE,
    nr::SENDTO,
    nr::RECVFROM,
    nr::SENDMSG,
    nr::RECVMSG,
    nr::SHUTDOWN,
    nr::SETSOCKOPT,
    nr::FSYNC,
    nr::GETPPID,
    nr::EPOLL_CTL,
    nr::SPLICE,
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
    use core::mem::{offset_of, size_of};

    use super::{ALLOWED, Query, Stats, flush_argument, parse_flush_argument};

    #[test]
    fn structures_of_requests_have_their_offsets() {
        assert_eq!((size_of::<Query>(), size_of::<Stats>()), (80, 24));
        assert_eq!(offset_of!(Query, max_capacity), 4);
        assert_eq!(offset_of!(Query, features), 8);
        assert_eq!(offset_of!(Query, calls), 16);
        assert_eq!(offset_of!(Stats, finished), 8);
        assert_eq!(offset_of!(Stats, stopped), 16);
    }

    #[test]
    fn a_query_says_which_calls_run() {
        let mut query = Query::default();
        for nr in ALLOWED {
            assert!(!query.runs(nr));
            query.calls[nr as usize / 64] |= 1 << (nr % 64);
            assert!(query.runs(nr));
        }
        for nr in (0..512).chain([512, u32::MAX]) {
            assert_eq!(query.runs(nr), ALLOWED.contains(&nr));
        }
    }

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
