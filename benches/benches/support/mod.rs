//! Hands the workloads of the comparison to criterion.

use benches::compare::Workload;
use criterion::{Criterion, Throughput};

/// One criterion group for the workload, one benchmark for each contestant.
pub(crate) fn bench(criterion: &mut Criterion, mut workload: Workload<'_>) {
    let mut group = criterion.benchmark_group(workload.key());
    group.throughput(Throughput::Elements(workload.operations()));
    for contestant in workload.contestants_mut() {
        let name = contestant.name().to_owned();
        group.bench_function(name, |bencher| {
            bencher.iter_custom(|passes| contestant.time(passes))
        });
    }
    group.finish();
}
