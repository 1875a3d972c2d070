use core::time::Duration;

use rustix::time::{ClockId, clock_gettime};

/// What a round is timed by.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Clock {
    /// The time of day, by which waiting counts.
    Wall,
    /// The processor time of the calling thread, by which other processes on the same processor do not count.
    Thread,
}

impl Clock {
    /// The time since some fixed moment.
    pub(super) fn now(self) -> Duration {
        let id = match self {
            Self::Wall => ClockId::Monotonic,
            Self::Thread => ClockId::ThreadCPUTime,
        };
        // Both start at zero and count upwards.
        let now = clock_gettime(id);
        Duration::new(now.tv_sec.unsigned_abs(), now.tv_nsec as u32)
    }
}
