use core::fmt;
use core::time::Duration;
use std::time::Instant;

use bitwheel::timer::{LargePreciseWheelWithFailover, Timer, TimerHandle};

use super::Timers;

/// `bitwheel` in its largest precise form, the handles in a table by id. It fires early: the figure says by how much.
pub struct BitWheel {
    wheel: Box<LargePreciseWheelWithFailover<Id>>,
    handles: Vec<Option<TimerHandle>>,
    epoch: Instant,
    fired: Vec<u32>,
}

struct Id(u32);

impl Timer for Id {
    type Context = Vec<u32>;

    fn fire(&mut self, fired: &mut Vec<u32>) {
        fired.push(self.0);
    }
}

impl fmt::Debug for BitWheel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BitWheel").finish_non_exhaustive()
    }
}

impl BitWheel {
    fn at(&self, tick: u64) -> Instant {
        self.epoch + Duration::from_millis(tick)
    }
}

impl Timers for BitWheel {
    const NAME: &'static str = "bitwheel";
    type Key = u64;

    fn new(timers: usize) -> Self {
        let epoch = Instant::now();
        Self {
            wheel: LargePreciseWheelWithFailover::boxed_with_epoch(epoch),
            handles: (0..timers).map(|_| None).collect(),
            epoch,
            fired: Vec::new(),
        }
    }

    fn reset(&mut self) {
        for handle in &mut self.handles {
            if let Some(handle) = handle.take() {
                self.wheel.cancel(handle);
            }
        }
    }

    fn start(&mut self, id: u32, deadline: u64) -> u64 {
        let at = self.at(deadline);
        self.handles[id as usize] = Some(self.wheel.insert(at, Id(id)));
        u64::from(id)
    }

    fn rearm(&mut self, key: u64, deadline: u64) {
        self.cancel(key);
        self.start(key as u32, deadline);
    }

    fn cancel(&mut self, key: u64) {
        let handle = self.handles[key as usize].take().expect("the timer runs");
        self.wheel.cancel(handle);
    }

    fn advance(&mut self, now: u64, out: &mut impl FnMut(u32)) {
        let now = self.at(now);
        self.wheel.poll(now, &mut self.fired);
        self.fired.drain(..).for_each(out);
    }

    fn next(&mut self) -> Option<u64> {
        let next = self.wheel.peek_next_fire()?;
        u64::try_from(next.saturating_duration_since(self.epoch).as_millis()).ok()
    }
}

/// How many ticks before its deadline the contestant lets a timer of this delay out.
pub(super) fn earliness<T: Timers>(delay: u64) -> u64 {
    let mut timers = T::new(1);
    timers.start(0, delay);
    (1..=delay)
        .find(|&now| {
            let mut out = false;
            timers.advance(now, &mut |_| out = true);
            out
        })
        .map_or(0, |now| delay - now)
}
