//! 100,000 connections with an idle timeout of 15 s, and a second of traffic: every sign of life is one `rearm`.
//!
//! `cargo run --release -p tickless-wheel --example timeouts --features std`

use timing_wheel::{Full, Handle, Wheel};

const CONNECTIONS: usize = 100_000;
const IDLE_MS: u64 = 15_000;

fn main() -> Result<(), Full<usize>> {
    let mut wheel = Wheel::with_capacity(0, CONNECTIONS);
    let timers: Vec<Handle> = (0..CONNECTIONS)
        .map(|connection| wheel.start(IDLE_MS, connection))
        .collect::<Result<_, _>>()?;

    // Every other connection speaks once in each of 100 rounds, 10 ms apart; the others stay silent.
    for round in 1..=100 {
        let now = round * 10;
        wheel.advance(now);
        for &timer in timers.iter().step_by(2) {
            if wheel.rearm(timer, now + IDLE_MS).is_err() {
                println!("closed already");
            }
        }
    }

    // An event loop sleeps until `next_bound`, then lets due timers out, at most 64 nodes a turn.
    let (mut now, mut wakeups, mut closed) = (1_000, 0, [0, 0]);
    while let Some(bound) = wheel.next_bound() {
        now = bound.max(now);
        wakeups += 1;
        wheel.advance(now);
        while wheel.has_due() {
            for expired in wheel.poll(64) {
                closed[expired.value % 2] += 1;
                assert!(expired.deadline <= now, "never early");
            }
        }
    }
    println!(
        "{} talkers closed, {} silent ones, {wakeups} wakeups, last at {now} ms",
        closed[0], closed[1]
    );
    Ok(())
}
