//! A batch as one `ioctl` of the kernel module's device.

use core::alloc::Layout;
use core::fmt;
use core::ptr::{self, NonNull};
use std::os::fd::{AsRawFd, OwnedFd};

use batch_table::{Chain, Errno, Step, Table, device, table_size};
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

/// Fewest entries that go to the module; below, the `ioctl` costs more than it saves (measured in instructions on Linux 6.1:
/// 714 + 218 N against 332 N for the cheapest call).
const BREAK_EVEN: u32 = 7;

/// Why the kernel module cannot be used.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum KernelError {
    /// There is no device: the module is not installed or not loaded.
    Missing,
    /// The device may not be opened by this user.
    Permission,
    /// Opening failed otherwise.
    Open(Errno),
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
        }
    }
}

impl core::error::Error for KernelError {}

/// Runs batches in the kernel module, by one `ioctl`; calls that it does not run, and batches too small to pay, are made
/// as plain calls. Where the module refuses (a task under seccomp, ptrace or audit), everything is.
#[derive(Debug)]
pub struct Kernel {
    device: OwnedFd,
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
            Ok(device) => Ok(Self {
                device,
                break_even: BREAK_EVEN,
            }),
            Err(Errno::ENOENT | Errno::ENXIO | Errno::ENODEV) => Err(KernelError::Missing),
            Err(Errno::EACCES | Errno::EPERM) => Err(KernelError::Permission),
            Err(errno) => Err(KernelError::Open(errno)),
        }
    }

    /// Sets the fewest entries that go to the module. For tests and measurements.
    pub fn set_break_even(&mut self, entries: u32) {
        self.break_even = entries.max(1);
    }

    fn ioctl(&self, request: u32, argument: u64) -> Result<u64, Errno> {
        let fd = u64::try_from(self.device.as_raw_fd()).map_err(|_| Errno::EBADF)?;
        // SAFETY: the requests read and write nothing but the table, whose entries the caller of `run` vouches for.
        unsafe { crate::syscall(IOCTL, &[fd, request.into(), argument, 0, 0, 0]) }.into_result()
    }

    /// How many of the `count` entries from `first` on the module would run.
    ///
    /// A batch ends behind a close when it goes on with a call that may wait: the kernel finishes a close only on the way
    /// back to user space.
    fn eligible(table: &Table<'_>, first: u32, count: u32) -> u32 {
        let mut closed = false;
        let mut eligible = 0;
        while eligible < count {
            let Some(call) = table.executor().fetch(first.wrapping_add(eligible)) else {
                break;
            };
            let waits = call.nr == batch_table::nr::native::EPOLL_PWAIT;
            if !device::ALLOWED.contains(&call.nr) || waits && closed {
                break;
            }
            closed |= call.nr == batch_table::nr::native::CLOSE;
            eligible += 1;
        }
        eligible
    }
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
        let eligible = if count >= self.break_even {
            Self::eligible(table, first, count)
        } else {
            0
        };
        if eligible >= self.break_even {
            let argument = device::flush_argument(first, eligible, table.capacity());
            if let Ok(done @ 1..) = self.ioctl(device::FLUSH, argument) {
                return Ok(u32::try_from(done).unwrap_or(eligible).min(eligible));
            }
            // A signal came before the first entry, or the module refuses this task: no entry was touched.
        }
        let plain = if count < self.break_even {
            count
        } else {
            eligible.max(1)
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
