use core::time::Duration;
use std::time::Instant;

/// Ticks of a wheel as `Instant` and `Duration`, and back (feature `std`).
///
/// Times that have come are rounded down to ticks, deadlines up, so that no timer is early: it comes out after at least
/// the duration asked for, and at most one tick later than that where the loop is in time.
///
/// ```
/// use std::time::Duration;
/// use timing_wheel::{Clock, Wheel};
///
/// let clock = Clock::new(Duration::from_millis(1));
/// let mut wheel = Wheel::new(clock.now());
/// wheel.start(clock.after(Duration::from_micros(2_500)), "soon").expect("memory");
///
/// while let Some(bound) = wheel.next_bound() {
///     std::thread::sleep(clock.until(bound));
///     wheel.advance(clock.now());
///     for expired in wheel.poll(64) {
///         assert_eq!(expired.value, "soon");
///     }
/// }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Clock {
    origin: Instant,
    tick: Duration,
}

impl Clock {
    /// A clock whose tick 0 is now. A `tick` of zero is taken as a nanosecond.
    #[must_use]
    pub fn new(tick: Duration) -> Self {
        Self::starting(Instant::now(), tick)
    }

    /// A clock whose tick 0 is at `origin`. A `tick` of zero is taken as a nanosecond.
    #[must_use]
    pub fn starting(origin: Instant, tick: Duration) -> Self {
        Self {
            origin,
            tick: tick.max(Duration::from_nanos(1)),
        }
    }

    /// The length of a tick.
    #[must_use]
    pub const fn tick(&self) -> Duration {
        self.tick
    }

    /// The present for [`advance`](crate::TimingWheel::advance): ticks that have passed in full.
    #[must_use]
    pub fn now(&self) -> u64 {
        self.passed(Instant::now())
    }

    /// How many ticks had passed in full at `instant`; 0 before the origin.
    #[must_use]
    pub fn passed(&self, instant: Instant) -> u64 {
        let since = instant.saturating_duration_since(self.origin);
        u64::try_from(since.as_nanos() / self.tick.as_nanos()).unwrap_or(u64::MAX)
    }

    /// The deadline for `instant`: the first tick at or after it.
    #[must_use]
    pub fn deadline(&self, instant: Instant) -> u64 {
        self.ticks(instant.saturating_duration_since(self.origin))
    }

    /// The deadline for a duration from now: the first tick at or after its end, `u64::MAX` where there is none.
    #[must_use]
    pub fn after(&self, duration: Duration) -> u64 {
        self.after_instant(Instant::now(), duration)
    }

    /// The deadline for a duration from `instant`: the first tick at or after its end, `u64::MAX` where there is none.
    #[must_use]
    pub fn after_instant(&self, instant: Instant, duration: Duration) -> u64 {
        let since = instant.saturating_duration_since(self.origin);
        since
            .checked_add(duration)
            .map_or(u64::MAX, |end| self.ticks(end))
    }

    /// A duration in ticks, rounded up: for a period or slack.
    #[must_use]
    pub fn ticks(&self, duration: Duration) -> u64 {
        u64::try_from(duration.as_nanos().div_ceil(self.tick.as_nanos())).unwrap_or(u64::MAX)
    }

    /// When a tick begins; `None` where `Instant` does not reach so far.
    #[must_use]
    pub fn instant(&self, tick: u64) -> Option<Instant> {
        self.origin.checked_add(self.duration(tick)?)
    }

    /// How long to sleep until a tick begins: zero when it has, and `Duration::MAX` where `Duration` does not reach so far.
    #[must_use]
    pub fn until(&self, tick: u64) -> Duration {
        self.duration(tick)
            .map_or(Duration::MAX, |begin| begin.saturating_sub(self.origin.elapsed()))
    }

    /// From the origin to the beginning of a tick.
    fn duration(&self, tick: u64) -> Option<Duration> {
        const SECOND: u128 = 1_000_000_000;
        let nanos = u128::from(tick).checked_mul(self.tick.as_nanos())?;
        let seconds = u64::try_from(nanos / SECOND).ok()?;
        Some(Duration::new(seconds, u32::try_from(nanos % SECOND).ok()?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn deadlines_round_up_and_the_present_rounds_down() {
        let origin = Instant::now();
        for tick_nanos in [1, 3, 1_000, 1_000_000, 1_234_567, 1_000_000_000] {
            let clock = Clock::starting(origin, Duration::from_nanos(tick_nanos));
            for nanos in (0..100).map(|step| step * 1_234_567 + step % 3).chain([
                tick_nanos - 1,
                tick_nanos,
                tick_nanos + 1,
            ]) {
                let instant = origin + Duration::from_nanos(nanos);
                let deadline = clock.deadline(instant);
                assert!(clock.instant(deadline).unwrap() >= instant, "early");
                assert!(
                    deadline == 0 || clock.instant(deadline - 1).unwrap() < instant,
                    "a tick late"
                );
                // The first moment at which the wheel's time reaches the deadline is not before the instant.
                assert!(clock.passed(instant) <= deadline);
                assert!(clock.instant(clock.passed(instant)).unwrap() <= instant);
            }
        }
    }

    #[test]
    fn nothing_panics_at_the_ends() {
        let origin = Instant::now();
        let clock = Clock::starting(origin, Duration::ZERO);
        assert_eq!(clock.tick(), Duration::from_nanos(1));
        assert_eq!(clock.after(Duration::MAX), u64::MAX);
        assert_eq!(clock.ticks(Duration::MAX), u64::MAX);
        let coarse = Clock::starting(origin, Duration::MAX);
        assert_eq!(coarse.now(), 0);
        assert_eq!(coarse.after_instant(origin, Duration::from_nanos(1)), 1);
        assert_eq!(coarse.instant(u64::MAX), None);
        assert_eq!(coarse.until(u64::MAX), Duration::MAX);
        assert_eq!(clock.until(0), Duration::ZERO);
        let later = Clock::starting(origin + Duration::from_secs(3600), Duration::from_millis(1));
        assert_eq!((later.now(), later.deadline(origin)), (0, 0));
    }
}
