use std::process::Command;
use std::{env, process};

use anyhow::{Context, Result, bail, ensure};

use super::ours::CoroAsm;
use super::workloads::STACK_BYTES;
use super::{Resume, Spawn};
use crate::compare::Report;
use crate::proc;
use crate::rivals::{Arena, BoxedFuture, Corosensei, Generator, Ucontext};

/// The name of the hidden subcommand that [`figures`] starts for each cell.
const SUBCOMMAND: &str = "coro-memory";

/// Whose memory is measured.
#[derive(Clone, Copy, Debug, Eq, PartialEq, clap::ValueEnum)]
#[value(rename_all = "snake_case")]
pub enum Contestant {
    /// Ours on its pool of guarded stacks.
    CoroAsm,
    /// corosensei on stacks of its own.
    Corosensei,
    /// corosensei on one mapping, without guards.
    CorosenseiArena,
    /// corosensei on one mapping with coloured stack tops, without guards.
    CorosenseiColoured,
    /// The `generator` crate.
    Generator,
    /// The C library's contexts on one mapping, without guards.
    Ucontext,
    /// Boxed futures.
    Future,
}

impl Contestant {
    const fn name(self) -> &'static str {
        match self {
            Self::CoroAsm => "coro_asm",
            Self::Corosensei => "corosensei",
            Self::CorosenseiArena => "corosensei_arena",
            Self::CorosenseiColoured => "corosensei_coloured",
            Self::Generator => "generator",
            Self::Ucontext => "ucontext",
            Self::Future => "future",
        }
    }
}

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
/// When the contestant cannot make so many coroutines.
pub fn report_own_memory(contestant: Contestant, count: usize) -> Result<()> {
    let growth = match contestant {
        Contestant::CoroAsm => growth(CoroAsm::new(count)?, count),
        Contestant::Corosensei => growth(Corosensei::with_default_stacks(STACK_BYTES), count),
        Contestant::CorosenseiArena => growth(Corosensei::on_arena(Arena::new(count, false)?), count),
        Contestant::CorosenseiColoured => growth(Corosensei::on_arena(Arena::new(count, true)?), count),
        Contestant::Generator => growth(Generator::new(STACK_BYTES), count),
        Contestant::Ucontext => growth(Ucontext::on_arena(Arena::new(count, false)?), count),
        Contestant::Future => growth(BoxedFuture::new(), count),
    }?;
    println!("{} {}", growth.resident_bytes, growth.mappings);
    process::exit(0);
}

fn growth<S: Spawn>(mut spawner: S, count: usize) -> Result<Growth> {
    let own = process::id();
    let before = proc::resident_bytes(own)?;
    let mut coroutines = Vec::with_capacity(count);
    for id in 0..count as u64 {
        let mut coroutine = spawner.spawn::<0>(id)?;
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
fn in_child(contestant: Contestant, count: usize) -> Result<Growth> {
    let own = env::current_exe().context("cannot find the running program")?;
    let output = Command::new(own)
        .args([SUBCOMMAND, contestant.name(), &count.to_string()])
        .output()
        .context("cannot start the running program again")?;
    if !output.status.success() {
        bail!(
            "{} with {count} coroutines: {}",
            contestant.name(),
            String::from_utf8_lossy(&output.stderr).trim()
        );
    }
    let text = String::from_utf8_lossy(&output.stdout);
    let mut numbers = text.split_whitespace().map(str::parse::<u64>);
    let (Some(Ok(resident_bytes)), Some(Ok(mappings))) = (numbers.next(), numbers.next()) else {
        bail!("{} with {count} coroutines printed {text:?}", contestant.name());
    };
    Ok(Growth {
        resident_bytes,
        mappings: mappings as usize,
    })
}

/// Memory of 100,000 suspended coroutines (10,000 where each takes guarded mappings of its own), and of a million
/// of ours.
pub(super) fn figures(report: &mut Report) -> Result<()> {
    let ours = in_child(Contestant::CoroAsm, 100_000)?;
    report.figure("coro.rss_per_coroutine", ours.bytes_each(100_000), "bytes");
    for (contestant, count) in [
        (Contestant::CorosenseiArena, 100_000),
        (Contestant::CorosenseiColoured, 100_000),
        (Contestant::Ucontext, 100_000),
        (Contestant::Future, 100_000),
        (Contestant::Corosensei, 10_000),
        (Contestant::Generator, 10_000),
    ] {
        let rival = in_child(contestant, count)?;
        let name = contestant.name();
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
    let ours = in_child(Contestant::CoroAsm, COUNT)?;
    report.figure("coro.vmas_1m", ours.mappings as f64, "mappings");
    report.figure(
        "coro.rss_1m",
        ours.resident_bytes as f64 / f64::from(1 << 30),
        "GiB",
    );
    Ok(())
}
