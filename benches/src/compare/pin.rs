use anyhow::{Context, Result};
use rustix::thread::{CpuSet, Pid, sched_getaffinity, sched_setaffinity};

/// The processors that the calling thread may run on, in ascending order.
///
/// # Errors
///
/// When the kernel refuses to tell.
pub fn allowed_cpus() -> Result<Vec<usize>> {
    let set = sched_getaffinity(None).context("cannot read the processor affinity")?;
    Ok((0..CpuSet::MAX_CPU).filter(|&cpu| set.is_set(cpu)).collect())
}

/// Pins a thread or a single-threaded process, or the calling thread when `pid` is `None`, to one processor.
///
/// # Errors
///
/// When the kernel refuses, as it does for a processor outside the process's cpuset.
pub fn pin_to(pid: Option<Pid>, cpu: usize) -> Result<()> {
    let mut set = CpuSet::new();
    set.set(cpu);
    sched_setaffinity(pid, &set).with_context(|| format!("cannot pin to processor {cpu}"))
}
