//! `kernel`: the module built against Debian's kernels, and tested in machines under QEMU.

mod apt;
mod bench;
mod debug;
mod emulator;
mod guest;
mod initrd;
mod module;
mod programs;
mod suite;
mod target;
mod tree;
mod verdict;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, anyhow, bail};

use self::apt::Apt;
pub(crate) use self::bench::compare;
use self::emulator::Emulator;
use self::guest::Guest;
use self::suite::Suite;
pub(crate) use self::target::ALL;
use self::target::{Arch, Series, Target};
use self::tree::Tree;
use crate::context::Context;
use crate::report::{Outcome, Row, closing_line, table, total};
use crate::runner::Runner;
use crate::workspace::Workspace;

/// The longest that building for one kernel may take.
const BUILD_LIMIT: Duration = Duration::from_secs(600);
/// The longest that a machine may take: several times as long as usual. One that stalls ends itself before, see `guest.rs`.
const MACHINE_LIMIT: Duration = Duration::from_secs(600);
const LONG_LIMIT: Duration = Duration::from_secs(2400);

/// A module that is built for a kernel.
#[derive(Debug)]
struct Built {
    target: Target,
    tree: Tree,
    module: PathBuf,
}

pub(crate) fn command(workspace: Workspace, arguments: &[String]) -> Result<ExitCode> {
    let Some((verb, rest)) = arguments.split_first() else {
        bail!("kernel what? build, test or debug");
    };
    let (targets, long) = options(rest)?;
    let logs = workspace.target.join("xtask/logs");
    let runner = Runner::new(workspace.root.clone(), logs, "kernel", LONG_LIMIT)?;
    let context = Context {
        workspace,
        runner,
        long,
    };
    match verb.as_str() {
        "build" => {
            for (target, built) in build(&context, &targets)? {
                let built = built.with_context(|| format!("Linux {target}"))?;
                println!(
                    "{}  for Linux {} ({})",
                    built.module.display(),
                    built.tree.release,
                    built.tree.version
                );
            }
            Ok(ExitCode::SUCCESS)
        }
        "test" => {
            let rows = test(&context, &targets)?;
            Ok(finish(&rows))
        }
        "debug" => debug::command(&context),
        other => bail!("kernel does not know {other:?}; it takes build, test or debug"),
    }
}

/// The closing table and line.
fn finish(rows: &[Row]) -> ExitCode {
    let sum = total(rows);
    println!("\n{}\n{}", table(rows), closing_line(sum));
    if sum.failed == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

fn options(words: &[String]) -> Result<(Vec<Target>, bool)> {
    let (mut arch, mut series, mut long) = (None, None, false);
    let mut words = words.iter();
    while let Some(word) = words.next() {
        let mut value = || words.next().with_context(|| format!("{word} needs a value"));
        match word.as_str() {
            "--arch" => arch = Some(Arch::from_name(value()?)?),
            "--kernel" => series = Some(Series::from_name(value()?)?),
            "--long" => long = true,
            other => bail!("kernel does not know {other:?}; it takes --arch, --kernel and --long"),
        }
    }
    let wanted = |target: &Target| {
        arch.is_none_or(|arch| arch == target.arch) && series.is_none_or(|series| series == target.series)
    };
    Ok((ALL.into_iter().filter(wanted).collect(), long))
}

fn folder(context: &Context) -> PathBuf {
    context.workspace.target.join("kernel")
}

/// Fetches the kernels and builds the module for each. What fails for one does not keep the others from it.
fn build(context: &Context, targets: &[Target]) -> Result<Vec<(Target, Result<Built>)>> {
    let folder = folder(context);
    let apt = Apt::open(folder.join("apt"), &context.runner)?;
    let trees: Vec<(Target, Result<Tree>)> = targets
        .iter()
        .map(|&target| (target, Tree::get(&apt, target, &folder, &context.runner)))
        .collect();
    Ok(side_by_side(trees, |(target, tree)| {
        let built = tree.and_then(|tree| {
            let logs = context.workspace.target.join("xtask/logs");
            let runner = Runner::new(context.workspace.root.clone(), logs, target.slug(), BUILD_LIMIT)?;
            let module = module::build(target, &tree, &context.workspace.root, &folder, &runner)?;
            Ok(Built { target, tree, module })
        });
        (target, built)
    }))
}

/// What a kernel's machine runs with: a time limit and a log of its own.
fn machine(context: &Context, target: Target) -> Result<Runner> {
    let limit = if context.long { LONG_LIMIT } else { MACHINE_LIMIT };
    let logs = context.workspace.target.join("xtask/logs");
    Runner::new(context.workspace.root.clone(), logs, target.machine(), limit)
}

/// Does the same with each of several things, two at a time.
fn side_by_side<T: Send, U: Send>(all: Vec<T>, action: impl Fn(T) -> U + Sync) -> Vec<U> {
    let waiting = Mutex::new(all.into_iter().enumerate());
    let done = Mutex::new(Vec::new());
    let work = || {
        loop {
            let next = waiting.lock().unwrap_or_else(PoisonError::into_inner).next();
            let Some((index, one)) = next else { return };
            let result = action(one);
            done.lock()
                .unwrap_or_else(PoisonError::into_inner)
                .push((index, result));
        }
    };
    thread::scope(|scope| {
        scope.spawn(work);
        scope.spawn(work);
    });
    let mut done = done.into_inner().unwrap_or_else(PoisonError::into_inner);
    done.sort_by_key(|(index, _)| *index);
    done.into_iter().map(|(_, result)| result).collect()
}

/// Builds, boots and tests; a row for each kernel.
pub(crate) fn test(context: &Context, targets: &[Target]) -> Result<Vec<Row>> {
    let folder = folder(context);
    let built = build(context, targets)?;
    let apt = Apt::open(folder.join("apt"), &context.runner)?;
    let emulator = Emulator::get(&apt, &folder, &context.runner)?;
    let mut suites: Vec<(Arch, Result<Suite>)> = Vec::new();
    for target in targets {
        if !suites.iter().any(|(arch, _)| *arch == target.arch) {
            let suite = Suite::build(target.arch, &folder, &context.runner);
            suites.push((target.arch, suite));
        }
    }
    Ok(side_by_side(built, |(target, built)| {
        let start = Instant::now();
        let suite = suites.iter().find(|(arch, _)| *arch == target.arch);
        let outcome = built.and_then(|built| match suite {
            Some((_, Ok(suite))) => boot(context, &built, suite, &emulator, &folder),
            Some((_, Err(error))) => Err(anyhow!("no programs for the guest: {error:#}")),
            None => Err(anyhow!("no programs for the guest")),
        });
        Row {
            stage: target.slug(),
            outcome: outcome.unwrap_or_else(|error| Outcome::failed(format!("{error:#}"))),
            seconds: start.elapsed().as_secs_f64(),
            budget: if context.long { 1440 } else { 240 },
        }
    }))
}

/// Where the log of a machine's first boot is, when there was a second.
fn kept_log(target: Target) -> String {
    format!("{}-stalled.log", target.machine())
}

fn keep_log(context: &Context, target: Target) -> Result<()> {
    let logs = context.workspace.target.join("xtask/logs");
    let log = logs.join(format!("{}-01.log", target.machine()));
    fs::rename(&log, logs.join(kept_log(target))).with_context(|| format!("cannot rename {}", log.display()))
}

fn boot(
    context: &Context,
    built: &Built,
    suite: &Suite,
    emulator: &Emulator,
    folder: &Path,
) -> Result<Outcome> {
    // For the hostile writer, and again for random batches.
    let jobs = suite.jobs(if context.long { "--long" } else { "--seconds 15" });
    let names: Vec<String> = jobs.iter().map(|job| job.name.clone()).collect();
    let guest = Guest {
        emulator,
        arch: built.target.arch,
        image: &built.tree.image,
        busybox: &built.tree.busybox,
        module: &built.module,
        programs: suite.programs(),
        jobs,
        append: "",
        cpus: 2,
        megabytes: 1024,
        machine: &[],
    };
    let folder = folder.join(built.target.slug());
    let mut boot = guest.run(&folder, &machine(context, built.target)?)?;
    let again = verdict::stalled_without_the_module(&boot);
    if again {
        keep_log(context, built.target)?;
        boot = guest.run(&folder, &machine(context, built.target)?)?;
    }
    let mut outcome = verdict::judge(&boot, &names);
    if again {
        outcome.notes.push(format!(
            "booted twice: at first a processor was lost, outside of the module ({})",
            kept_log(built.target)
        ));
    }
    // That the module has been built without a warning.
    outcome.counts.passed += 1;
    Ok(outcome)
}
