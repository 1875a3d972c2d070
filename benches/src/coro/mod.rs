//! Stackful coroutines: `coro-asm`, corosensei, generator, the C library's contexts, and boxed futures.

mod ballast;
mod candidate;
mod contestant;
mod instructions;
mod memory;
mod ours;
mod workloads;

use anyhow::Result;

pub use candidate::Candidate;
pub(crate) use contestant::{Complete, Prefetch, Resume, Spawn, body, through_frames};
pub use instructions::resume_flat;
pub use memory::report_own_memory;
pub use workloads::{
    Order, create, create_acquired, create_owned, flat, nested, round_robin, round_robin_prefetched,
    round_robin_touched,
};

use crate::compare::{Options, Report};

/// Measures everything and returns the ratios and figures.
///
/// # Errors
///
/// When a contestant's stacks cannot be mapped, or two contestants computed different results.
pub fn run(options: &Options) -> Result<Report> {
    let mut report = Report::new();
    report.measure(options, flat()?)?;
    report.measure(options, nested::<1>()?)?;
    report.measure(options, nested::<4>()?)?;
    report.measure(options, create()?)?;
    report.measure(options, create_owned()?)?;
    report.measure(options, create_acquired()?)?;
    let ballast = ballast::Ballast::take()?;
    for count in [32, 1_000, 10_000, 100_000] {
        for order in [Order::Sequential, Order::Random] {
            report.measure_rebuilt(options, || round_robin(count, order))?;
        }
    }
    for count in [10_000, 100_000] {
        report.measure_rebuilt(options, || round_robin_touched(count))?;
        report.measure_rebuilt(options, || round_robin_prefetched(count))?;
    }
    drop(ballast);
    memory::figures(&mut report)?;
    instructions::figures(&mut report)?;
    Ok(report)
}
