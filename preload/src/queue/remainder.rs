//! Promises that came back short.
//!
//! The room in the send buffer is asked for before anything is promised, so this takes a kernel that has run out of memory.
//! What is left is kept and finished before anything else on that descriptor: by the next call on it, whenever the program
//! waits for events, and by the helper.

use core::sync::atomic::Ordering;

use libc::c_int;

use crate::process::Process;
use crate::queue::fds::{REMAINDER, SEVERAL, SYNCHRONOUS};
use crate::queue::left::{Item, Progress, Remainder};
use crate::stats::{self, STATS};
use crate::sys::{self, address, int};

/// The remainders of the process, locked; signals are blocked meanwhile.
struct Locked<'p> {
    process: &'p Process,
    mask: sys::SignalMask,
}

impl<'p> Locked<'p> {
    fn new(process: &'p Process) -> Self {
        let mask = sys::block_signals();
        while process
            .remainder_lock
            .compare_exchange(0, 1, Ordering::AcqRel, Ordering::Acquire)
            .is_err()
        {
            sys::sleep_ns(20_000);
        }
        Self { process, mask }
    }

    fn list(&mut self) -> &mut Vec<Remainder> {
        let mut list = self.process.remainder_list.load(Ordering::Acquire);
        if list.is_null() {
            list = Box::into_raw(Box::default());
            self.process.remainder_list.store(list, Ordering::Release);
        }
        // SAFETY: from a box that is never freed; the lock makes this the only reference.
        unsafe { &mut *list }
    }
}

impl Drop for Locked<'_> {
    fn drop(&mut self) {
        let left = self.list().len();
        self.process
            .remainders
            .store(u32::try_from(left).unwrap_or(u32::MAX), Ordering::Release);
        self.process.remainder_lock.store(0, Ordering::Release);
        sys::restore_signals(self.mask);
    }
}

/// Adds something behind what is left on a descriptor.
#[cold]
pub(crate) fn append(process: &Process, fd: c_int, item: Item) {
    let mut locked = Locked::new(process);
    // Not before: whoever has just finished what was left would take the mark away again.
    if let Some(entry) = process.fd(fd) {
        entry.set(REMAINDER | SYNCHRONOUS);
    }
    let list = locked.list();
    match list.iter_mut().find(|left| left.fd == fd && !left.detached) {
        Some(left) => left.items.push_back(item),
        None => list.push(Remainder {
            fd,
            detached: false,
            items: [item].into(),
        }),
    }
    drop(locked);
    process.wake_helper();
}

/// Tries to finish all remainders, or that of one descriptor. Says whether nothing is left.
#[cold]
pub(crate) fn push(process: &Process, only: Option<c_int>) -> bool {
    push_locked(&mut Locked::new(process), only)
}

fn push_locked(locked: &mut Locked<'_>, only: Option<c_int>) -> bool {
    let process = locked.process;
    let mut all_done = true;
    locked.list().retain_mut(|left| {
        if only.is_some_and(|fd| fd != left.fd || left.detached) {
            return true;
        }
        let progress = left.push();
        if progress == Progress::Blocked {
            all_done = false;
            return true;
        }
        if left.detached {
            // SAFETY: a number of our own, made in `detach`, that nobody else knows.
            let _ = unsafe { sys::call(libc::SYS_close, &[int(left.fd)]) };
        } else if let Some(fd) = process.fd(left.fd) {
            if let Progress::Broken(Some(errno)) = progress {
                stats::count(&STATS.latched, 1);
                fd.latch(errno);
            }
            fd.clear(REMAINDER);
        }
        false
    });
    all_done
}

/// Closes a descriptor that has a remainder: the number is free at once, and the connection ends when all is sent.
#[cold]
pub(crate) fn close(process: &Process, fd: c_int) {
    detach(process, fd);
    // SAFETY: the program asked for it.
    let _ = unsafe { sys::call(libc::SYS_close, &[int(fd)]) };
}

/// Moves a remainder to a number of its own, for this one is about to be closed.
#[cold]
pub(crate) fn detach(process: &Process, fd: c_int) {
    // Locked all the while, so that the helper does not finish it in between, and leave the duplicate to nobody.
    let mut locked = Locked::new(process);
    let done = push_locked(&mut locked, Some(fd));
    let detached = done || move_to_duplicate(&mut locked, fd);
    drop(locked);
    if !detached {
        // No number is left: wait for it.
        finish(process, Some(fd));
    }
    if let Some(entry) = process.fd(fd) {
        entry.reset(0);
    }
}

fn move_to_duplicate(locked: &mut Locked<'_>, fd: c_int) -> bool {
    // Out of the way of programs that count on low numbers.
    const HIGH: c_int = 512;
    // SAFETY: touches no memory.
    let duplicate = unsafe { sys::call(libc::SYS_fcntl, &[int(fd), int(libc::F_DUPFD_CLOEXEC), int(HIGH)]) };
    let duplicate = duplicate.ok().and_then(|fd| c_int::try_from(fd).ok());
    let (Some(duplicate), Some(entry)) = (duplicate, locked.process.fd(fd)) else {
        return false;
    };
    // The duplicate keeps the connection open, and an epoll instance would go on reporting it.
    let epoll = entry.epoll();
    if epoll != 0 && epoll != SEVERAL {
        let args = [
            int(epoll.wrapping_sub(1).cast_signed()),
            int(libc::EPOLL_CTL_DEL),
            int(fd),
            0,
        ];
        // SAFETY: this operation reads no memory.
        let _ = unsafe { sys::call(libc::SYS_epoll_ctl, &args) };
    }
    let mut list = locked.list().iter_mut();
    if let Some(left) = list.find(|left| left.fd == fd && !left.detached) {
        left.fd = duplicate;
        left.detached = true;
    }
    true
}

/// Waits, a second at most, until nothing is left; then resets the connections with something left, so that nobody takes
/// what arrived for all there is.
#[cold]
pub(crate) fn finish(process: &Process, only: Option<c_int>) {
    for _ in 0..200 {
        if push(process, only) {
            return;
        }
        sys::sleep_ns(5_000_000);
    }
    let mut locked = Locked::new(process);
    for left in locked.list() {
        if only.is_some_and(|fd| fd != left.fd) {
            continue;
        }
        let linger = [1_i32, 0];
        let args = [
            int(left.fd),
            int(libc::SOL_SOCKET),
            int(libc::SO_LINGER),
            address(linger.as_ptr()),
            8,
        ];
        // SAFETY: the kernel reads the eight bytes of `linger`.
        let _ = unsafe { sys::call(libc::SYS_setsockopt, &args) };
        left.items.clear();
    }
}
