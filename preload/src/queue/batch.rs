//! A batch of calls, and what runs it.

use batch_table::{Call, Chain, EntryFlags, Features, Outcome, Step as Walked, Table};
use esca_sys::{AnyExecutor, Executor, TableMemory};
use libc::c_int;

use crate::queue::company;
use crate::queue::plan::Step;
use crate::settings;
use crate::stats::{self, STATS};
use crate::sys;

/// Entries of a table.
const CAPACITY: u32 = 256;

/// Has the executor run entries: how many ran.
///
/// # Safety
///
/// - As for [`Executor::run`].
#[cfg(not(test))]
#[inline]
unsafe fn execute(executor: &mut AnyExecutor, table: &Table<'_>, first: u32, count: u32) -> u32 {
    // SAFETY: the caller's promise.
    unsafe { executor.run(table, first, count) }.unwrap_or(0)
}

#[cfg(test)]
use crate::queue::tests::faults::run as execute;

/// A table, and what runs it.
#[derive(Debug)]
pub(crate) struct Batch {
    // Declared before `_memory`, which it looks at.
    table: Table<'static>,
    executor: AnyExecutor,
    /// The position behind the last entry.
    tail: u32,
    number: u16,
    /// The steps of the entries.
    steps: Vec<Step>,
    _memory: TableMemory,
}

impl Batch {
    /// A table, and the executor that `ESCA_EXECUTOR` asks for; `None` where that cannot be had.
    ///
    /// Without a wish it is the kernel module where that is loaded, else plain calls. A ring has to be asked for: it takes a
    /// descriptor among the program's own, and whether it pays is measured in a moment that may not be like those to come.
    pub(crate) fn new() -> Option<Box<Self>> {
        let mut executor = match settings::executor() {
            "" | "auto" => AnyExecutor::named("kernel").or_else(|_| AnyExecutor::named("direct")),
            name => AnyExecutor::named(name),
        }
        .ok()?;
        if settings::learns() {
            // Elsewhere even calls that are not joined are made for less.
            company::set_lone(!executor.is_plain(CAPACITY));
        }
        let memory = executor.allocate(CAPACITY).ok()?;
        // SAFETY: the memory is as `TableMemory` promises: initialised, and touched through this table alone, which is not
        // handed out and goes with the batch, before the memory does.
        let table = unsafe { Table::init_raw(memory.pointer(), memory.len(), CAPACITY, Features::KNOWN) };
        Some(Box::new(Self {
            table: table.ok()?,
            executor,
            tail: 0,
            number: 1,
            steps: Vec::with_capacity(CAPACITY as usize),
            _memory: memory,
        }))
    }

    /// A number that the batches before this one have not had for long.
    #[inline]
    pub(crate) const fn number(&self) -> u16 {
        self.number
    }

    /// Whether the next call is the last one that there is room for.
    pub(crate) fn is_all_but_full(&self) -> bool {
        self.steps.len() + 1 >= CAPACITY as usize
    }

    /// Adds a call to the batch.
    pub(crate) fn publish(&mut self, step: Step, call: &Call) {
        let published = self.table.producer().publish(self.tail, call);
        debug_assert!(published.is_ok(), "`finish` has emptied the entries");
        self.tail = self.tail.wrapping_add(1);
        self.steps.push(step);
    }

    /// A close of this descriptor comes behind what is in the batch.
    pub(crate) fn closed(&mut self, fd: c_int) {
        for step in self.steps.iter_mut().rev().take_while(|step| step.fd == fd) {
            step.closed = true;
        }
    }

    /// Runs the batch; every entry is done or cancelled then.
    pub(crate) fn run(&mut self, own: bool) {
        // Fits: at most `CAPACITY`.
        let count = u32::try_from(self.steps.len()).unwrap_or(0);
        let first = self.tail.wrapping_sub(count);
        let producer = self.table.producer();
        let mut done = 0;
        let mut broken = false;
        while done < count {
            let at = first.wrapping_add(done);
            if broken {
                self.table.executor().cancel(at);
                broken = producer.flags(at).contains(EntryFlags::LINK);
                done += 1;
                continue;
            }
            let mut ran = 0;
            if own {
                // SAFETY: the entries are calls on the program's own descriptors, which it asked for; the bytes that they
                // name are in the arena, which stays as it is until the flush has ended.
                ran = unsafe { execute(&mut self.executor, &self.table, at, count - done) };
            }
            if ran == 0 {
                // Another thread's ring cannot be used from here, and an executor may fail as a whole.
                ran = self
                    .table
                    .executor()
                    .walk(at, count - done, &mut Chain::new(), |_, call| {
                        // SAFETY: as above.
                        Walked::Done(unsafe { sys::run(call) })
                    });
            }
            done += ran.clamp(1, count - done);
            let last = first.wrapping_add(done).wrapping_sub(1);
            let call = producer.call(last);
            broken = call.is_linked()
                && match producer.outcome(last) {
                    Some(Outcome::Done(result)) => call.breaks_chain(result),
                    _ => true,
                };
        }
        stats::count(&STATS.calls, u64::from(count));
    }

    /// Takes the results of the batch, which has run.
    pub(crate) fn finish(&mut self, mut each: impl FnMut(Step, Outcome)) {
        let count = u32::try_from(self.steps.len()).unwrap_or(0);
        let first = self.tail.wrapping_sub(count);
        self.number = self.number.wrapping_add(1).max(1);
        for (step, offset) in self.steps.drain(..).zip(0..) {
            let outcome = self.table.producer().take(first.wrapping_add(offset));
            each(step, outcome.unwrap_or(Outcome::Canceled));
        }
    }
}
