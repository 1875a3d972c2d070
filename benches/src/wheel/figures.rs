use std::time::{Duration, Instant};

use timing_wheel::{Link, Node, Upper, Wheel};

use super::workloads::{SPREAD, delays};

/// Bytes of the record of one timer, without the value.
pub(super) const NODE_BYTES: usize = size_of::<Node>() + size_of::<Link>() + size_of::<Upper>();

/// How often a loop that sleeps until `next_bound` wakes up for one timer of 30 days in milliseconds.
pub(super) fn wakeups_of_30_days() -> u32 {
    const DEADLINE: u64 = 30 * 24 * 3600 * 1000;
    let mut wheel = Wheel::new(0);
    wheel.start(DEADLINE, ()).expect("memory");
    let mut wakeups = 0;
    while let Some(bound) = wheel.next_bound() {
        wakeups += 1;
        wheel.advance(bound);
        for expired in wheel.poll(64) {
            assert!(expired.deadline == DEADLINE && bound == DEADLINE, "never early");
        }
    }
    wakeups
}

/// The longest single `poll(64)` while `timers` timers expire after one long sleep, uniform over a minute or all with one
/// deadline: each poll's minimum over identical runs, then the maximum over the polls.
pub(super) fn stall(timers: usize, same: bool, runs: u32) -> Duration {
    let delays = delays(timers, SPREAD);
    let mut least: Vec<Duration> = Vec::new();
    for run in 0..runs {
        let mut wheel = Wheel::with_capacity(0, timers);
        for &delay in delays.iter() {
            wheel
                .start(if same { SPREAD } else { delay }, ())
                .expect("memory");
        }
        wheel.advance(SPREAD);
        let mut out = 0;
        let mut polls = 0;
        while wheel.has_due() {
            let start = Instant::now();
            out += wheel.poll(64).count();
            let took = start.elapsed();
            match least.get_mut(polls) {
                Some(least) => *least = took.min(*least),
                None => {
                    assert_eq!(run, 0, "the runs are identical");
                    least.push(took);
                }
            }
            polls += 1;
        }
        assert_eq!((out, polls), (timers, least.len()));
    }
    least.into_iter().max().unwrap_or_default()
}
