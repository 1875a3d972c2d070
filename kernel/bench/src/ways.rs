//! Who makes the calls of a batch: the program itself, the module, io_uring.

use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::ptr::{self, NonNull};

use batch_table::{Call, Table, device, table_size};
use esca_sys::{Executor, TableMemory, Uring};

/// Entries of every table here.
const CAPACITY: u32 = 64;

/// Runs calls and sums up their results.
pub(crate) trait Runner {
    fn run(&mut self, calls: &[Call]) -> i64;
}

/// One system call for each.
#[derive(Debug)]
pub(crate) struct Plain;

impl Runner for Plain {
    #[inline]
    fn run(&mut self, calls: &[Call]) -> i64 {
        let mut sum = 0;
        for call in calls {
            // SAFETY: the calls of this program read memory that lives on, or none, and change no file that anybody relies on.
            sum += unsafe { esca_sys::syscall(call.nr, &call.args) }.to_raw();
        }
        sum
    }
}

fn error(what: &str) -> String {
    format!("{what}: {}", std::io::Error::last_os_error())
}

/// The module, with nothing between: entries filled, one `ioctl`, each result taken.
#[derive(Debug)]
pub(crate) struct Module {
    device: OwnedFd,
    /// In the mapping below, which is never unmapped: the program is about to end.
    entries: Entries,
}

impl Module {
    pub(crate) fn new() -> Result<Self, String> {
        let path = std::ffi::CString::new(device::PATH).map_err(|error| error.to_string())?;
        // SAFETY: the path ends with a zero.
        let fd = unsafe { libc::open(path.as_ptr(), libc::O_RDWR | libc::O_CLOEXEC) };
        if fd < 0 {
            return Err(error(device::PATH));
        }
        // SAFETY: it was just opened, and nobody else has the number.
        let device = unsafe { OwnedFd::from_raw_fd(fd) };
        // SAFETY: the request's argument is a number.
        if unsafe { libc::ioctl(fd, u64::from(device::SETUP), CAPACITY) } < 0 {
            return Err(error("setting up a table"));
        }
        let size = table_size(CAPACITY)
            .map_err(|error| error.to_string())?
            .next_multiple_of(4096);
        let protection = libc::PROT_READ | libc::PROT_WRITE;
        // SAFETY: a new mapping at an address of the kernel's choice replaces nothing.
        let memory = unsafe { libc::mmap(ptr::null_mut(), size, protection, libc::MAP_SHARED, fd, 0) };
        if memory == libc::MAP_FAILED {
            return Err(error("mapping the table"));
        }
        let memory = NonNull::new(memory.cast::<u8>()).ok_or("a mapping at zero")?;
        // SAFETY: `size` bytes, mapped until the program ends, reached through this table and by the kernel only.
        let table = unsafe { Table::attach_raw(memory, size) }.map_err(|error| error.to_string())?;
        Ok(Self {
            device,
            entries: Entries::new(table),
        })
    }
}

impl Runner for Module {
    #[inline]
    fn run(&mut self, calls: &[Call]) -> i64 {
        let (ioctl, fd) = (libc::SYS_ioctl as u32, self.device.as_raw_fd() as u64);
        self.entries.run(calls, |_, first, count| {
            let argument = device::flush_argument(first, count, CAPACITY);
            let args = [fd, device::FLUSH.into(), argument, 0, 0, 0];
            // SAFETY: the entries hold calls that are sound to make, as for `Plain`.
            let flushed = unsafe { esca_sys::syscall(ioctl, &args) }.into_result();
            flushed.ok().map(|more| more as u32)
        })
    }
}

/// A table, and how far it has been used.
#[derive(Debug)]
struct Entries {
    table: Table<'static>,
    position: u32,
}

impl Entries {
    const fn new(table: Table<'static>) -> Self {
        Self { table, position: 0 }
    }

    /// Fills an entry for each call, has them run by `flush`, which answers how many of so many after the first are
    /// finished, and takes the results.
    #[inline]
    fn run(&mut self, calls: &[Call], mut flush: impl FnMut(&Table<'_>, u32, u32) -> Option<u32>) -> i64 {
        let producer = self.table.producer();
        let count = calls.len() as u32;
        for (index, call) in (0..).zip(calls) {
            if producer.publish(self.position.wrapping_add(index), call).is_err() {
                return i64::MIN;
            }
        }
        let mut finished = 0;
        // More than once when a signal comes in between.
        while finished < count {
            let first = self.position.wrapping_add(finished);
            match flush(&self.table, first, count - finished) {
                Some(more) => finished += more,
                None => return i64::MIN,
            }
        }
        let sum = (0..count)
            .map(|index| match producer.take(self.position.wrapping_add(index)) {
                Some(outcome) => outcome.result().to_raw(),
                None => i64::MIN,
            })
            .fold(0, i64::wrapping_add);
        self.position = self.position.wrapping_add(count);
        sum
    }
}

/// The same entries through io_uring, however few they are.
#[derive(Debug)]
pub(crate) struct Ring {
    uring: Uring,
    entries: Entries,
}

impl Ring {
    pub(crate) fn new() -> Result<Self, String> {
        let mut uring = Uring::new().map_err(|error| format!("io_uring: {error}"))?;
        uring.set_break_even(1);
        let memory: &'static TableMemory = Box::leak(Box::new(
            uring.allocate(CAPACITY).map_err(|error| error.to_string())?,
        ));
        let features = batch_table::Features::KNOWN;
        // SAFETY: the memory is as `TableMemory` promises, leaked, and reached through this table only.
        let table = unsafe { Table::init_raw(memory.pointer(), memory.len(), CAPACITY, features) };
        Ok(Self {
            uring,
            entries: Entries::new(table.map_err(|error| error.to_string())?),
        })
    }
}

impl Runner for Ring {
    #[inline]
    fn run(&mut self, calls: &[Call]) -> i64 {
        let uring = &mut self.uring;
        self.entries.run(calls, |table, first, count| {
            // SAFETY: the entries hold calls that are sound to make, as for `Plain`.
            unsafe { uring.run(table, first, count) }.ok()
        })
    }
}
