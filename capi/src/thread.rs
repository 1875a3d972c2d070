//! What a thread has: its batch, its tokens, its results.

use std::cell::RefCell;
use std::collections::{HashSet, VecDeque};
use std::ffi::{CStr, c_int};
use std::mem;
use std::panic::{AssertUnwindSafe, catch_unwind};

use esca_sys::{AnyExecutor, Descriptor, Errno, Executor, Operation, Segment, SysResult, syscall};

use crate::errors::{Failure, negated};
use crate::fork;
use crate::payload::{Blocks, Pool};

/// Entries of the table; the header says so, too.
const CAPACITY: u32 = 256;
/// `ESCA_RESULTS_KEPT`
const RESULTS_KEPT: usize = 1024;
/// `ESCA_PENDING`
pub(crate) const PENDING: i64 = i64::MIN;
/// `ESCA_UNKNOWN`
pub(crate) const UNKNOWN: i64 = i64::MIN + 1;

/// The state of one thread.
#[derive(Debug, Default)]
pub(crate) struct Thread {
    segment: Option<Segment<AnyExecutor>>,
    pub(crate) failure: Option<Failure>,
    pub(crate) pool: Pool,
    /// Declared behind the segment, whose entries point there.
    pub(crate) blocks: Blocks,
    /// Starts of batches that have not been flushed.
    depth: u32,
    /// The next call is linked to the one behind it.
    linked: bool,
    /// Results in the order of the calls; the first one is that of token `first`.
    results: VecDeque<i64>,
    first: i64,
    /// Calls made at once since the last batch.
    outside: usize,
    /// The next token.
    next: i64,
    /// The first token of the batch.
    start: i64,
    tcp: HashSet<c_int>,
    generation: u32,
}

impl Thread {
    /// Makes the segment, where there is none.
    pub(crate) fn prepare(&mut self) -> Result<&mut Segment<AnyExecutor>, Errno> {
        self.failure = None;
        if self.segment.is_none() {
            match new_segment() {
                Ok(segment) => self.segment = Some(segment),
                Err(failure) => {
                    let errno = failure.errno;
                    self.failure = Some(failure);
                    return Err(errno);
                }
            }
        }
        self.segment.as_mut().ok_or(Errno::EINVAL)
    }

    pub(crate) fn executor_name(&self) -> Option<&'static CStr> {
        let description = self.segment.as_ref()?.executor().describe();
        Some(match description.name {
            "direct" => c"direct",
            "io_uring" => c"uring",
            "kernel" => c"kernel",
            _ => c"other",
        })
    }

    pub(crate) fn begin(&mut self) -> Result<(), Errno> {
        let depth = self.depth.checked_add(1).ok_or(Errno::EOVERFLOW)?;
        if self.depth == 0 {
            self.prepare()?;
            self.results.clear();
            self.outside = 0;
            self.first = self.next;
            self.start = self.next;
        }
        self.depth = depth;
        Ok(())
    }

    /// Ends a batch and returns how many calls it had.
    pub(crate) fn end(&mut self) -> Result<i64, Errno> {
        self.depth = self.depth.checked_sub(1).ok_or(Errno::EINVAL)?;
        if self.depth > 0 {
            return Ok(0);
        }
        self.linked = false;
        self.tcp.clear();
        if let Some(segment) = &mut self.segment
            && segment.flush().is_err()
        {
            segment.flush_plain();
            // Nothing is left for the executor to fail at; this ends the chain.
            let _ = segment.flush();
        }
        self.collect();
        Ok(self.next - self.start)
    }

    pub(crate) const fn in_batch(&self) -> bool {
        self.depth > 0
    }

    pub(crate) const fn link_next(&mut self) {
        self.linked = self.in_batch();
    }

    pub(crate) fn assume_tcp(&mut self, fd: c_int) {
        if self.in_batch() {
            self.tcp.insert(fd);
        }
    }

    /// What the program says about a file.
    pub(crate) fn descriptor(&self, fd: c_int) -> Descriptor {
        // SAFETY: the program keeps the number open until the call has run, which the header asks for. (Where it does not,
        // the call acts on another file or fails, as in any C program; no memory depends on it.)
        let descriptor = unsafe { Descriptor::raw(fd) };
        if !self.tcp.is_empty() && self.tcp.contains(&fd) {
            return descriptor.assume_tcp();
        }
        descriptor
    }

    pub(crate) fn result(&self, token: i64) -> i64 {
        if token < 0 {
            return token;
        }
        if token >= self.next || token < self.first {
            return UNKNOWN;
        }
        let index = usize::try_from(token - self.first).ok();
        let result = index.and_then(|index| self.results.get(index));
        result.copied().unwrap_or(PENDING)
    }

    /// Makes a call at once, outside of a batch.
    ///
    /// # Safety
    ///
    /// - As for [`syscall`].
    pub(crate) unsafe fn call(&mut self, nr: u32, args: &[u64; 6]) -> i64 {
        // SAFETY: passed on to the caller.
        let result = unsafe { syscall(nr, args) };
        if self.outside == RESULTS_KEPT {
            self.results.pop_front();
            self.first += 1;
        } else {
            self.outside += 1;
        }
        self.results.push_back(result.to_raw());
        self.token()
    }

    /// Records an operation in the batch. One that could not be made takes its place all the same: it fails with its error
    /// and breaks its chain.
    pub(crate) fn record(&mut self, operation: Result<Operation, Errno>) -> i64 {
        let (operation, failed) = match operation {
            Ok(operation) => (operation, 0),
            Err(errno) => (fails(), errno.raw().into()),
        };
        let linked = mem::take(&mut self.linked);
        let operation = if linked { operation.linked() } else { operation };
        let Some(segment) = &mut self.segment else {
            return negated(Errno::EINVAL);
        };
        if let Err(error) = segment.push(operation, failed) {
            let (operation, failed) = error.into_parts();
            segment.flush_plain();
            self.collect();
            if let Some(segment) = &mut self.segment
                && let Err(error) = segment.push(operation, failed)
            {
                // The table is empty now, so this does not happen; if it does, it is no result of a call.
                return negated(error.cause().errno());
            }
        }
        self.collect();
        self.token()
    }

    /// Holds a block until the call that is about to be recorded has run.
    pub(crate) fn hold(&mut self, block: Vec<u64>) {
        self.blocks.hold(self.next, block);
    }

    fn token(&mut self) -> i64 {
        let token = self.next;
        self.next += 1;
        token
    }

    /// Takes the results of what has run, and its memory.
    fn collect(&mut self) {
        let Some(segment) = &mut self.segment else {
            return;
        };
        while let Some(completion) = segment.next_completion() {
            let failed = i64::try_from(completion.token).unwrap_or(0);
            let ran = failed == 0 || completion.result == SysResult::CANCELED;
            let result = if ran { completion.result.to_raw() } else { -failed };
            self.results.push_back(result);
            if let Some(buffer) = completion.buffer {
                self.pool.recycle(buffer);
            }
        }
        let done = i64::try_from(self.results.len()).unwrap_or(0);
        self.blocks.release_before(self.first + done);
    }

    /// In a child, forgets what belongs to the parent.
    fn check_process(&mut self) {
        let generation = fork::generation();
        if self.generation != generation {
            // Not dropped: it would reach for a table that is not mapped here.
            mem::forget(mem::take(&mut self.segment));
            *self = Self {
                generation,
                next: self.next,
                first: self.next,
                ..Self::default()
            };
        }
    }
}

/// A call that fails and does nothing, as `EBADF`.
fn fails() -> Operation {
    // SAFETY: no file has this number, so nothing is closed.
    unsafe { Operation::close_raw(-1) }
}

fn new_segment() -> Result<Segment<AnyExecutor>, Failure> {
    let executor = AnyExecutor::probe()?;
    Ok(Segment::new(executor, CAPACITY)?)
}

/// Drops the state unless it belongs to the parent.
#[derive(Debug, Default)]
struct Slot(RefCell<Thread>);

impl Drop for Slot {
    fn drop(&mut self) {
        self.0.get_mut().check_process();
    }
}

thread_local! {
    static THREAD: Slot = Slot::default();
}

/// Runs `f` with the state of this thread. No panic leaves it.
///
/// # Errors
///
/// `EBUSY` where the state is in use, by the function that a signal handler interrupted; `ESHUTDOWN` where it is gone,
/// because the thread ends; `EIO` where `f` panicked.
pub(crate) fn with<T>(f: impl FnOnce(&mut Thread) -> T) -> Result<T, Errno> {
    let run = || {
        THREAD.try_with(|slot| {
            let mut thread = slot.0.try_borrow_mut().map_err(|_| Errno::EBUSY)?;
            thread.check_process();
            Ok(f(&mut thread))
        })
    };
    match catch_unwind(AssertUnwindSafe(run)) {
        Ok(Ok(result)) => result,
        Ok(Err(_)) => Err(Errno::ESHUTDOWN),
        Err(panic) => {
            // Its drop might panic again.
            mem::forget(panic);
            Err(Errno::EIO)
        }
    }
}
