//! The device, as a program uses it that does without our library.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::fd::{AsRawFd, RawFd};
use std::os::unix::fs::OpenOptionsExt;
use std::ptr::{self, NonNull};

use batch_table::device::{FLUSH, PATH, QUERY, Query, SETUP, STATS, Stats, flush_argument};
use batch_table::{Call, EntryFlags, Outcome, Table, table_size};

/// Error number of the last call.
pub(crate) fn errno() -> i32 {
    io::Error::last_os_error().raw_os_error().unwrap_or(0)
}

/// An open file of the device.
#[derive(Debug)]
pub(crate) struct Device(pub(crate) File);

impl Device {
    /// Opens it.
    pub(crate) fn open() -> Self {
        Self::try_open().unwrap_or_else(|error| panic!("{PATH}: {error}"))
    }

    /// Opens it, if that is allowed.
    pub(crate) fn try_open() -> io::Result<Self> {
        let mut options = OpenOptions::new();
        options.read(true).write(true).custom_flags(libc::O_CLOEXEC);
        options.open(PATH).map(Self)
    }

    /// An `ioctl` whose argument is a number.
    pub(crate) fn request(&self, request: u32, argument: u64) -> Result<u32, i32> {
        request_on(self.0.as_raw_fd(), request, argument)
    }

    /// Makes the table.
    pub(crate) fn setup(&self, capacity: u64) -> Result<(), i32> {
        self.request(SETUP, capacity).map(drop)
    }

    /// What the module can do.
    pub(crate) fn query(&self) -> Query {
        let mut query = Query::default();
        self.request(QUERY, (&raw mut query).expose_provenance() as u64)
            .expect("query");
        query
    }

    /// What this open file was used for.
    pub(crate) fn stats(&self) -> Stats {
        let mut stats = Stats::default();
        self.request(STATS, (&raw mut stats).expose_provenance() as u64)
            .expect("stats");
        stats
    }

    /// Maps `len` bytes.
    pub(crate) fn map(
        &self,
        len: usize,
        protection: i32,
        flags: i32,
        offset: i64,
    ) -> Result<NonNull<u8>, i32> {
        let fd = self.0.as_raw_fd();
        // SAFETY: a new mapping at an address of the kernel's choice.
        let address = unsafe { libc::mmap(ptr::null_mut(), len, protection, flags, fd, offset) };
        if address == libc::MAP_FAILED {
            return Err(errno());
        }
        Ok(NonNull::new(address.cast()).expect("mmap never gives address 0"))
    }
}

/// An `ioctl` on any file.
pub(crate) fn request_on(fd: RawFd, request: u32, argument: u64) -> Result<u32, i32> {
    // SAFETY: the device's requests write to the table, or to a structure that the caller passes by its address; every
    // entry of these tests names memory that is there, or that is not and makes the call fail.
    let result = unsafe { libc::ioctl(fd, request as libc::Ioctl, argument) };
    u32::try_from(result).map_err(|_| errno())
}

/// An open device with a mapped table.
#[derive(Debug)]
pub(crate) struct Batch {
    pub(crate) device: Device,
    pub(crate) memory: NonNull<u8>,
    pub(crate) bytes: usize,
    pub(crate) capacity: u32,
}

// SAFETY: the memory is shared with the kernel anyhow and only touched through atomics.
unsafe impl Send for Batch {}
// SAFETY: as above.
unsafe impl Sync for Batch {}

/// Bytes of a table in whole pages.
pub(crate) fn mapped_size(capacity: u32) -> usize {
    // SAFETY: reads a constant of the system.
    let page = unsafe { libc::sysconf(libc::_SC_PAGESIZE) };
    let page = usize::try_from(page).expect("a page has a size");
    table_size(capacity).expect("capacity").next_multiple_of(page)
}

/// Shared, for reading and writing.
pub(crate) const READ_WRITE: i32 = libc::PROT_READ | libc::PROT_WRITE;

impl Batch {
    /// Opens, sets up and maps a table.
    pub(crate) fn new(capacity: u32) -> Self {
        let device = Device::open();
        device.setup(capacity.into()).expect("setup");
        let bytes = mapped_size(capacity);
        let memory = device.map(bytes, READ_WRITE, libc::MAP_SHARED, 0).expect("mmap");
        Self {
            device,
            memory,
            bytes,
            capacity,
        }
    }

    /// The table.
    pub(crate) fn table(&self) -> Table<'_> {
        // SAFETY: `bytes` mapped bytes that live as long as `self` and are touched through tables only.
        unsafe { Table::attach_raw(self.memory, self.bytes) }.expect("the module writes a good header")
    }

    /// Makes an entry ready.
    pub(crate) fn put(&self, position: u32, call: &Call) {
        self.table()
            .producer()
            .publish(position, call)
            .expect("free entry");
    }

    /// Runs entries.
    pub(crate) fn flush(&self, first: u32, count: u32) -> Result<u32, i32> {
        self.device
            .request(FLUSH, flush_argument(first, count, self.capacity))
    }

    /// Takes a result, if there is one.
    pub(crate) fn take(&self, position: u32) -> Option<i64> {
        let outcome = self.table().producer().take(position)?;
        Some(match outcome {
            Outcome::Done(result) => result.to_raw(),
            Outcome::Canceled => CANCELED,
        })
    }

    /// Makes entries from position 0 on, runs them all in one flush, and takes their results.
    pub(crate) fn run(&self, calls: &[Call]) -> Vec<i64> {
        self.put_all(calls);
        let count = u32::try_from(calls.len()).expect("few calls");
        assert_eq!(self.flush(0, count), Ok(count));
        (0..count)
            .map(|position| self.take(position).expect("finished"))
            .collect()
    }

    /// Makes entries from position 0 on.
    pub(crate) fn put_all(&self, calls: &[Call]) {
        for (position, call) in (0..).zip(calls) {
            self.put(position, call);
        }
    }

    /// Whether an entry waits to be run.
    pub(crate) fn is_ready(&self, position: u32) -> bool {
        self.table().executor().fetch(position).is_some()
    }
}

impl Drop for Batch {
    fn drop(&mut self) {
        // SAFETY: the mapping is this value's own, and nothing borrows from it any more.
        unsafe { libc::munmap(self.memory.as_ptr().cast(), self.bytes) };
    }
}

/// Result of a cancelled entry.
pub(crate) const CANCELED: i64 = -(libc::ECANCELED as i64);

/// A call with up to six arguments.
pub(crate) fn call(nr: u32, args: &[u64]) -> Call {
    let mut all = [0; 6];
    all[..args.len()].copy_from_slice(args);
    Call::new(nr, all)
}

/// The same, in one chain with what follows.
pub(crate) fn linked(nr: u32, args: &[u64]) -> Call {
    Call {
        flags: EntryFlags::LINK,
        ..call(nr, args)
    }
}

/// A descriptor as an argument.
pub(crate) fn fd(file: &impl AsRawFd) -> u64 {
    u64::try_from(file.as_raw_fd()).expect("an open file")
}

/// An address as an argument.
pub(crate) fn address<T: ?Sized>(of: &T) -> u64 {
    (&raw const *of).cast::<()>().expose_provenance() as u64
}

/// The same call, made plainly.
pub(crate) fn plain(call: &Call) -> i64 {
    let [a, b, c, d, e, f] = call.args;
    // SAFETY: as for entries: the memory that is named is there, or the call fails.
    let result = unsafe { libc::syscall(call.nr.into(), a, b, c, d, e, f) };
    if result == -1 { -i64::from(errno()) } else { result }
}
