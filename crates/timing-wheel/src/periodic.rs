//! Timers that come again.

use core::num::NonZeroU64;

use crate::{error::Full, handle::Handle, storage::Storage, wheel::TimingWheel};

/// A value with a period: what a wheel of periodic timers holds, as `Wheel<Periodic<T>>`.
///
/// ```
/// # #[cfg(feature = "alloc")] {
/// use core::num::NonZeroU64;
/// use timing_wheel::{Periodic, Wheel};
///
/// let mut wheel = Wheel::<Periodic<&str>>::new(0);
/// let second = NonZeroU64::new(1_000).expect("not 0");
/// let handle = wheel.start_periodic(1_000, second, "tick").expect("memory");
///
/// wheel.advance(3_500); // slept too long: three periods in one tick
/// let tick = wheel.pop_tick(&mut 64).expect("due");
/// assert_eq!((tick.deadline, tick.periods, *tick.value), (1_000, 3, "tick"));
/// assert_eq!(wheel.deadline(handle), Some(4_000));
/// # }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Periodic<T> {
    /// Ticks from one deadline to the next. A change counts from the next tick on.
    pub period: NonZeroU64,
    /// The value that was started.
    pub value: T,
}

/// A periodic timer that was due; it stays in the wheel.
#[derive(Debug, PartialEq, Eq)]
pub struct Tick<'a, T> {
    /// Still good: for cancelling or re-arming.
    pub handle: Handle,
    /// The first deadline since the last tick.
    pub deadline: u64,
    /// How many deadlines have passed since the last tick: 1 when in time, more when some were missed.
    pub periods: u64,
    /// The value, in place.
    pub value: &'a mut T,
}

impl<T, S: Storage<Value = Periodic<T>>> TimingWheel<S> {
    /// Starts a timer that is due at `first` and then once every `period`. O(1).
    ///
    /// # Errors
    ///
    /// [`Full`] with the value, as [`start`](Self::start).
    pub fn start_periodic(&mut self, first: u64, period: NonZeroU64, value: T) -> Result<Handle, Full<T>> {
        self.start(first, Periodic { period, value })
            .map_err(|full| Full(full.0.value))
    }

    /// The next due timer, by the rules of [`pop`](Self::pop), which then waits for the first of its deadlines after the
    /// present.
    ///
    /// Missed deadlines come as one tick that counts them, so that a loop that fell behind does not fall further behind,
    /// and deadlines never drift: they stay `first` plus a multiple of the period.
    ///
    /// A timer whose next deadline would be after `u64::MAX` ends with this tick: its handle is stale, and the value is
    /// dropped with the wheel or when its place is needed.
    pub fn pop_tick(&mut self, budget: &mut usize) -> Option<Tick<'_, T>> {
        let index = self.hierarchy.pop(&mut self.storage.lists(), self.now, budget)?;
        let deadline = self.deadline_of(index)?;
        let handle = Handle::of_live(index, self.storage.nodes()[index as usize].generation);
        let period = self.storage.values()[index as usize].as_ref()?.period;
        let missed = (self.now - deadline) / period;
        // The last deadline that has passed is not after now, so only the step beyond it can overflow.
        let next = (deadline + missed * period.get()).checked_add(period.get());
        match next {
            Some(next) => self.hierarchy.link(&mut self.storage.lists(), index, next),
            None => self.release_node(index),
        }
        let value = &mut self.storage.values_mut()[index as usize].as_mut()?.value;
        Some(Tick {
            handle,
            deadline,
            periods: missed.saturating_add(1),
            value,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::Periodic;
    use crate::ArrayWheel;
    use core::num::NonZeroU64;

    type Ticker = ArrayWheel<Periodic<u32>, 3>;

    fn period(ticks: u64) -> NonZeroU64 {
        NonZeroU64::new(ticks).unwrap()
    }

    #[test]
    fn ticks_in_time_and_without_drift() {
        let mut wheel = Ticker::new(0);
        let handle = wheel.start_periodic(7, period(10), 0).unwrap();
        for round in 0..1_000 {
            let due = 7 + 10 * round;
            wheel.advance(due - 1);
            assert!(wheel.pop_tick(&mut 100).is_none());
            wheel.advance(due);
            let tick = wheel.pop_tick(&mut 100).unwrap();
            assert_eq!((tick.handle, tick.deadline, tick.periods), (handle, due, 1));
            *tick.value += 1;
            assert!(wheel.pop_tick(&mut 100).is_none());
        }
        assert_eq!(wheel.cancel(handle).map(|timer| timer.value), Ok(1_000));
    }

    #[test]
    fn missed_deadlines_come_as_one_tick() {
        let mut wheel = Ticker::new(0);
        let slow = wheel.start_periodic(100, period(100), 1).unwrap();
        let fast = wheel.start_periodic(30, period(1), 2).unwrap();
        wheel.advance(250);
        let tick = wheel.pop_tick(&mut 100).unwrap();
        assert_eq!((tick.handle, tick.deadline, tick.periods), (fast, 30, 221));
        let tick = wheel.pop_tick(&mut 100).unwrap();
        assert_eq!((tick.handle, tick.deadline, tick.periods), (slow, 100, 2));
        assert!(wheel.pop_tick(&mut 100).is_none());
        assert_eq!(
            (wheel.deadline(slow), wheel.deadline(fast)),
            (Some(300), Some(251))
        );
    }

    #[test]
    fn end_of_time_ends_the_timer() {
        let mut wheel = Ticker::new(0);
        let every = wheel.start_periodic(1, period(1), 1).unwrap();
        let twice = wheel.start_periodic(u64::MAX - 5, period(5), 2).unwrap();
        wheel.advance(u64::MAX - 1);
        let tick = wheel.pop_tick(&mut 100).unwrap();
        assert_eq!((tick.handle, tick.periods), (every, u64::MAX - 1));
        assert_eq!(wheel.pop_tick(&mut 100).unwrap().handle, twice);
        wheel.advance(u64::MAX);
        assert_eq!(wheel.pop_tick(&mut 100).unwrap().periods, 1);
        assert_eq!(wheel.pop_tick(&mut 100).unwrap().periods, 1);
        assert!(wheel.pop_tick(&mut 100).is_none());
        assert!(wheel.is_empty() && !wheel.contains(every) && !wheel.contains(twice));
    }
}
