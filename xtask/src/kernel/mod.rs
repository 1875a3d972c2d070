//! `kernel`: the module built against Debian's kernels, and tested in machines under QEMU.

mod apt;
mod bench;
mod emulator;
mod guest;
mod initrd;
mod module;
mod programs;
mod target;
mod tests;
mod tree;
mod verdict;

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
pub(crate) use self::target::ALL;
use self::target::{Arch, Series, Target};
use self::tree::Tree;
use crate::context::Context;
use crate::report::{Outcome, Row, closing_line, table, total};
use crate::runner::Runner;
use crate::workspace::Workspace;

/// The longest that the commands of one kernel may take.
const LIMIT: Duration = Duration::from_secs(600);
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
        bail!("kernel what? build or test");
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
            for built in build(&context, &targets)? {
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
        other => bail!("kernel does not know {other:?}; it takes build or test"),
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

/// Fetches the kernels and builds the module for each.
fn build(context: &Context, targets: &[Target]) -> Result<Vec<Built>> {
    let folder = folder(context);
    let apt = Apt::open(folder.join("apt"), &context.runner)?;
    let trees: Vec<Tree> = targets
        .iter()
        .map(|&target| Tree::get(&apt, target, &folder, &context.runner))
        .collect::<Result<_>>()?;
    let targets = targets.iter().copied().zip(trees).collect();
    side_by_side(targets, |(target, tree)| {
        let runner = runner(context, target)?;
        let module = module::build(target, &tree, &context.workspace.root, &folder, &runner)
            .with_context(|| format!("Linux {target}"))?;
        Ok(Built { target, tree, module })
    })
    .into_iter()
    .collect()
}

/// What one kernel's commands run with; their logs have its name.
fn runner(context: &Context, target: Target) -> Result<Runner> {
    let limit = if context.long { LONG_LIMIT } else { LIMIT };
    let logs = context.workspace.target.join("xtask/logs");
    Runner::new(context.workspace.root.clone(), logs, target.slug(), limit)
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
    let mut sets: Vec<(Arch, tests::Set)> = Vec::new();
    for target in targets {
        if !sets.iter().any(|(arch, _)| *arch == target.arch) {
            sets.push((
                target.arch,
                tests::Set::build(target.arch, &folder, &context.runner)?,
            ));
        }
    }
    Ok(side_by_side(built, |built| {
        let start = Instant::now();
        let set = sets.iter().find(|(arch, _)| *arch == built.target.arch);
        let outcome = match set {
            Some((_, set)) => boot(context, &built, set, &emulator, &folder),
            None => Err(anyhow!("no tests were built for {}", built.target)),
        };
        Row {
            stage: built.target.slug(),
            outcome: outcome.unwrap_or_else(|error| Outcome::failed(format!("{error:#}"))),
            seconds: start.elapsed().as_secs_f64(),
            budget: 240,
        }
    }))
}

fn boot(
    context: &Context,
    built: &Built,
    set: &tests::Set,
    emulator: &Emulator,
    folder: &Path,
) -> Result<Outcome> {
    let jobs = set.jobs(context.long);
    let names: Vec<String> = jobs.iter().map(|job| job.name.clone()).collect();
    let guest = Guest {
        emulator,
        arch: built.target.arch,
        image: &built.tree.image,
        busybox: &built.tree.busybox,
        module: &built.module,
        programs: set.programs(),
        jobs,
        append: "",
        cpus: 2,
        megabytes: 1024,
        machine: &[],
    };
    let sections = guest.run(&folder.join(built.target.slug()), &runner(context, built.target)?)?;
    let mut outcome = verdict::judge(&sections, &names);
    // That the module has been built without a warning.
    outcome.counts.passed += 1;
    Ok(outcome)
}
