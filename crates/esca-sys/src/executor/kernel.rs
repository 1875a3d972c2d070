//! A batch as one `ioctl` of the kernel module's device.

use core::alloc::Layout;
use core::fmt;
use core::ptr::{self, NonNull};
use std::os::fd::{AsRawFd, OwnedFd};

use batch_table::{Chain, EntryFlags, Errno, Step, Table, device, table_size};
use rustix::fs::{Mode, OFlags, open};
use rustix::mm::{MapFlags, ProtFlags, mmap, munmap};

use super::{Description, Executor};
use crate::TableMemory;
use crate::executor::from_rustix;

#[cfg(target_arch = "x86_64")]
const IOCTL: u32 = 16;
#[cfg(target_arch = "aarch64")]
const IOCTL: u32 = 29;

/// Alignment of mapped memory that every kernel configuration gives.
const PAGE: usize = 4096;

/// Fewest entries that go to the module; below, the `ioctl` costs more than it saves. Measured in instructions on Linux 6.1
/// (`cargo xtask compare kernel`): 761 + 231 N against 10 + 333 N for the cheapest call.
const BREAK_EVEN: u32 = 8;

/// Why the kernel module cannot be used.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum KernelError {
    /// There is no device: the module is not installed or not loaded.
    Missing,
    /// The device may not be opened by this user.
    Permission,
    /// Opening failed otherwise, or it is no device of this kind.
    Open(Errno),
    /// The module makes tables of another version.
    Version(u32),
}

impl fmt::Display for KernelError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = device::PATH;
        match self {
            Self::Missing => {
                write!(
                    f,
                    "{path} does not exist: install the esca kernel module and load it with `modprobe esca`"
                )
            }
            Self::Permission => write!(
                f,
                "{path} may not be opened by this user: its mode is 0600 unless a rule says more"
            ),
            Self::Open(errno) => write!(f, "{path} could not be opened: {errno}"),
            Self::Version(version) => write!(
                f,
                "{path} has tables of version {version} where {} is needed",
                batch_table::VERSION
            ),
        }
    }
}

impl core::error::Error for KernelError {}

/// Runs batches in the kernel module, by one `ioctl`; calls that it does not run, and batches too small to pay, are made
/// as plain calls. Where the module refuses (a task under seccomp, ptrace or audit), everything is.
#[derive(Debug)]
pub struct Kernel {
    device: OwnedFd,
    /// What the module said when it was opened.
    query: device::Query,
    break_even: u32,
}

impl Kernel {
    /// Opens `/dev/esca`.
    ///
    /// # Errors
    ///
    /// [`KernelError::Missing`] without the module, [`KernelError::Permission`] without the right to use it.
    pub fn new() -> Result<Self, KernelError> {
        let flags = OFlags::RDWR | OFlags::CLOEXEC;
        match open(device::PATH, flags, Mode::empty()).map_err(from_rustix) {
            Ok(device) => Self::of(device),
            Err(Errno::ENOENT | Errno::ENXIO | Errno::ENODEV) => Err(KernelError::Missing),
            Err(Errno::EACCES | Errno::EPERM) => Err(KernelError::Permission),
            Err(errno) => Err(KernelError::Open(errno)),
        }
    }

    fn of(device: OwnedFd) -> Result<Self, KernelError> {
        let mut query = device::Query::default();
        // SAFETY: the request writes a `Query`, and to nothing else; the argument is the address of one.
        let asked = unsafe { ioctl(&device, device::QUERY, crate::address(&raw mut query)) };
        asked.map_err(KernelError::Open)?;
        if query.version != u32::from(batch_table::VERSION) {
            return Err(KernelError::Version(query.version));
        }
        Ok(Self {
            device,
            query,
            break_even: BREAK_EVEN,
        })
    }

    /// Sets the fewest entries that go to the module. For tests and measurements.
    pub fn set_break_even(&mut self, entries: u32) {
        self.break_even = entries.max(1);
    }

    /// What the module has run for this executor.
    ///
    /// # Errors
    ///
    /// What the `ioctl` says, for instance `ENOTTY` from a module of another version.
    pub fn stats(&self) -> Result<device::Stats, Errno> {
        let mut stats = device::Stats::default();
        // SAFETY: the request writes a `Stats`, and to nothing else; the argument is the address of one.
        unsafe { ioctl(&self.device, device::STATS, crate::address(&raw mut stats)) }?;
        Ok(stats)
    }

    /// A request whose argument is a number.
    fn ioctl(&self, request: u32, argument: u64) -> Result<u64, Errno> {
        // SAFETY: setting up and flushing read and write nothing but the table, whose entries the caller of `run` vouches
        // for.
        unsafe { ioctl(&self.device, request, argument) }
    }

    /// How many of the `count` entries from `first` on go to the module: whole chains that it runs all of, because what
    /// becomes of an entry decides over the rest of its chain.
    fn eligible(&self, table: &Table<'_>, first: u32, count: u32) -> u32 {
        let mut eligible = 0;
        for index in 0..count {
            match table.executor().peek(first.wrapping_add(index)) {
                Some((nr, flags)) if self.query.runs(nr) => {
                    if !flags.contains(EntryFlags::LINK) || index + 1 == count {
                        eligible = index + 1;
                    }
                }
                _ => break,
            }
        }
        eligible
    }

    /// How many of the `count` entries from `first` on belong to the first chain.
    fn first_chain(table: &Table<'_>, first: u32, count: u32) -> u32 {
        let linked = |index: &u32| {
            let entry = table.executor().peek(first.wrapping_add(*index));
            entry.is_some_and(|(_, flags)| flags.contains(EntryFlags::LINK))
        };
        (0..count - 1).find(|index| !linked(index)).unwrap_or(count - 1) + 1
    }
}

/// # Safety
///
/// - The request with this argument must be sound to make: see [`device`].
unsafe fn ioctl(device: &OwnedFd, request: u32, argument: u64) -> Result<u64, Errno> {
    let fd = u64::try_from(device.as_raw_fd()).map_err(|_| Errno::EBADF)?;
    // SAFETY: what the request does to memory is what this function's caller vouches for; `fd` is open.
    unsafe { crate::syscall(IOCTL, &[fd, request.into(), argument, 0, 0, 0]) }.into_result()
}

/// # Safety
///
/// - `pointer` and `layout` are those of a mapping made in `allocate`, which nothing uses any more.
unsafe fn release(pointer: NonNull<u8>, layout: Layout) {
    // SAFETY: the caller's promise.
    let unmapped = unsafe { munmap(pointer.as_ptr().cast(), layout.size()) };
    debug_assert!(unmapped.is_ok());
}

// SAFETY: the module completes or cancels each entry in order and keeps the chain, and has nothing in flight when the
// `ioctl` returns; `walk` does the same for the rest.
unsafe impl Executor for Kernel {
    fn allocate(&mut self, capacity: u32) -> Result<TableMemory, Errno> {
        let size = table_size(capacity)
            .map_err(|_| Errno::EINVAL)?
            .next_multiple_of(PAGE);
        self.ioctl(device::SETUP, capacity.into())?;
        let protection = ProtFlags::READ | ProtFlags::WRITE;
        // SAFETY: a new mapping at an address of the kernel's choice replaces nothing.
        let start = unsafe {
            mmap(
                ptr::null_mut(),
                size,
                protection,
                MapFlags::SHARED,
                &self.device,
                0,
            )
        };
        let start = NonNull::new(start.map_err(from_rustix)?.cast::<u8>()).ok_or(Errno::ENOMEM)?;
        let layout = Layout::from_size_align(size, PAGE).map_err(|_| Errno::EINVAL)?;
        // SAFETY: the mapping is as long as `layout` says, zeroed but for the header, writable, and used by nothing else;
        // `release` unmaps it.
        Ok(unsafe { TableMemory::from_raw_parts(start, layout, release) })
    }

    unsafe fn run(&mut self, table: &Table<'_>, first: u32, count: u32) -> Result<u32, Errno> {
        let plain = if count < self.break_even {
            count
        } else {
            let eligible = self.eligible(table, first, count);
            if eligible >= self.break_even {
                let argument = device::flush_argument(first, eligible, table.capacity());
                if let Ok(done @ 1..) = self.ioctl(device::FLUSH, argument) {
                    return Ok(u32::try_from(done).unwrap_or(eligible).min(eligible));
                }
                // A signal came before the first entry, or the module refuses this task: no entry was touched.
            }
            if eligible == 0 {
                Self::first_chain(table, first, count)
            } else {
                eligible
            }
        };
        let done = table.executor().walk(first, plain, &mut Chain::new(), |_, call| {
            // SAFETY: the caller's promise covers the whole batch.
            Step::Done(unsafe { crate::syscall(call.nr, &call.args) })
        });
        Ok(done)
    }

    #[inline]
    fn is_plain(&self, count: u32) -> bool {
        count < self.break_even
    }

    fn describe(&self) -> Description {
        Description {
            name: "kernel",
            why: "one ioctl of /dev/esca for a batch",
        }
    }
}
