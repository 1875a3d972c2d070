//! A batch as one `io_uring_enter`.
//!
//! io_uring has its own idea of what a call means; this is what makes its results those of plain calls:
//!
//! - Only operations that io_uring runs at once, on the submitting thread, are given to it, and each of them so that it
//!   never waits. What would have waited fails with `EAGAIN` and is made again as a plain call, which waits if the file is
//!   one that waits. So nothing is in flight when a flush returns, and entries are issued in order.
//! - A chain is linked, so that nothing runs past an entry that failed or was short. A batch is split behind a chain, because
//!   io_uring runs its tail only after everything else, and before a file that comes up again, unless its entry said
//!   `MSG_DONTWAIT` and so is never made again.
//! - io_uring never raises `SIGPIPE` for a send; a send that ends with `EPIPE` is made again as a plain call, which does.

mod calibrate;
mod ring;
mod sqe;

use alloc::vec::Vec;
use core::marker::PhantomData;

use batch_table::{Call, Chain, Errno, Step, SysResult, Table, nr::native as nr};
use ring::Ring;
use sqe::Sqe;

use super::{Description, Executor};
use crate::{MsgFlags, address};

/// Entries in the ring; larger batches are submitted in parts.
const ENTRIES: u32 = 256;
/// Files with larger numbers run as plain calls, so that the memory for order stays small.
const MAX_FD: usize = 1 << 16;
/// An entry that the kernel never got.
const NOT_SUBMITTED: i32 = i32::MIN;

/// Runs what io_uring can run by one `io_uring_enter`, and the rest by plain calls.
///
/// It belongs to the thread that made it, and to that process: in a forked child its segments must not be used. When it is
/// dropped, the kernel may interrupt a blocking call of that thread once (`EINTR`).
#[derive(Debug)]
pub struct Uring {
    ring: Ring,
    /// For each file the last sub-batch with an entry on it that may have to be made again.
    seen: Vec<u32>,
    sub_batch: u32,
    results: Vec<i32>,
    vectors: Vec<u64>,
    break_even: u32,
    _not_send: PhantomData<*const ()>,
}

impl Uring {
    /// Sets up a ring, and measures from how many entries on it costs less than plain calls. That takes less than a
    /// millisecond.
    ///
    /// # Errors
    ///
    /// `ENOSYS` where the kernel has no io_uring, `EPERM` or `EACCES` where it is switched off or filtered, `EOPNOTSUPP`
    /// where it is older than Linux 5.6, `ENOMEM` or `EMFILE`.
    pub fn new() -> Result<Self, Errno> {
        let mut ring = Ring::new(ENTRIES)?;
        let break_even = calibrate::break_even(&mut ring)?;
        Ok(Self {
            ring,
            seen: Vec::new(),
            sub_batch: 0,
            results: Vec::new(),
            vectors: Vec::new(),
            break_even,
            _not_send: PhantomData,
        })
    }

    /// The fewest entries that go through the ring, or `None` where plain calls cost less whatever their number. That is so
    /// where entering the kernel is cheap, as without page-table isolation.
    #[must_use]
    pub fn break_even(&self) -> Option<u32> {
        Some(self.break_even).filter(|&entries| entries != calibrate::NEVER)
    }

    /// Sets the fewest entries that go through the ring, in place of what was measured. For tests and measurements.
    pub fn set_break_even(&mut self, entries: u32) {
        self.break_even = entries.max(1);
    }

    /// Puts entries from `first` on into the ring, as many of the `count` as may be in flight together.
    ///
    /// An entry that may have to be made again is the last one on its file, and a chain, which io_uring runs only after
    /// everything else, is the last of all. So every entry finds what it would find among plain calls.
    fn fill(&mut self, table: &Table<'_>, first: u32, count: u32) -> u32 {
        self.sub_batch = self.sub_batch.checked_add(1).unwrap_or_else(|| {
            self.seen.fill(0);
            1
        });
        let limit = count.min(self.ring.capacity());
        let mut filled = 0;
        let mut chained = false;
        let mut last: Option<(Call, Sqe)> = None;
        while filled < limit {
            let Some(call) = table.executor().fetch(first.wrapping_add(filled)) else {
                break;
            };
            let Some(sqe) = Sqe::translate(&call).filter(|_| call.flags.check().is_ok()) else {
                break;
            };
            let linked = last.as_ref().is_some_and(|(before, _)| before.is_linked());
            if chained && !linked {
                break;
            }
            chained |= linked;
            let sub_batch = self.sub_batch;
            let Some(seen) = self.last_seen(sqe.fd()) else {
                break;
            };
            if *seen == sub_batch {
                break;
            }
            if !linked && !never_waits(&call) {
                *seen = sub_batch;
            }
            if let Some((_, before)) = last {
                self.ring.put(before.tagged(u64::from(filled) - 1, linked));
            }
            last = Some((call, sqe));
            filled += 1;
        }
        if let Some((_, sqe)) = last {
            self.ring.put(sqe.tagged(u64::from(filled) - 1, false));
        }
        filled
    }

    /// In which sub-batch a file came up last; `None` for a number that is none or too large.
    fn last_seen(&mut self, fd: i32) -> Option<&mut u32> {
        let index = usize::try_from(fd).ok().filter(|&index| index < MAX_FD)?;
        if index >= self.seen.len() {
            self.seen.resize(index + 1, 0);
        }
        self.seen.get_mut(index)
    }

    /// Runs the `count` entries that [`fill`](Self::fill) put into the ring.
    ///
    /// # Safety
    ///
    /// - As for [`Executor::run`].
    unsafe fn run_ring(&mut self, table: &Table<'_>, first: u32, count: u32, chain: &mut Chain) {
        self.results.clear();
        self.results.resize(count as usize, NOT_SUBMITTED);
        let results = &mut self.results;
        self.ring.run(|index, res| {
            if let Some(result) = usize::try_from(index)
                .ok()
                .and_then(|index| results.get_mut(index))
            {
                *result = res;
            }
        });
        table.executor().walk(first, count, chain, |position, call| {
            // `walk` passes over entries behind a break, which the link has kept from running.
            let result = self.results[position.wrapping_sub(first) as usize];
            // SAFETY: the caller's promise covers each entry of the batch.
            Step::Done(unsafe { settle(call, result, &mut self.vectors) })
        });
    }
}

/// The flags of a call that has message flags.
fn message_flags(call: &Call) -> Option<u64> {
    match call.nr {
        nr::SENDTO | nr::RECVFROM => Some(call.args[3]),
        nr::SENDMSG => Some(call.args[2]),
        _ => None,
    }
}

/// Whether the call itself says that it does not wait.
fn never_waits(call: &Call) -> bool {
    message_flags(call).is_some_and(|flags| flags & u64::from(MsgFlags::DONTWAIT.bits()) != 0)
}

/// The result that a plain call would have given, where io_uring gave `result`.
///
/// # Safety
///
/// - The call is sound to make now.
unsafe fn settle(call: &Call, result: i32, vectors: &mut Vec<u64>) -> SysResult {
    let done = SysResult::from_raw(result.into());
    let flags = message_flags(call);
    let quiet = flags.is_none_or(|flags| flags & u64::from(MsgFlags::NOSIGNAL.bits()) != 0);
    let again = match done.errno() {
        None => false,
        Some(Errno::EAGAIN) => waits(call),
        Some(Errno::EPIPE) => !quiet,
        // The link broke before it, or it was interrupted.
        Some(Errno::ECANCELED | Errno::EINTR) => true,
        Some(_) => false,
    };
    if again || result == NOT_SUBMITTED {
        // SAFETY: the caller's promise.
        return unsafe { crate::syscall(call.nr, &call.args) };
    }
    let Some(moved) = short(call, result).filter(|_| waits(call)) else {
        return done;
    };
    let Some(rest) = remainder(call, moved, vectors) else {
        return done;
    };
    // SAFETY: the same call on the part of the same memory that is left.
    let more = unsafe { crate::syscall(rest.nr, &rest.args) };
    SysResult::from_raw(i64::from(result) + more.into_result().unwrap_or(0).cast_signed())
}

/// Whether a call waits: neither it nor the file says that it does not. Where the answer is no, what io_uring said
/// stands: it is what a plain call at that moment would have said.
#[cold]
fn waits(call: &Call) -> bool {
    const FCNTL: u32 = if cfg!(target_arch = "x86_64") { 72 } else { 25 };
    const F_GETFL: u64 = 3;
    const O_NONBLOCK: u64 = 0o4000;
    if never_waits(call) {
        return false;
    }
    // SAFETY: reads the flags of a descriptor and touches no memory.
    let flags = unsafe { crate::syscall(FCNTL, &[call.args[0], F_GETFL, 0, 0, 0, 0]) };
    flags.into_result().is_ok_and(|flags| flags & O_NONBLOCK == 0)
}

/// How many bytes a call moved that moved some, but fewer than a file that waits would have.
fn short(call: &Call, result: i32) -> Option<u64> {
    let moved = u64::try_from(result).ok()?;
    (moved > 0 && moved < call.full_length()?).then_some(moved)
}

/// What is left of a call that moved `moved` bytes.
fn remainder(call: &Call, moved: u64, vectors: &mut Vec<u64>) -> Option<Call> {
    let mut rest = *call;
    match call.nr {
        nr::SENDTO | nr::RECVFROM => {
            rest.args[1] += moved;
            rest.args[2] -= moved;
        }
        nr::SENDMSG => {
            let header = core::ptr::with_exposed_provenance::<[u64; 7]>(usize::try_from(call.args[1]).ok()?);
            // SAFETY: the entry is a sound `sendmsg`, so its header is there to be read: seven words, aligned.
            let mut header = unsafe { header.read() };
            // SAFETY: as above, its vectors.
            let (place, count) = unsafe { tail(header[2], header[3], moved, vectors) };
            header[2] = place;
            header[3] = count;
            // Behind the vectors, which do not move: room was reserved for it.
            let at = vectors.len();
            vectors.extend(header);
            rest.args[1] = address(vectors[at..].as_ptr());
        }
        _ => return None,
    }
    Some(rest)
}

/// A copy of `count` vectors at `place` without their first `skip` bytes: address and number.
///
/// # Safety
///
/// - There are `count` vectors of two aligned words at `place`.
unsafe fn tail(place: u64, count: u64, mut skip: u64, into: &mut Vec<u64>) -> (u64, u64) {
    into.clear();
    let place = core::ptr::with_exposed_provenance::<[u64; 2]>(usize::try_from(place).unwrap_or(0));
    let count = usize::try_from(count).unwrap_or(0);
    into.reserve(2 * count + 7);
    for index in 0..count {
        // SAFETY: below the number of vectors that the caller vouches for.
        let vector = unsafe { place.add(index) };
        // SAFETY: as above: there to be read, and aligned.
        let [base, len] = unsafe { vector.read() };
        let cut = skip.min(len);
        skip -= cut;
        if cut < len {
            into.extend([base + cut, len - cut]);
        }
    }
    (address(into.as_ptr()), into.len() as u64 / 2)
}

// SAFETY: `walk` completes or cancels each entry in order and keeps the chain. `Ring::run` returns when everything
// submitted has completed, and nothing given to the ring waits. Order: io_uring issues entries that are not linked in the
// order of submission, a chain is the last of its sub-batch, and an entry that is made again is the last one on its file.
unsafe impl Executor for Uring {
    unsafe fn run(&mut self, table: &Table<'_>, first: u32, count: u32) -> Result<u32, Errno> {
        let mut chain = Chain::new();
        let mut at = 0;
        while at < count {
            let position = first.wrapping_add(at);
            let left = count - at;
            let mut plain = left;
            if chain.is_broken() {
                plain = 1;
            } else if left >= self.break_even {
                let filled = self.fill(table, position, left);
                if filled >= self.break_even {
                    // SAFETY: the caller's promise covers the whole batch.
                    unsafe { self.run_ring(table, position, filled, &mut chain) };
                    at += filled;
                    continue;
                }
                self.ring.retract(filled);
                plain = filled.max(1);
            }
            at += table.executor().walk(position, plain, &mut chain, |_, call| {
                // SAFETY: the caller's promise covers the whole batch.
                Step::Done(unsafe { crate::syscall(call.nr, &call.args) })
            });
        }
        Ok(count)
    }

    #[inline]
    fn is_plain(&self, count: u32) -> bool {
        count < self.break_even
    }

    fn describe(&self) -> Description {
        Description {
            name: "io_uring",
            why: match (self.break_even(), self.ring.is_deferred()) {
                (None, _) => {
                    "io_uring works, but was measured to cost more than plain calls, which are made instead"
                }
                (Some(_), true) => "one io_uring_enter for a batch that is large enough to pay",
                (Some(_), false) => {
                    "one io_uring_enter for a large batch; costs more than on Linux 6.1 and later"
                }
            },
        }
    }
}
