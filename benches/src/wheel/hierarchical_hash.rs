use core::fmt;
use core::time::Duration;

use hierarchical_hash_wheel_timer::IdOnlyTimerEntry;
use hierarchical_hash_wheel_timer::wheels::Skip;
use hierarchical_hash_wheel_timer::wheels::cancellable::QuadWheelWithOverflow;

use super::Timers;

/// `hierarchical_hash_wheel_timer`'s cancellable wheel, skipping what it offers to skip.
pub struct HierarchicalHash {
    wheel: QuadWheelWithOverflow<IdOnlyTimerEntry<u32>>,
    now: u64,
}

impl fmt::Debug for HierarchicalHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HierarchicalHash").finish_non_exhaustive()
    }
}

impl Timers for HierarchicalHash {
    const NAME: &'static str = "hierarchical_hash";
    type Key = u64;

    fn new(_timers: usize) -> Self {
        Self {
            wheel: QuadWheelWithOverflow::new(),
            now: 0,
        }
    }

    fn reset(&mut self) {
        self.wheel = QuadWheelWithOverflow::new();
    }

    fn start(&mut self, id: u32, deadline: u64) -> u64 {
        let delay = Duration::from_millis(deadline - self.now);
        if self.wheel.insert(IdOnlyTimerEntry { id, delay }).is_err() {
            unreachable!("every delay is at least a tick");
        }
        u64::from(id)
    }

    fn rearm(&mut self, key: u64, deadline: u64) {
        self.cancel(key);
        self.start(key as u32, deadline);
    }

    fn cancel(&mut self, key: u64) {
        self.wheel.cancel(&(key as u32)).expect("the timer runs");
    }

    fn advance(&mut self, now: u64, out: &mut impl FnMut(u32)) {
        while self.now < now {
            match self.wheel.can_skip() {
                Skip::None => {
                    self.now += 1;
                    self.wheel.tick().iter().for_each(|entry| out(entry.id));
                }
                Skip::Millis(free) => {
                    let free = u64::from(free).min(now - self.now);
                    self.wheel.skip(free as u32);
                    self.now += free;
                }
                Skip::Empty => {
                    self.wheel.skip((now - self.now) as u32);
                    self.now = now;
                }
            }
        }
    }

    fn next(&mut self) -> Option<u64> {
        match self.wheel.can_skip() {
            Skip::None => Some(self.now + 1),
            Skip::Millis(free) => Some(self.now + u64::from(free) + 1),
            Skip::Empty => None,
        }
    }
}
