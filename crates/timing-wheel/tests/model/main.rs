//! Every wheel against a sorted map, in long random runs over spans from a tick to the whole range.

mod model;
mod ops;
mod properties;

use model::Model;
use ops::{Op, Random};
use timing_wheel::{ArrayWheel, Link, Node, SliceWheel, Storage, TimingWheel, Upper, Wheel};

fn run<S: Storage<Value = u64>>(wheel: TimingWheel<S>, seed: u64, span_bits: u32, operations: u32) {
    let mut random = Random::new(seed ^ u64::from(span_bits) << 32);
    let mut model = Model::new(wheel);
    let operations = if cfg!(miri) { operations / 100 } else { operations };
    for _ in 0..operations {
        let op = Op::random(&mut random, span_bits);
        model.apply(op);
    }
    model.finish();
}

#[test]
fn growing_wheel_is_a_sorted_map_over_every_span() {
    for span_bits in 1..=63 {
        let start = if span_bits % 2 == 0 {
            0
        } else {
            u64::MAX >> (span_bits / 2)
        };
        run(Wheel::new(start), 1, span_bits, 4_000);
    }
}

#[test]
fn long_run() {
    for span_bits in [4, 9, 17, 33, 63] {
        run(Wheel::new(12_345), 2, span_bits, 40_000);
    }
}

#[test]
fn array_wheel_fills_up_and_recovers() {
    for span_bits in 1..=63 {
        run(ArrayWheel::<u64, 7>::new(99), 3, span_bits, 2_000);
    }
    run(ArrayWheel::<u64, 0>::new(0), 3, 8, 500);
    run(ArrayWheel::<u64, 1>::new(u64::MAX), 3, 8, 500);
}

#[test]
fn slice_wheel_fills_up_and_recovers() {
    let mut nodes = [Node::EMPTY; 40];
    let mut links = [Link::EMPTY; 37];
    let mut uppers = [Upper::EMPTY; 36];
    let mut values = [const { None }; 33];
    for span_bits in 1..=63 {
        let wheel = SliceWheel::new(
            u64::from(span_bits),
            &mut nodes,
            &mut links,
            &mut uppers,
            &mut values,
        );
        assert_eq!(wheel.capacity(), 33);
        run(wheel, 4, span_bits, 2_000);
    }
}

/// `SOAK` times a million operations from the seed `SEED` on: `SOAK=1000 SEED=7 cargo test --release ... -- --ignored soak`.
#[test]
#[ignore = "takes minutes"]
fn soak() {
    let number = |name| std::env::var(name).ok().and_then(|value| value.parse().ok());
    let rounds: u64 = number("SOAK").unwrap_or(10);
    let first: u64 = number("SEED").unwrap_or(1_000);
    // Many short runs, since wide spans are soon at the end of time.
    for seed in 16 * first..16 * (first + rounds) {
        // From the first ticks, and from the last ones of an epoch.
        let start = if seed % 2 == 0 { seed } else { (2 << 32) - seed };
        for span_bits in 1..=63 {
            run(Wheel::new(start), seed, span_bits, 992);
        }
    }
}
