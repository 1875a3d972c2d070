use timing_wheel::{Handle, Wheel};

use super::Timers;

/// `tickless-wheel`.
#[derive(Debug)]
pub struct Ours(Wheel<u32>);

impl Timers for Ours {
    const NAME: &'static str = "tickless-wheel";
    type Key = Handle;

    fn new(timers: usize) -> Self {
        Self(Wheel::with_capacity(0, timers))
    }

    fn reset(&mut self) {
        self.0.clear();
    }

    #[inline]
    fn start(&mut self, id: u32, deadline: u64) -> Handle {
        self.0.start(deadline, id).expect("room for every id")
    }

    #[inline]
    fn rearm(&mut self, key: Handle, deadline: u64) {
        self.0.rearm(key, deadline).expect("the timer runs");
    }

    #[inline]
    fn cancel(&mut self, key: Handle) {
        self.0.cancel(key).expect("the timer runs");
    }

    #[inline]
    fn advance(&mut self, now: u64, out: &mut impl FnMut(u32)) {
        self.0.advance(now);
        let mut budget = usize::MAX;
        while let Some(expired) = self.0.pop(&mut budget) {
            out(expired.value);
        }
    }

    #[inline]
    fn next(&mut self) -> Option<u64> {
        self.0.next_bound()
    }
}
