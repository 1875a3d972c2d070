//! Waiting with a limit.

use std::thread::sleep;
use std::time::{Duration, Instant};

/// Longer than anything takes that is waited for, on a busy machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// The time that is left to wait. A stop of the whole machine, or of all processes of a test, is no time in which anybody could have
/// done anything: a step counts as [`LONGEST_STEP`] at most.
#[derive(Debug)]
pub(crate) struct Patience {
    left: Duration,
    last: Instant,
}

const LONGEST_STEP: Duration = Duration::from_millis(250);

impl Patience {
    pub(crate) fn new() -> Self {
        Self {
            left: PATIENCE,
            last: Instant::now(),
        }
    }

    /// Sleeps for a moment, and says whether to look again.
    pub(crate) fn lasts(&mut self, moment: Duration) -> bool {
        sleep(moment);
        let now = Instant::now();
        self.left = self.left.saturating_sub((now - self.last).min(LONGEST_STEP));
        self.last = now;
        !self.left.is_zero()
    }
}
