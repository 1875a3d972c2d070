//! The walk over a batch.

use batch_table::nr::native as nr;
use batch_table::{Call, Chain, Errno, Step, SysResult, Table, device};

use crate::{Answer, is_allowed};

/// Whether the next entry may run.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Verdict {
    /// It may.
    Go,
    /// A signal is pending: better not, unless nothing has run yet.
    Signal,
    /// It must not: somebody watches the system calls of this task now.
    Watched,
}

/// Who makes the calls.
pub trait Host {
    /// Asked before each entry that is to run. Lets other tasks run, where they wait for the processor.
    fn check(&mut self) -> Verdict;

    /// Asked behind a `close` in the same batch: whether `call` may wait for something while the close is not finished.
    fn may_wait(&mut self, call: &Call) -> bool;

    /// Makes a call and returns what its handler returned. Only calls that [`is_allowed`] allows get here.
    fn call(&mut self, call: &Call) -> i64;
}

/// Runs the entries that `argument` names ([`device::flush_argument`]) and returns how many are finished.
///
/// # Errors
///
/// `EINVAL` where `argument` is no range of the table; no entry was touched.
#[inline]
pub fn flush(table: &Table<'_>, argument: u64, host: &mut impl Host) -> Result<u32, Errno> {
    let Some((first, count)) = device::parse_flush_argument(argument, table.capacity()) else {
        return Err(Errno::EINVAL);
    };
    let mut batch = Batch {
        host,
        progress: false,
        past: Past::NOTHING,
    };
    Ok(table
        .executor()
        .walk(first, count, &mut Chain::new(), |_, call| batch.step(call)))
}

/// What the entries so far mean for the next one.
struct Batch<'a, H> {
    host: &'a mut H,
    /// An entry was finished by a call or a refusal.
    progress: bool,
    past: Past,
}

/// What was done that makes the entries behind it special. A set, so that the common case is one comparison.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
struct Past(u8);

impl Past {
    const NOTHING: Self = Self(0);
    /// A file descriptor was closed.
    const CLOSED: Self = Self(1);
    /// The batch ended before its last entry.
    const ENDED: Self = Self(2);

    fn holds(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }
}

impl<H: Host> Batch<'_, H> {
    /// One entry. To stop is decided before an entry and never behind one, so that the rest of a broken chain, of which the
    /// walk does not ask here, is cancelled in the same flush.
    #[inline]
    fn step(&mut self, call: &Call) -> Step {
        if self.past != Past::NOTHING {
            return self.step_behind(call);
        }
        match self.admit(call) {
            Ok(()) => self.make(call),
            Err(step) => step,
        }
    }

    /// One entry behind a close, or behind the end.
    #[cold]
    fn step_behind(&mut self, call: &Call) -> Step {
        if self.past.holds(Past::ENDED) {
            return Step::Stop;
        }
        match self.admit(call) {
            Ok(()) if self.past.holds(Past::CLOSED) && self.host.may_wait(call) => Step::Stop,
            Ok(()) => self.make(call),
            Err(step) => step,
        }
    }

    /// Whether an entry may run now; else what becomes of it.
    #[inline]
    fn admit(&mut self, call: &Call) -> Result<(), Step> {
        match self.host.check() {
            Verdict::Go => {}
            // With nothing done, stopping would be no progress, and the call sees the signal by itself.
            Verdict::Signal if !self.progress => {}
            Verdict::Signal | Verdict::Watched => return Err(Step::Stop),
        }
        if is_allowed(call.nr) {
            return Ok(());
        }
        self.progress = true;
        Err(Step::Done(SysResult::from_errno(Errno::EPERM)))
    }

    /// Makes the call.
    #[inline]
    fn make(&mut self, call: &Call) -> Step {
        match Answer::of(self.host.call(call)) {
            Answer::Finished(result) => {
                self.progress = true;
                match call.nr {
                    nr::CLOSE => self.past = Past(self.past.0 | Past::CLOSED.0),
                    // It may leave a signal mask that counts until the return to user space.
                    nr::EPOLL_PWAIT => self.past = Past(self.past.0 | Past::ENDED.0),
                    _ => {}
                }
                Step::Done(result)
            }
            Answer::Interrupted => Step::Stop,
        }
    }
}
