//! The side that fills entries and takes results.

use core::fmt;

use crate::sync::Ordering;
use crate::{Call, EntryFlags, State, SysResult, Table};

/// An entry could not be filled because the executor owns it, or because its state names no state.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct PublishError {
    state: u16,
}

impl PublishError {
    /// The state that was found, as it stands in memory.
    #[must_use]
    pub const fn raw_state(self) -> u16 {
        self.state
    }
}

impl fmt::Display for PublishError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "table entry is not empty (its state is {})", self.state)
    }
}

impl core::error::Error for PublishError {}

/// What became of an entry.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Outcome {
    /// It ran; this is the call's own result.
    Done(SysResult),
    /// It did not run. The result is `-ECANCELED`.
    Canceled,
}

impl Outcome {
    /// The result, whether or not the entry ran.
    #[inline]
    #[must_use]
    pub const fn result(self) -> SysResult {
        match self {
            Self::Done(result) => result,
            Self::Canceled => SysResult::CANCELED,
        }
    }
}

/// A table as the producer sees it.
///
/// One thread at a time may use it: two producers would take the same empty entry.
#[derive(Clone, Copy, Debug)]
pub struct ProducerView<'a> {
    table: Table<'a>,
}

impl<'a> ProducerView<'a> {
    pub(crate) const fn new(table: Table<'a>) -> Self {
        Self { table }
    }

    /// Fills the entry of `position` and gives it to the executor.
    ///
    /// # Errors
    ///
    /// [`PublishError`] where the entry is not empty; it is left as it is.
    #[inline]
    pub fn publish(&self, position: u32, call: &Call) -> Result<(), PublishError> {
        let entry = self.table.entry(position);
        let state = entry.state.load(Ordering::Acquire);
        if state != State::Empty.to_raw() {
            return Err(PublishError { state });
        }
        entry.nr.store(call.nr, Ordering::Relaxed);
        entry.flags.store(call.flags.to_raw(), Ordering::Relaxed);
        for (word, &value) in entry.args.iter().zip(&call.args) {
            word.store(value, Ordering::Relaxed);
        }
        entry.state.store(State::Ready.to_raw(), Ordering::Release);
        Ok(())
    }

    /// State of the entry of `position`, or `None` where the number there names none.
    #[inline]
    #[must_use]
    pub fn state(&self, position: u32) -> Option<State> {
        State::from_raw(self.table.entry(position).state.load(Ordering::Acquire))
    }

    /// What became of the entry of `position`, or `None` while it is empty or ready. The entry stays as it is.
    #[inline]
    #[must_use]
    pub fn outcome(&self, position: u32) -> Option<Outcome> {
        let entry = self.table.entry(position);
        match State::from_raw(entry.state.load(Ordering::Acquire)) {
            Some(State::Done) => Some(Outcome::Done(SysResult::from_raw(
                entry.result.load(Ordering::Relaxed),
            ))),
            Some(State::Canceled) => Some(Outcome::Canceled),
            _ => None,
        }
    }

    /// Takes the result of the entry of `position` and empties the entry, or `None` while it is empty or ready.
    #[inline]
    pub fn take(&self, position: u32) -> Option<Outcome> {
        let outcome = self.outcome(position)?;
        self.table
            .entry(position)
            .state
            .store(State::Empty.to_raw(), Ordering::Release);
        Some(outcome)
    }

    /// The call in the entry of `position` as it was published.
    #[inline]
    #[must_use]
    pub fn call(&self, position: u32) -> Call {
        self.table.executor().copy(position)
    }

    /// The flags of the entry of `position` as they were published.
    #[inline]
    #[must_use]
    pub fn flags(&self, position: u32) -> EntryFlags {
        EntryFlags::from_raw(self.table.entry(position).flags.load(Ordering::Relaxed))
    }

    /// Takes a ready entry back before any executor runs. Whether one did is for the caller to know: a table whose
    /// executor runs only when it is called is idle in between.
    ///
    /// The entry becomes canceled. Returns `false` where it was not ready.
    #[inline]
    pub fn withdraw(&self, position: u32) -> bool {
        let entry = self.table.entry(position);
        entry
            .state
            .compare_exchange(
                State::Ready.to_raw(),
                State::Canceled.to_raw(),
                Ordering::AcqRel,
                Ordering::Acquire,
            )
            .is_ok()
    }
}
