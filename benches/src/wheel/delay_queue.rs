use core::fmt;
use core::task::{Context, Poll, Waker};
use core::time::Duration;

use tokio::runtime::{Builder, Runtime};
use tokio::time::Instant;
use tokio_util::time::DelayQueue;
use tokio_util::time::delay_queue::Key;

use super::Timers;

/// tokio-util's delay queue on a runtime whose clock is ours to move; a tick is a millisecond.
pub struct TokioDelayQueue {
    queue: DelayQueue<u32>,
    start: Instant,
    now: u64,
    runtime: Runtime,
}

impl fmt::Debug for TokioDelayQueue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokioDelayQueue").finish_non_exhaustive()
    }
}

impl TokioDelayQueue {
    fn at(&self, tick: u64) -> Instant {
        self.start + Duration::from_millis(tick)
    }
}

impl Timers for TokioDelayQueue {
    const NAME: &'static str = "delayqueue";
    type Key = Key;

    fn new(timers: usize) -> Self {
        let runtime = Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
            .expect("a runtime without I/O");
        let guard = runtime.enter();
        let queue = DelayQueue::with_capacity(timers);
        let start = Instant::now();
        drop(guard);
        Self {
            queue,
            start,
            now: 0,
            runtime,
        }
    }

    fn reset(&mut self) {
        let _guard = self.runtime.enter();
        self.queue.clear();
    }

    fn start(&mut self, id: u32, deadline: u64) -> Key {
        let at = self.at(deadline);
        let _guard = self.runtime.enter();
        self.queue.insert_at(id, at)
    }

    fn rearm(&mut self, key: Key, deadline: u64) {
        let at = self.at(deadline);
        let _guard = self.runtime.enter();
        self.queue.reset_at(&key, at);
    }

    fn cancel(&mut self, key: Key) {
        let _guard = self.runtime.enter();
        self.queue.remove(&key);
    }

    fn advance(&mut self, now: u64, out: &mut impl FnMut(u32)) {
        let step = Duration::from_millis(now - self.now);
        self.now = now;
        let queue = &mut self.queue;
        // Without the scheduler's budget, which would send every 128th timer back to it.
        self.runtime.block_on(tokio::task::unconstrained(async {
            tokio::time::advance(step).await;
            let mut context = Context::from_waker(Waker::noop());
            while let Poll::Ready(Some(expired)) = queue.poll_expired(&mut context) {
                out(expired.into_inner());
            }
        }));
    }

    fn next(&mut self) -> Option<u64> {
        let key = self.queue.peek()?;
        let deadline = self.queue.deadline(&key) - self.start;
        u64::try_from(deadline.as_millis()).ok()
    }
}
