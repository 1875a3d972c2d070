//! Coroutines under criterion: the workloads of `compare coro`.

mod support;

use anyhow::Result;
use benches::coro::{
    Order, create, create_acquired, create_owned, flat, nested, round_robin, round_robin_prefetched,
    round_robin_touched,
};
use criterion::{Criterion, criterion_group, criterion_main};

fn one(criterion: &mut Criterion) -> Result<()> {
    support::bench(criterion, flat()?);
    support::bench(criterion, nested::<1>()?);
    support::bench(criterion, nested::<4>()?);
    support::bench(criterion, create()?);
    support::bench(criterion, create_owned()?);
    support::bench(criterion, create_acquired()?);
    Ok(())
}

fn many(criterion: &mut Criterion) -> Result<()> {
    for count in [32, 1_000, 10_000, 100_000] {
        for order in [Order::Sequential, Order::Random] {
            support::bench(criterion, round_robin(count, order)?);
        }
    }
    for count in [10_000, 100_000] {
        support::bench(criterion, round_robin_touched(count)?);
        support::bench(criterion, round_robin_prefetched(count)?);
    }
    Ok(())
}

fn all(criterion: &mut Criterion) {
    one(criterion).expect("one coroutine");
    many(criterion).expect("many coroutines");
}

criterion_group!(coro, all);
criterion_main!(coro);
