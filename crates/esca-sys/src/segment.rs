//! Segments: operations recorded one by one, run together, each with its own result.

mod borrow;
mod error;

use alloc::boxed::Box;
use alloc::collections::VecDeque;
use core::fmt;
use core::mem::ManuallyDrop;

use batch_table::{Chain, EntryFlags, Errno, Features, Outcome, Step, SysResult, Table};
pub use borrow::{BorrowedOperation, BorrowedPushError, Borrowing};
use error::Rejected;
pub use error::{FlushError, PushError, SegmentError};

use crate::optimise::{self, Optimiser};
use crate::slots::{Slot, Slots};
use crate::{Completion, Executor, Operation, TableMemory};

/// Operations that wait to be run together, and the results of those that were.
///
/// - Nothing runs before [`flush`](Self::flush), but a table that is full flushes itself. Completions come in the order of
///   submission, each with its own result, as plain calls one after the other would have given.
/// - Between calls of its methods nothing is in flight: a flush returns when all has been done.
/// - Dropping a segment drops the operations that have not been run: they act on nothing, their buffers and files are
///   freed (a descriptor to close is closed). Flush first where they matter.
///
/// In the steady state nothing allocates: table entries and slots are used again.
pub struct Segment<X> {
    // Declared before `memory`, which the table looks at.
    table: Table<'static>,
    slots: Slots,
    executor: X,
    /// Completions that had to leave the table before anybody took them.
    spilled: VecDeque<Completion>,
    /// Positions, counters modulo 2^32: `head..ready` has run, `ready..tail` waits.
    head: u32,
    ready: u32,
    tail: u32,
    /// How many entries may be pushed before anything else has to be looked at.
    room: u32,
    /// The last entry that ran is linked to the next one and broke their chain.
    broken: bool,
    optimiser: Optimiser,
    optimise: bool,
    /// The TCP socket of the last entry recorded, or [`NO_SOCKET`].
    last_socket: u64,
    /// Two adjacent entries among those recorded are for one TCP socket.
    adjacent: bool,
    _memory: TableMemory,
}

/// No descriptor: those are sign-extended 32-bit numbers.
const NO_SOCKET: u64 = 1 << 40;

impl<X: Executor> Segment<X> {
    /// A segment with a table of `capacity` entries, a power of two in `1..=4096`.
    ///
    /// # Errors
    ///
    /// [`SegmentError::Capacity`] for another number, [`SegmentError::Memory`] where there is none.
    pub fn new(mut executor: X, capacity: u32) -> Result<Self, SegmentError> {
        if batch_table::table_size(capacity).is_err() {
            return Err(SegmentError::Capacity(capacity));
        }
        let memory = executor.allocate(capacity).map_err(SegmentError::Memory)?;
        // SAFETY: the memory is as `TableMemory` promises: initialised, and touched through this table alone. It lives
        // as long as the segment, which never hands the table out for longer than a borrow of itself.
        let table = unsafe { Table::init_raw(memory.pointer(), memory.len(), capacity, Features::KNOWN) };
        Ok(Self {
            table: table.map_err(SegmentError::Layout)?,
            slots: Slots::new(capacity),
            executor,
            spilled: VecDeque::new(),
            head: 0,
            ready: 0,
            tail: 0,
            room: capacity,
            broken: false,
            optimiser: Optimiser::new(),
            optimise: true,
            last_socket: NO_SOCKET,
            adjacent: false,
            _memory: memory,
        })
    }

    /// Records an operation. `token` comes back with its completion.
    ///
    /// A full table flushes itself first, and so does a table whose last entry may block; the completions wait for
    /// [`next_completion`](Self::next_completion). A chain goes on across such a flush.
    ///
    /// # Errors
    ///
    /// [`PushError`] with the operation, where the executor failed as a whole.
    // Out of line the operation, 150 bytes, would be stored, passed and loaded again before its fields are stored.
    #[inline(always)]
    pub fn push(&mut self, operation: Operation, token: u64) -> Result<(), PushError> {
        // Nothing below may need the operation's address, not even to drop it while unwinding: only so the compiler takes it
        // apart and stores its fields straight into the table.
        let operation = ManuallyDrop::new(operation);
        if self.room == 0
            && let Err(cause) = self.make_room()
        {
            let rejected = Box::new_uninit();
            let operation = ManuallyDrop::into_inner(operation);
            return Err(PushError(Box::write(
                rejected,
                Rejected {
                    operation,
                    token,
                    cause,
                },
            )));
        }
        self.record(ManuallyDrop::into_inner(operation), token);
        Ok(())
    }

    /// Records an operation where there is room.
    #[inline(always)]
    fn record(&mut self, operation: Operation, token: u64) {
        let Operation {
            mut call,
            payload,
            hint,
            blocks,
            first,
            second,
        } = operation;
        if hint.tcp {
            self.adjacent |= call.args[0] == self.last_socket;
            self.last_socket = call.args[0];
        } else {
            self.last_socket = NO_SOCKET;
        }
        self.slots.put_words(self.tail, &payload, &mut call);
        self.slots.put(
            self.tail,
            Slot {
                token,
                payload,
                hint,
                first,
                second,
            },
        );
        let published = self.table.producer().publish(self.tail, &call);
        debug_assert!(published.is_ok(), "an entry outside head..tail is empty");
        self.tail = self.tail.wrapping_add(1);
        self.room = if blocks { 0 } else { self.room - 1 };
    }

    /// Runs everything that has been recorded and returns how many entries that were.
    ///
    /// A chain ends here, whether or not its last operation was linked.
    ///
    /// # Errors
    ///
    /// [`FlushError`] where the executor failed as a whole; what has not run stays recorded.
    #[inline]
    pub fn flush(&mut self) -> Result<usize, FlushError> {
        if self.pending() == 1 && !self.broken && self.executor.is_plain(1) {
            self.run_alone();
            return Ok(1);
        }
        self.flush_batch()
    }

    #[inline(never)]
    fn flush_batch(&mut self) -> Result<usize, FlushError> {
        let start = self.ready;
        if start == self.tail {
            self.broken = false;
            return Ok(0);
        }
        self.run()?;
        self.broken = false;
        self.room = self.capacity() - self.tail.wrapping_sub(self.head);
        Ok(self.ready.wrapping_sub(start) as usize)
    }

    /// Runs everything that has been recorded by plain calls, whatever the executor is, and returns how many entries that
    /// were: for when a flush or a full table's own flush failed.
    ///
    /// A chain goes on across it. It does not stop for a signal; a call that a signal ends has `EINTR` as its result.
    pub fn flush_plain(&mut self) -> usize {
        let start = self.ready;
        while self.ready != self.tail {
            if self.broken {
                self.cancel_next();
                continue;
            }
            let count = self.tail.wrapping_sub(self.ready);
            let executor = self.table.executor();
            let done = executor.walk(self.ready, count, &mut Chain::new(), |_, call| {
                // SAFETY: the call of an entry among `ready..tail`, sound to make now for the reasons in `run`.
                Step::Done(unsafe { crate::syscall(call.nr, &call.args) })
            });
            self.advance(done);
        }
        self.adjacent = false;
        self.last_socket = NO_SOCKET;
        self.room = self.capacity() - self.tail.wrapping_sub(self.head);
        self.ready.wrapping_sub(start) as usize
    }

    /// The next completion, in the order of submission, or `None` where everything that has run was taken.
    #[inline]
    pub fn next_completion(&mut self) -> Option<Completion> {
        if !self.spilled.is_empty() {
            return self.next_spilled();
        }
        (self.head != self.ready).then(|| self.take())
    }

    #[cold]
    #[inline(never)]
    fn next_spilled(&mut self) -> Option<Completion> {
        self.spilled.pop_front()
    }

    /// Number of operations that wait for a flush.
    #[inline]
    #[must_use]
    pub const fn pending(&self) -> usize {
        self.tail.wrapping_sub(self.ready) as usize
    }

    /// Number of completions that wait to be taken.
    #[inline]
    #[must_use]
    pub fn completed(&self) -> usize {
        self.spilled.len() + self.ready.wrapping_sub(self.head) as usize
    }

    /// Number of entries of the table.
    #[inline]
    #[must_use]
    pub const fn capacity(&self) -> u32 {
        self.table.capacity()
    }

    /// Switches the optimiser on (as it is at first) or off. It looks only at operations on descriptors that were declared
    /// TCP sockets ([`Descriptor::assume_tcp`](crate::Descriptor::assume_tcp)), and leaves all results as they are.
    pub const fn set_optimise(&mut self, on: bool) {
        self.optimise = on;
    }

    /// The executor.
    #[inline]
    #[must_use]
    pub const fn executor(&self) -> &X {
        &self.executor
    }

    /// The executor.
    #[inline]
    #[must_use]
    pub const fn executor_mut(&mut self) -> &mut X {
        &mut self.executor
    }

    /// Runs the only entry that waits by a plain call. In line, so that behind the call, which leaves little of the
    /// processor's predictions, neither a return nor a loop has to be predicted.
    #[inline(always)]
    fn run_alone(&mut self) {
        let call = self.table.producer().call(self.ready);
        // SAFETY: the call of the entry `ready`, sound to make now for the reasons in `run`.
        let result = unsafe { crate::syscall(call.nr, &call.args) };
        self.table.executor().complete(self.ready, result);
        self.ready = self.tail;
        self.adjacent = false;
        self.last_socket = NO_SOCKET;
        self.room = self.capacity() - self.tail.wrapping_sub(self.head);
    }

    /// Runs `ready..tail`.
    #[inline]
    fn run(&mut self) -> Result<(), FlushError> {
        while self.ready != self.tail {
            if self.broken {
                self.cancel_next();
                continue;
            }
            let mut count = self.tail.wrapping_sub(self.ready);
            if self.adjacent && self.optimise {
                // SAFETY: `find` asks about the `count` entries from `ready` on, whose slots are filled.
                let hint = |at| unsafe { self.slots.hint(at) };
                let group = optimise::find(&self.table, self.ready, count, hint);
                if group.before == 0 {
                    self.run_group(group.len);
                    continue;
                }
                count = group.before;
            }
            // SAFETY: the entries `ready..tail` were recorded from operations, which promise sound calls, and what they
            // point to is owned by the slots, which stay as they are until the entries are taken.
            let done = unsafe { self.executor.run(&self.table, self.ready, count) };
            let done = done.map_err(|errno| FlushError { errno })?.min(count);
            if done == 0 {
                // Nothing in the way of progress but a signal; the caller may have to look at it.
                return Err(FlushError { errno: Errno::EINTR });
            }
            self.advance(done);
        }
        self.adjacent = false;
        self.last_socket = NO_SOCKET;
        Ok(())
    }

    /// Runs the `len` entries at `ready` as plain calls, optimised.
    fn run_group(&mut self, len: u32) {
        self.optimiser.run(
            &self.table,
            self.ready,
            len,
            // SAFETY: the optimiser asks about the `len` entries from `ready` on, whose slots are filled.
            |at| unsafe { self.slots.hint(at) },
            |call| {
                // SAFETY: the call of an entry among `ready..tail`, with a flag that changes when its bytes leave, or
                // several of them in one, or an option of the same socket; sound for the reasons in `run`.
                unsafe { crate::syscall(call.nr, &call.args) }
            },
        );
        self.advance(len);
    }

    /// Notes that `count` entries from `ready` on are finished.
    #[inline]
    fn advance(&mut self, count: u32) {
        self.ready = self.ready.wrapping_add(count);
        self.broken = self.breaks(self.ready.wrapping_sub(1));
    }

    /// Whether the finished entry of `position` is linked and did not work.
    #[inline]
    fn breaks(&self, position: u32) -> bool {
        let producer = self.table.producer();
        producer.flags(position).contains(EntryFlags::LINK)
            && match producer.outcome(position) {
                Some(Outcome::Done(result)) => producer.call(position).breaks_chain(result),
                _ => true,
            }
    }

    /// Cancels the entry of `ready`, whose chain broke in an earlier run.
    #[cold]
    fn cancel_next(&mut self) {
        self.table.executor().cancel(self.ready);
        self.broken = self.table.producer().call(self.ready).is_linked();
        self.ready = self.ready.wrapping_add(1);
    }

    /// Takes the completion of `head`, which has run. In line for the reason of [`run_alone`](Self::run_alone).
    #[inline(always)]
    fn take(&mut self) -> Completion {
        let position = self.head;
        self.head = position.wrapping_add(1);
        self.room += u32::from(self.room != 0);
        let outcome = self.table.producer().take(position);
        debug_assert!(
            outcome.is_some(),
            "an executor finishes the entries that it says it has"
        );
        let outcome = outcome.unwrap_or(Outcome::Done(SysResult::from_errno(Errno::EIO)));
        // SAFETY: filled when the entry was recorded; `head` has moved on, so it is emptied once.
        unsafe { self.slots.finish(position, outcome) }
    }

    /// Runs what waits and moves completions out of the table, so that there is room for at least one entry.
    #[cold]
    fn make_room(&mut self) -> Result<(), FlushError> {
        self.run()?;
        if self.tail.wrapping_sub(self.head) == self.capacity() {
            while self.head != self.ready {
                let completion = self.take();
                self.spilled.push_back(completion);
            }
        }
        self.room = self.capacity() - self.tail.wrapping_sub(self.head);
        Ok(())
    }
}

impl<X> Drop for Segment<X> {
    fn drop(&mut self) {
        // By state and not by counter, so that an executor that panicked leaves no descriptor closed twice.
        while self.head != self.tail {
            let position = self.head;
            self.head = position.wrapping_add(1);
            let outcome = self.table.producer().take(position).unwrap_or(Outcome::Canceled);
            // SAFETY: the slots of `head..tail` are filled; `head` has moved on, so each is emptied once.
            unsafe { self.slots.finish(position, outcome) };
        }
    }
}

impl<X: fmt::Debug> fmt::Debug for Segment<X> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Segment")
            .field("executor", &self.executor)
            .field("capacity", &self.table.capacity())
            .field("pending", &self.tail.wrapping_sub(self.ready))
            .field(
                "completed",
                &(self.spilled.len() + self.ready.wrapping_sub(self.head) as usize),
            )
            .finish_non_exhaustive()
    }
}
