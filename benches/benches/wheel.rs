//! Timers under criterion: the workloads of `compare wheel`.

mod support;

use benches::wheel::{
    cancel, cancel_random, expire, insert, long, next, rearm, same, schemes, server, sleep,
};
use criterion::{Criterion, criterion_group, criterion_main};

fn timers(criterion: &mut Criterion) {
    for connections in [1_000, 100_000, 1_000_000] {
        support::bench(criterion, rearm(connections));
    }
    support::bench(criterion, server(10_000));
    support::bench(criterion, cancel(100_000));
    support::bench(criterion, cancel_random(100_000));
    support::bench(criterion, expire(100_000));
    support::bench(criterion, sleep(100_000));
    support::bench(criterion, same(100_000));
    support::bench(criterion, long(10_000));
    support::bench(criterion, next(1_000_000));
    support::bench(criterion, insert(1_000_000));
    for size in 2..=6 {
        support::bench(criterion, schemes(10_u32.pow(size)));
    }
}

criterion_group!(wheel, timers);
criterion_main!(wheel);
