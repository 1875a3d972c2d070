//! Time as a worker sees it: read once a turn, in milliseconds.

use std::cell::{Cell, Ref, RefCell};
use std::time::{Duration, Instant};

use crate::http::date::Date;

/// A monotonic clock of milliseconds since its worker began, and the wall clock's date.
#[derive(Debug)]
pub(crate) struct Clock {
    origin: Instant,
    now: Cell<u64>,
    date: RefCell<Date>,
}

impl Clock {
    pub(crate) fn new() -> Self {
        Self {
            origin: Instant::now(),
            now: Cell::new(0),
            date: RefCell::new(Date::now()),
        }
    }

    /// Reads both clocks.
    pub(crate) fn refresh(&self) {
        self.now
            .set(u64::try_from(self.origin.elapsed().as_millis()).unwrap_or(u64::MAX));
        self.date.borrow_mut().refresh();
    }

    /// Milliseconds at the last [`refresh`](Self::refresh), rounded down.
    pub(crate) fn now(&self) -> u64 {
        self.now.get()
    }

    /// The first tick that is at least `delay` from now: the running millisecond counts for nothing.
    pub(crate) fn after(&self, delay: Duration) -> u64 {
        let whole = u64::try_from(delay.as_nanos().div_ceil(1_000_000)).unwrap_or(u64::MAX);
        self.now().saturating_add(whole).saturating_add(1)
    }

    pub(crate) fn date(&self) -> Ref<'_, Date> {
        self.date.borrow()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn deadlines_round_up() {
        let clock = Clock::new();
        assert_eq!(clock.after(Duration::from_millis(5)), 6);
        assert_eq!(clock.after(Duration::from_nanos(1)), 2);
        assert_eq!(clock.after(Duration::MAX), u64::MAX);
    }
}
