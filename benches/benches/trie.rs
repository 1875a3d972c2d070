//! Longest-prefix match under criterion: the workloads of `compare trie`.

mod support;

use benches::trie::{ByteField, Kind, SegmentField, Set};
use criterion::{Criterion, criterion_group, criterion_main};

fn all(criterion: &mut Criterion) {
    for set in Set::all() {
        let bytes = ByteField::new(&set);
        let segments = SegmentField::new(&set);
        for kind in Kind::ALL {
            let paths = kind.paths(&set);
            support::bench(criterion, segments.workload(kind, &paths));
            support::bench(criterion, bytes.workload(kind, &paths));
        }
    }
}

criterion_group!(trie, all);
criterion_main!(trie);
