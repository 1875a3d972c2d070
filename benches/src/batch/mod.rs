//! Batches of system calls against plain calls, over loopback.
//!
//! Key `batch.WORKLOAD.RIVAL` measures the executor that suits the workload; `batch.WORKLOAD.uring.RIVAL` and
//! `batch.WORKLOAD.direct.RIVAL` name it. What the receiver does is not timed: both sides of the ratio would have it.

mod calls;
mod drive;
mod instructions;
mod net;
mod plain;
mod sends;

use anyhow::{Result, bail};
pub use calls::{getppid, write_null};
use esca_sys::{AnyExecutor, Executor};
pub use instructions::{Counted, run_counted};
pub use sends::{header_sendfile, pipelined, sends, single};

use crate::compare::{Options, Report};

/// Executors by the names that `ESCA_EXECUTOR` takes.
pub const EXECUTORS: [&str; 3] = ["direct", "uring", "kernel"];

/// The executor of this name; for kernel only where its device is there.
///
/// # Errors
///
/// Where it cannot run here.
pub fn executor(name: &str) -> Result<AnyExecutor> {
    Ok(AnyExecutor::named(name)?)
}

/// Measures everything and returns the ratios and figures.
///
/// # Errors
///
/// Where sockets cannot be made, or two contestants disagree.
pub fn run(options: &Options) -> Result<Report> {
    let mut report = Report::new();
    println!("default executor: {}", AnyExecutor::best().describe());
    let available: Vec<&str> = EXECUTORS
        .into_iter()
        .filter(|name| executor(name).is_ok())
        .collect();
    if !available.contains(&"direct") {
        bail!("the direct executor is missing");
    }

    report.measure(options, single("batch.single", "direct")?)?;
    report.measure(options, header_sendfile("batch.header_sendfile", "direct")?)?;
    report.measure(options, pipelined("batch.pipelined16", "direct")?)?;
    let many = if available.contains(&"uring") {
        "uring"
    } else {
        "direct"
    };
    report.measure(options, sends("batch.send64x64", many, 64, 64)?)?;

    for &name in &available {
        report.measure(
            options,
            header_sendfile(&format!("batch.header_sendfile.{name}"), name)?,
        )?;
        if !options.quick {
            report.measure(options, pipelined(&format!("batch.pipelined16.{name}"), name)?)?;
        }
        let sizes: &[usize] = if options.quick {
            &[1, 64]
        } else {
            &[1, 2, 4, 8, 16, 32, 64]
        };
        for &count in sizes {
            report.measure(
                options,
                getppid(&format!("batch.getppid{count}.{name}"), name, count)?,
            )?;
            report.measure(
                options,
                write_null(&format!("batch.write{count}.{name}"), name, count)?,
            )?;
            if options.quick && count == 1 {
                continue;
            }
            for len in [64, 4096] {
                report.measure(
                    options,
                    sends(&format!("batch.send{count}x{len}.{name}"), name, count, len)?,
                )?;
            }
        }
    }
    instructions::figures(&mut report, &available, options.quick)?;
    Ok(report)
}
