//! Deadlines with slack: timers that may fire a little later fire together.

use crate::{
    error::{Full, Stale},
    handle::Handle,
    storage::Storage,
    wheel::TimingWheel,
};

/// The tick in `deadline ..= deadline + slack` that the most timers can agree on: the one with the most trailing zero bits.
///
/// Windows that overlap tend to choose the same tick. It is also where a coarse slot starts, so that a timer needs fewer
/// moves and wakeups until then.
///
/// ```
/// use timing_wheel::within;
///
/// assert_eq!(within(1000, 0), 1000);
/// assert_eq!(within(1000, 30), 1024);
/// assert_eq!(within(1010, 100), 1024);
/// assert_eq!(within(u64::MAX, 5), u64::MAX);
/// ```
#[must_use]
pub const fn within(deadline: u64, slack: u64) -> u64 {
    let Some(before) = deadline.checked_sub(1) else {
        return 0;
    };
    let last = deadline.saturating_add(slack);
    // Above the highest bit in which they differ, every tick of the window is alike; that bit is set in `last` alone.
    last & u64::MAX << (before ^ last).ilog2()
}

impl<S: Storage> TimingWheel<S> {
    /// Starts a timer that may come out anywhere from `deadline` to `deadline + slack`, on the tick [`within`] them. O(1).
    ///
    /// [`deadline`](Self::deadline) and [`Expired`](crate::Expired) then tell that tick. The window is the timer's: when
    /// time is advanced or polled late, it comes out later, as every timer does.
    ///
    /// # Errors
    ///
    /// [`Full`] with the value, as [`start`](Self::start).
    #[inline]
    pub fn start_within(
        &mut self,
        deadline: u64,
        slack: u64,
        value: S::Value,
    ) -> Result<Handle, Full<S::Value>> {
        self.start(within(deadline, slack), value)
    }

    /// Gives a timer another window. O(1); nothing at all where its tick lies in the new window already.
    ///
    /// # Errors
    ///
    /// [`Stale`] when the timer has come out or was cancelled.
    #[inline]
    pub fn rearm_within(&mut self, handle: Handle, deadline: u64, slack: u64) -> Result<(), Stale> {
        let tick = self.deadline(handle).ok_or(Stale)?;
        if deadline <= tick && tick - deadline <= slack {
            return Ok(());
        }
        self.rearm(handle, within(deadline, slack))
    }
}

#[cfg(test)]
mod tests {
    use super::within;
    use crate::ArrayWheel;

    #[test]
    fn tick_lies_in_the_window_and_none_in_it_is_rounder() {
        for deadline in (0..300).chain(u64::MAX - 300..=u64::MAX) {
            for slack in 0..70 {
                let tick = within(deadline, slack);
                let window = deadline..=deadline.saturating_add(slack);
                assert!(window.contains(&tick), "{deadline} {slack} {tick}");
                assert_eq!(window.map(u64::trailing_zeros).max(), Some(tick.trailing_zeros()));
            }
        }
        assert_eq!(within(0, u64::MAX), 0);
        assert_eq!(within(1, u64::MAX), 1 << 63);
    }

    #[test]
    fn overlapping_windows_share_their_wakeups() {
        let wakeups = |slack| {
            let mut wheel = ArrayWheel::<u64, 100>::new(0);
            for timer in 0..100 {
                assert!(wheel.start_within(10_000 + 37 * timer, slack, timer).is_ok());
            }
            let mut wakeups = 0;
            while let Some(bound) = wheel.next_bound() {
                wakeups += 1;
                wheel.advance(bound);
                for expired in wheel.poll(usize::MAX) {
                    let asked = 10_000 + 37 * expired.value;
                    assert!(asked <= expired.deadline && expired.deadline <= asked + slack);
                    assert!(expired.deadline <= bound);
                }
            }
            wakeups
        };
        assert!(wakeups(500) * 10 < wakeups(0), "{} {}", wakeups(500), wakeups(0));
    }

    #[test]
    fn window_around_the_tick_changes_nothing() {
        let mut wheel = ArrayWheel::<(), 1>::new(0);
        let handle = wheel.start_within(1000, 50, ()).unwrap();
        assert_eq!(wheel.deadline(handle), Some(1024));
        assert_eq!(wheel.rearm_within(handle, 1024, 0), Ok(()));
        assert_eq!(wheel.rearm_within(handle, 974, 50), Ok(()));
        assert_eq!(wheel.deadline(handle), Some(1024));
        assert_eq!(wheel.rearm_within(handle, 973, 50), Ok(()));
        assert_eq!(wheel.deadline(handle), Some(992));
        assert_eq!(wheel.rearm_within(handle, 1025, 50), Ok(()));
        assert_eq!(wheel.deadline(handle), Some(1056));
    }
}
