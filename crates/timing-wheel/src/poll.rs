//! EXPIRY_PROCESSING: due slots are taken apart in the order of their starts, one node a step.

use crate::{handle::Handle, storage::Storage, wheel::TimingWheel};

/// A timer that came out of a wheel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Expired<T> {
    /// What the timer was known by. Stale from now on: it serves to find one's own records.
    pub handle: Handle,
    /// The deadline that was asked for, at or before the wheel's time.
    pub deadline: u64,
    /// The value that was started with it.
    pub value: T,
}

impl<S: Storage> TimingWheel<S> {
    /// The next due timer (EXPIRY_PROCESSING), in deadline order across an advance, however far it went and in however
    /// many calls; equal deadlines in no particular order.
    ///
    /// Touches at most `*budget` nodes and takes off what it touched: a timer that comes out, one that moves to a finer
    /// slot, the trace of a cancelled one. `None` means that nothing more is due or that the budget is spent:
    /// [`has_due`](Self::has_due) tells which. Each timer is moved at most once per level, ten times in all, and usually
    /// one to three times.
    ///
    /// Between calls every operation is allowed; a timer started or re-armed then with a deadline at or before the last
    /// one that came out is next.
    #[inline]
    pub fn pop(&mut self, budget: &mut usize) -> Option<Expired<S::Value>> {
        let index = self.hierarchy.pop(&mut self.storage.lists(), self.now, budget)?;
        let deadline = self.deadline_of(index)?;
        let handle = Handle::of_live(index, self.storage.nodes()[index as usize].generation);
        self.release(index).map(|value| Expired {
            handle,
            deadline,
            value,
        })
    }

    /// The due timers, as an iterator that touches at most `max` nodes: [`pop`](Self::pop) with a budget.
    ///
    /// Dropping it midway loses nothing. When it has ended, [`has_due`](Self::has_due) tells whether to poll again.
    #[inline]
    pub fn poll(&mut self, max: usize) -> Poll<'_, S> {
        Poll {
            wheel: self,
            budget: max,
        }
    }

    /// Whether `pop` has work at the current time: a due timer, or a slot to take apart in which one may be. O(1).
    #[inline]
    pub fn has_due(&self) -> bool {
        self.hierarchy
            .first_start()
            .is_some_and(|start| start <= self.now)
    }
}

/// Iterator over due timers: see [`poll`](TimingWheel::poll).
#[derive(Debug)]
pub struct Poll<'a, S: Storage> {
    wheel: &'a mut TimingWheel<S>,
    budget: usize,
}

impl<S: Storage> Iterator for Poll<'_, S> {
    type Item = Expired<S::Value>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        self.wheel.pop(&mut self.budget)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (0, Some(self.budget.min(self.wheel.len())))
    }
}
