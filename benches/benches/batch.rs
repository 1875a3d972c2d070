//! Batches under criterion: the workloads of `compare batch`.

mod support;

use anyhow::Result;
use benches::batch::{EXECUTORS, executor, getppid, header_sendfile, pipelined, sends, single, write_null};
use criterion::{Criterion, criterion_group, criterion_main};

fn of(criterion: &mut Criterion, name: &str) -> Result<()> {
    support::bench(criterion, single(&format!("batch.single.{name}"), name)?);
    support::bench(criterion, pipelined(&format!("batch.pipelined16.{name}"), name)?);
    support::bench(
        criterion,
        header_sendfile(&format!("batch.header_sendfile.{name}"), name)?,
    );
    for count in [1, 2, 4, 8, 16, 32, 64] {
        support::bench(
            criterion,
            getppid(&format!("batch.getppid{count}.{name}"), name, count)?,
        );
        support::bench(
            criterion,
            write_null(&format!("batch.write{count}.{name}"), name, count)?,
        );
        support::bench(
            criterion,
            sends(&format!("batch.send{count}x64.{name}"), name, count, 64)?,
        );
        support::bench(
            criterion,
            sends(&format!("batch.send{count}x4096.{name}"), name, count, 4096)?,
        );
    }
    Ok(())
}

fn all(criterion: &mut Criterion) {
    for name in EXECUTORS {
        if executor(name).is_ok() {
            of(criterion, name).expect(name);
        }
    }
}

criterion_group!(batch, all);
criterion_main!(batch);
