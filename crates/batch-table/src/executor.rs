//! The side that runs entries.

use crate::sync::Ordering;
use crate::{Call, Chain, EntryFlags, Errno, State, SysResult, Table};

/// What an executor did with an entry that [`ExecutorView::walk`] offered.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Step {
    /// The call ran and returned this; go on.
    Done(SysResult),
    /// The call ran and returned this; stop behind it, for instance because a signal is pending.
    DoneThenStop(SysResult),
    /// The call did not run and stays ready; stop before it.
    Stop,
}

/// A table as the executor sees it.
///
/// The other side may be hostile: an entry is copied once, the copy is checked, and only the copy is acted on. No bit
/// pattern in the table makes a method panic or reach outside the table.
#[derive(Clone, Copy, Debug)]
pub struct ExecutorView<'a> {
    table: Table<'a>,
}

impl<'a> ExecutorView<'a> {
    pub(crate) const fn new(table: Table<'a>) -> Self {
        Self { table }
    }

    /// A copy of the entry of `position` if it is ready, else `None`.
    ///
    /// The flags may have unknown bits: [`EntryFlags::check`] before acting on them.
    #[inline]
    #[must_use]
    pub fn fetch(&self, position: u32) -> Option<Call> {
        let state = self.table.entry(position).state.load(Ordering::Acquire);
        (state == State::Ready.to_raw()).then(|| self.copy(position))
    }

    /// Number and flags of the entry of `position` if it is ready, else `None`: what it takes to decide who runs it.
    #[inline]
    #[must_use]
    pub fn peek(&self, position: u32) -> Option<(u32, EntryFlags)> {
        let entry = self.table.entry(position);
        let state = entry.state.load(Ordering::Acquire);
        (state == State::Ready.to_raw()).then(|| {
            let flags = EntryFlags::from_raw(entry.flags.load(Ordering::Relaxed));
            (entry.nr.load(Ordering::Relaxed), flags)
        })
    }

    /// Each field once, whatever the state.
    #[inline]
    pub(crate) fn copy(&self, position: u32) -> Call {
        let entry = self.table.entry(position);
        let word = |index: usize| entry.args[index].load(Ordering::Relaxed);
        Call {
            nr: entry.nr.load(Ordering::Relaxed),
            flags: EntryFlags::from_raw(entry.flags.load(Ordering::Relaxed)),
            args: [word(0), word(1), word(2), word(3), word(4), word(5)],
        }
    }

    /// Gives the entry of `position` back with the result of its call.
    #[inline]
    pub fn complete(&self, position: u32, result: SysResult) {
        self.give_back(position, result, State::Done);
    }

    /// Gives the entry of `position` back without having run it: `-ECANCELED`.
    #[inline]
    pub fn cancel(&self, position: u32) {
        self.give_back(position, SysResult::CANCELED, State::Canceled);
    }

    #[inline]
    fn give_back(&self, position: u32, result: SysResult, state: State) {
        let entry = self.table.entry(position);
        entry.result.store(result.to_raw(), Ordering::Relaxed);
        entry.state.store(state.to_raw(), Ordering::Release);
    }

    /// Runs the `count` entries from `first` on, in order: the one walk that every sequential executor shares.
    ///
    /// `run` gets the position and the copied call of each entry that is to run. Entries that are not ready are passed
    /// over: they belong to the producer. Entries behind a break in their chain are cancelled, entries with unknown flags
    /// fail with `-EINVAL`; neither reaches `run`. `chain` is [`Chain::new`] unless the walk continues one that stopped.
    ///
    /// Returns how many positions are finished, which is `count` unless `run` stopped. `count` above the capacity is
    /// cut to it.
    #[inline]
    pub fn walk<F>(&self, first: u32, count: u32, chain: &mut Chain, mut run: F) -> u32
    where
        F: FnMut(u32, &Call) -> Step,
    {
        let count = count.min(self.table.capacity());
        for done in 0..count {
            let position = first.wrapping_add(done);
            let Some(call) = self.fetch(position) else {
                continue;
            };
            if chain.is_broken() {
                self.cancel(position);
                chain.canceled(call.flags);
                continue;
            }
            let step = match call.flags.check() {
                Ok(()) => run(position, &call),
                Err(_) => Step::Done(SysResult::from_errno(Errno::EINVAL)),
            };
            match step {
                Step::Done(result) | Step::DoneThenStop(result) => {
                    self.complete(position, result);
                    chain.ran(&call, result);
                }
                Step::Stop => return done,
            }
            if matches!(step, Step::DoneThenStop(_)) {
                return done + 1;
            }
        }
        count
    }
}
