//! Hands the workloads of the comparison to criterion.

use core::time::Duration;

use benches::compare::Workload;
use criterion::{Criterion, Throughput};

/// One criterion group for the workload, one benchmark for each contestant.
pub(crate) fn bench(criterion: &mut Criterion, mut workload: Workload<'_>) {
    let mut group = criterion.benchmark_group(workload.key());
    // A subject has dozens of contestants: a fifth of criterion's usual patience each.
    group
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_secs(1));
    group.throughput(Throughput::Elements(workload.operations()));
    for contestant in workload.contestants_mut() {
        let name = contestant.name().to_owned();
        group.bench_function(name, |bencher| {
            bencher.iter_custom(|passes| contestant.time(passes))
        });
    }
    group.finish();
}
