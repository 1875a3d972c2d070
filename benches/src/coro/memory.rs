use std::process::Command;
use std::{env, process};

use anyhow::{Context, Result, bail, ensure};

use super::candidate::Visit;
use super::{Candidate, Resume, Spawn};
use crate::compare::Report;
use crate::proc;

/// The name of the hidden subcommand that [`figures`] starts for each cell.
const SUBCOMMAND: &str = "coro-memory";

/// What a number of suspended coroutines added to a process.
#[derive(Clone, Copy, Debug)]
struct Growth {
    resident_bytes: u64,
    mappings: usize,
}

impl Growth {
    fn bytes_each(self, count: usize) -> f64 {
        self.resident_bytes as f64 / count as f64
    }
}

/// Suspends `count` coroutines in this process and prints what they added, then ends the process.
///
/// Nothing is dropped: unwinding a million coroutines takes a while and is measured elsewhere.
///
/// # Errors
///
/// When the candidate cannot make so many coroutines.
pub fn report_own_memory(candidate: Candidate, count: usize) -> Result<()> {
    struct Suspend(usize);
    impl Visit for Suspend {
        type Output = Growth;

        fn visit<S: Spawn>(self, spawner: S) -> Result<Growth> {
            growth(spawner, self.0)
        }
    }
    let growth = candidate.visit(count, Suspend(count))?;
    println!("{} {}", growth.resident_bytes, growth.mappings);
    process::exit(0);
}

fn growth<S: Spawn>(mut spawner: S, count: usize) -> Result<Growth> {
    let own = process::id();
    let before = proc::resident_bytes(own)?;
    let mut coroutines = Vec::with_capacity(count);
    for id in 0..count as u64 {
        let mut coroutine = spawner.spawn::<0, 0>(id)?;
        ensure!(coroutine.resume(1) == id ^ 1, "coroutine {id} answered wrongly");
        coroutines.push(coroutine);
    }
    let after = proc::resident_bytes(own)?;
    let growth = Growth {
        resident_bytes: after.saturating_sub(before),
        mappings: proc::mappings(own)?,
    };
    // They stay until the process ends.
    core::mem::forget(coroutines);
    core::mem::forget(spawner);
    Ok(growth)
}

/// Measures each cell in a process of its own, since an allocator keeps what one cell has touched.
fn in_child(candidate: Candidate, count: usize) -> Result<Growth> {
    let own = env::current_exe().context("cannot find the running program")?;
    let output = Command::new(own)
        .args([SUBCOMMAND, candidate.name(), &count.to_string()])
        .output()
        .context("cannot start the running program again")?;
    if !output.status.success() {
        bail!(
            "{} with {count} coroutines: {}",
            candidate.name(),
            String::from_utf8_lossy(&output.stderr).trim()
        );
    }
    let text = String::from_utf8_lossy(&output.stdout);
    let mut numbers = text.split_whitespace().map(str::parse::<u64>);
    let (Some(Ok(resident_bytes)), Some(Ok(mappings))) = (numbers.next(), numbers.next()) else {
        bail!("{} with {count} coroutines printed {text:?}", candidate.name());
    };
    Ok(Growth {
        resident_bytes,
        mappings: mappings as usize,
    })
}

/// Memory of 100,000 suspended coroutines (10,000 where each takes guarded mappings of its own), and of a million
/// of ours.
pub(super) fn figures(report: &mut Report) -> Result<()> {
    let ours = in_child(Candidate::CoroAsm, 100_000)?;
    report.figure("coro.rss_per_coroutine", ours.bytes_each(100_000), "bytes");
    for (candidate, count) in [
        (Candidate::CorosenseiArena, 100_000),
        (Candidate::CorosenseiColoured, 100_000),
        (Candidate::Ucontext, 100_000),
        (Candidate::Future, 100_000),
        (Candidate::Corosensei, 10_000),
        (Candidate::Generator, 10_000),
    ] {
        let rival = in_child(candidate, count)?;
        let name = candidate.name();
        report.figure(
            format!("coro.rss_per_coroutine.{name}"),
            rival.bytes_each(count),
            "bytes",
        );
        report.figure(
            format!("coro.vmas_{}k.{name}", count / 1000),
            rival.mappings as f64,
            "mappings",
        );
    }
    million(report)
}

/// A million suspended coroutines, where the machine has the memory.
fn million(report: &mut Report) -> Result<()> {
    const COUNT: usize = 1_000_000;
    const NEEDED: u64 = 6 << 30;
    let available = proc::available_bytes()?;
    if available < NEEDED {
        println!("a million coroutines need {NEEDED} bytes of memory, but only {available} are available\n");
        return Ok(());
    }
    let ours = in_child(Candidate::CoroAsm, COUNT)?;
    report.figure("coro.vmas_1m", ours.mappings as f64, "mappings");
    report.figure(
        "coro.rss_1m",
        ours.resident_bytes as f64 / f64::from(1 << 30),
        "GiB",
    );
    Ok(())
}
