//! Calls that do next to nothing: the cost of the batch itself.

use std::fs::OpenOptions;
use std::os::fd::OwnedFd;
use std::sync::Arc;

use anyhow::Result;
use esca_sys::{Descriptor, Operation, Segment};

use super::drive::{flush, push};
use super::{executor, plain};
use crate::compare::Workload;

/// Batches in a pass.
const BATCHES: usize = 32;

/// `getppid`, `count` in a batch.
///
/// # Errors
///
/// Where the executor cannot run here.
pub fn getppid(key: &str, name: &str, count: usize) -> Result<Workload<'static>> {
    let mut segment = Segment::new(executor(name)?, 64)?;
    let ours = move || {
        let mut sum = 0;
        for _ in 0..BATCHES {
            for _ in 0..count {
                // SAFETY: no arguments, no effect.
                let operation = unsafe { Operation::raw(batch_table::nr::native::GETPPID, [0; 6]) };
                push(&mut segment, operation);
            }
            sum += flush(&mut segment);
        }
        sum
    };
    let plain = move || (0..BATCHES * count).map(|_| plain::getppid()).sum();
    Ok(Workload::new(key, (BATCHES * count) as u64)
        .ours(name, ours)
        .rival("plain", plain))
}

/// `write` of 64 bytes to `/dev/null`, `count` in a batch.
///
/// # Errors
///
/// Where the executor cannot run here, or there is no `/dev/null`.
pub fn write_null(key: &str, name: &str, count: usize) -> Result<Workload<'static>> {
    let null = OwnedFd::from(OpenOptions::new().write(true).open("/dev/null")?);
    let mine = Descriptor::shared(Arc::new(null.try_clone()?));
    let mut segment = Segment::new(executor(name)?, 64)?;
    let ours = move || {
        let mut sum = 0;
        for _ in 0..BATCHES {
            for _ in 0..count {
                push(&mut segment, Operation::write(mine.clone(), &[7; 64]));
            }
            sum += flush(&mut segment);
        }
        sum
    };
    let plain = move || (0..BATCHES * count).map(|_| plain::write(&null, &[7; 64])).sum();
    Ok(Workload::new(key, (BATCHES * count) as u64)
        .ours(name, ours)
        .rival("plain", plain))
}
