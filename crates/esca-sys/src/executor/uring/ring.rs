//! The two rings of io_uring: set up, mapped, submitted to and reaped.
//!
//! Source: `include/uapi/linux/io_uring.h` of Linux, and io_uring(7), io_uring_setup(2), io_uring_enter(2).

use core::ffi::c_void;
use core::ptr::{self, NonNull};
use core::sync::atomic::{AtomicU32, Ordering};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};

use batch_table::Errno;
use rustix::mm::{MapFlags, ProtFlags, mmap, munmap};

use super::sqe::Sqe;
use crate::executor::from_rustix;

const IO_URING_SETUP: u32 = 425;
const IO_URING_ENTER: u32 = 426;

const SETUP_CLAMP: u32 = 1 << 4;
const SETUP_SUBMIT_ALL: u32 = 1 << 7;
const SETUP_SINGLE_ISSUER: u32 = 1 << 12;
const SETUP_DEFER_TASKRUN: u32 = 1 << 13;

const FEAT_SINGLE_MMAP: u32 = 1 << 0;
const FEAT_NODROP: u32 = 1 << 1;

const ENTER_GETEVENTS: u64 = 1;

const OFFSET_RINGS: u64 = 0;
const OFFSET_SQES: u64 = 0x1000_0000;

/// `struct io_sqring_offsets` without its last three words.
#[derive(Clone, Copy, Debug, Default)]
#[repr(C)]
struct SqOffsets {
    head: u32,
    tail: u32,
    ring_mask: u32,
    ring_entries: u32,
    flags: u32,
    dropped: u32,
    array: u32,
    reserved: u32,
    user_addr: u64,
}

/// `struct io_cqring_offsets`.
#[derive(Clone, Copy, Debug, Default)]
#[repr(C)]
struct CqOffsets {
    head: u32,
    tail: u32,
    ring_mask: u32,
    ring_entries: u32,
    overflow: u32,
    cqes: u32,
    flags: u32,
    reserved: u32,
    user_addr: u64,
}

/// `struct io_uring_params`.
#[derive(Clone, Copy, Debug, Default)]
#[repr(C)]
struct Params {
    sq_entries: u32,
    cq_entries: u32,
    flags: u32,
    sq_thread_cpu: u32,
    sq_thread_idle: u32,
    features: u32,
    wq_fd: u32,
    reserved: [u32; 3],
    sq: SqOffsets,
    cq: CqOffsets,
}

const _: () = assert!(size_of::<Params>() == 120);

/// `struct io_uring_cqe`.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
struct Cqe {
    user_data: u64,
    res: i32,
    flags: u32,
}

const _: () = assert!(size_of::<Cqe>() == 16);

/// Memory mapped from the ring's descriptor.
#[derive(Debug)]
struct Mapping {
    start: NonNull<u8>,
    len: usize,
}

impl Mapping {
    fn new(fd: &OwnedFd, offset: u64, len: usize) -> Result<Self, Errno> {
        let flags = MapFlags::SHARED | MapFlags::POPULATE;
        // SAFETY: a new mapping at an address of the kernel's choice replaces nothing.
        let start = unsafe {
            mmap(
                ptr::null_mut(),
                len,
                ProtFlags::READ | ProtFlags::WRITE,
                flags,
                fd,
                offset,
            )
        };
        let start = start.map_err(from_rustix)?;
        Ok(Self {
            start: NonNull::new(start.cast()).ok_or(Errno::ENOMEM)?,
            len,
        })
    }

    /// A `T` at `offset` bytes.
    ///
    /// # Safety
    ///
    /// - `offset` and the size of a `T` lie in the mapping, and the place is aligned for `T`: true of the offsets that the
    ///   kernel gave for this mapping.
    unsafe fn at<T>(&self, offset: u32) -> NonNull<T> {
        // SAFETY: in bounds by the caller's promise.
        unsafe { self.start.add(offset as usize) }.cast()
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: mapped by `new` with this length; whoever drops the mapping holds no pointer into it any more.
        let unmapped = unsafe { munmap(self.start.as_ptr().cast::<c_void>(), self.len) };
        debug_assert!(unmapped.is_ok());
    }
}

/// An io_uring instance that one thread uses.
#[derive(Debug)]
pub(super) struct Ring {
    fd: OwnedFd,
    _rings: Mapping,
    _sqe_memory: Mapping,
    sq_tail: NonNull<AtomicU32>,
    sq_head: NonNull<AtomicU32>,
    sqes: NonNull<Sqe>,
    cq_head: NonNull<AtomicU32>,
    cq_tail: NonNull<AtomicU32>,
    cqes: NonNull<Cqe>,
    sq_entries: u32,
    cq_mask: u32,
    /// The next position in the submission ring; what is behind `sq_tail` has not been shown to the kernel.
    next: u32,
    deferred: bool,
}

impl Ring {
    /// Sets up a ring of at least `entries` entries, with deferred task work where the kernel has it.
    ///
    /// Errors: `ENOSYS`, `EPERM` where io_uring is absent or forbidden, `EOPNOTSUPP` where it is older than 5.6,
    /// `ENOMEM`, `EMFILE`.
    pub(super) fn new(entries: u32) -> Result<Self, Errno> {
        let fast = SETUP_CLAMP | SETUP_SUBMIT_ALL | SETUP_SINGLE_ISSUER | SETUP_DEFER_TASKRUN;
        match Self::with_flags(entries, fast) {
            Err(Errno::EINVAL) => Self::with_flags(entries, SETUP_CLAMP),
            other => other,
        }
    }

    fn with_flags(entries: u32, flags: u32) -> Result<Self, Errno> {
        let mut params = Params {
            flags,
            ..Params::default()
        };
        let address = (&raw mut params).expose_provenance() as u64;
        // SAFETY: the kernel reads and writes one `struct io_uring_params`, which is live and of the right size.
        let fd = unsafe { crate::syscall(IO_URING_SETUP, &[entries.into(), address, 0, 0, 0, 0]) };
        let fd = i32::try_from(fd.into_result()?).map_err(|_| Errno::EBADF)?;
        // SAFETY: just made by the kernel for us; nobody else owns it.
        let fd = unsafe { OwnedFd::from_raw_fd(fd) };

        let needed = FEAT_SINGLE_MMAP | FEAT_NODROP;
        if params.features & needed != needed {
            return Err(Errno::EOPNOTSUPP);
        }
        let sq_len = params.sq.array as usize + params.sq_entries as usize * size_of::<u32>();
        let cq_len = params.cq.cqes as usize + params.cq_entries as usize * size_of::<Cqe>();
        let rings = Mapping::new(&fd, OFFSET_RINGS, sq_len.max(cq_len))?;
        let sqe_memory = Mapping::new(&fd, OFFSET_SQES, params.sq_entries as usize * size_of::<Sqe>())?;

        // SAFETY: the offset is the kernel's for this mapping.
        let array = unsafe { rings.at::<AtomicU32>(params.sq.array) };
        for index in 0..params.sq_entries {
            // SAFETY: the array has as many elements as the ring has entries.
            let element = unsafe { array.add(index as usize) };
            // SAFETY: live, aligned, and shared with the kernel as an atomic.
            unsafe { element.as_ref() }.store(index, Ordering::Relaxed);
        }
        // SAFETY: the offset is the kernel's for this mapping.
        let sq_head = unsafe { rings.at(params.sq.head) };
        // SAFETY: as above.
        let sq_tail = unsafe { rings.at(params.sq.tail) };
        // SAFETY: as above.
        let cq_head = unsafe { rings.at(params.cq.head) };
        // SAFETY: as above.
        let cq_tail = unsafe { rings.at(params.cq.tail) };
        // SAFETY: as above.
        let cqes = unsafe { rings.at(params.cq.cqes) };
        // SAFETY: the entries begin where their mapping begins.
        let sqes = unsafe { sqe_memory.at(0) };
        Ok(Self {
            fd,
            _rings: rings,
            _sqe_memory: sqe_memory,
            sq_tail,
            sq_head,
            sqes,
            cq_head,
            cq_tail,
            cqes,
            sq_entries: params.sq_entries,
            cq_mask: params.cq_entries - 1,
            next: 0,
            deferred: flags & SETUP_DEFER_TASKRUN != 0,
        })
    }

    /// Number of entries of the submission ring, a power of two.
    pub(super) const fn capacity(&self) -> u32 {
        self.sq_entries
    }

    /// Whether the kernel defers its work to the thread that asks for completions.
    pub(super) const fn is_deferred(&self) -> bool {
        self.deferred
    }

    fn atomic(&self, which: NonNull<AtomicU32>) -> &AtomicU32 {
        // SAFETY: one of the four counters in the mapping that this value owns; the kernel uses it as an atomic too.
        unsafe { which.as_ref() }
    }

    /// Puts an entry into the ring. There must be room: at most `capacity` since the last [`run`](Self::run).
    #[inline]
    pub(super) fn put(&mut self, sqe: Sqe) {
        let index = self.next & (self.sq_entries - 1);
        // SAFETY: the mask keeps the index inside the ring.
        let place = unsafe { self.sqes.add(index as usize) };
        // SAFETY: in bounds and aligned; the kernel reads it only once the tail has passed it.
        unsafe { place.write(sqe) };
        self.next = self.next.wrapping_add(1);
    }

    /// Takes back the last `count` entries that were put.
    #[inline]
    pub(super) const fn retract(&mut self, count: u32) {
        self.next = self.next.wrapping_sub(count);
    }

    /// Submits everything that was put, waits until all that was submitted has completed, and hands each completion's
    /// `user_data` and result to `reap`. Returns how many entries were submitted: the first ones that were put.
    pub(super) fn run(&mut self, mut reap: impl FnMut(u64, i32)) -> u32 {
        let start = self.atomic(self.sq_tail).load(Ordering::Relaxed);
        self.atomic(self.sq_tail).store(self.next, Ordering::Release);
        let wanted = self.next.wrapping_sub(start);
        let mut reaped = 0;
        loop {
            let head = self.atomic(self.sq_head).load(Ordering::Acquire);
            let submitted = head.wrapping_sub(start);
            if submitted == wanted && reaped == submitted {
                return submitted;
            }
            let left = wanted - submitted;
            let entered = self.enter(left, wanted - reaped);
            reaped += self.reap(&mut reap);
            let failed = match entered {
                Ok(_) => false,
                // A signal ends the wait; what was submitted is still to be waited for.
                Err(Errno::EINTR) => false,
                Err(_) => self.atomic(self.sq_head).load(Ordering::Acquire) == head,
            };
            if failed && left > 0 {
                // The kernel takes no more, so take back what it has not seen, and wait for the rest.
                self.next = head;
                self.atomic(self.sq_tail).store(head, Ordering::Release);
                while reaped < submitted {
                    // An error here ends nothing: the requests are with the kernel, which writes their results.
                    let _ = self.enter(0, submitted - reaped);
                    reaped += self.reap(&mut reap);
                }
                return submitted;
            }
        }
    }

    fn enter(&self, submit: u32, wait: u32) -> Result<u64, Errno> {
        let fd = u64::try_from(self.fd.as_raw_fd()).map_err(|_| Errno::EBADF)?;
        let args = [fd, submit.into(), wait.into(), ENTER_GETEVENTS, 0, 0];
        // SAFETY: the caller of `Executor::run` vouches for the entries put into the ring; they stay valid until their
        // completions, which `run` waits for.
        unsafe { crate::syscall(IO_URING_ENTER, &args) }.into_result()
    }

    /// Takes the completions that are there.
    fn reap(&self, reap: &mut impl FnMut(u64, i32)) -> u32 {
        let mut head = self.atomic(self.cq_head).load(Ordering::Relaxed);
        let tail = self.atomic(self.cq_tail).load(Ordering::Acquire);
        let count = tail.wrapping_sub(head);
        while head != tail {
            // SAFETY: the mask keeps the index inside the ring.
            let place = unsafe { self.cqes.add((head & self.cq_mask) as usize) };
            // SAFETY: between head and tail the kernel has written the entry and leaves it alone.
            let cqe = unsafe { place.read() };
            reap(cqe.user_data, cqe.res);
            head = head.wrapping_add(1);
        }
        self.atomic(self.cq_head).store(head, Ordering::Release);
        count
    }
}
