//! `kernel debug`: a kernel that watches itself (memory, locks, leaks), built from Debian's source, and the same tests in it,
//! then again while allocations fail. It takes a quarter of an hour, so it is no stage of `test`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::thread::available_parallelism;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};

use super::apt::Apt;
use super::emulator::Emulator;
use super::guest::{Guest, Job};
use super::target::{Arch, Series, Target};
use super::tree::{Tree, is_unpacked, unpack};
use super::{finish, folder, module, tests, verdict};
use crate::context::Context;
use crate::report::Row;
use crate::runner::Runner;
use crate::toolchain::on_path;

const TARGET: Target = Target::new(Arch::Amd64, Series::V6_1);
const SOURCE: &str = "linux-source-6.1";
/// What is on in that kernel, in the repository.
const CONFIGURATION: &str = "kernel/debug.config";
/// For all that it takes.
const LIMIT: Duration = Duration::from_secs(2 * 60 * 60);

pub(super) fn command(context: Context) -> Result<ExitCode> {
    needs()?;
    let logs = context.workspace.target.join("xtask/logs");
    let root = context.workspace.root.clone();
    let runner = Runner::new(root.clone(), logs, "kernel-debug", LIMIT)?;
    let folder = folder(&context);
    let apt = Apt::open(folder.join("apt"), &runner)?;
    let tree = kernel(&apt, &root, &folder, &runner)?;
    // Kept apart from what is built for Debian's own kernel.
    let folder = folder.join("debug");
    let module = module::build(TARGET, &tree, &root, &folder, &runner)?;
    let emulator = Emulator::get(&apt, &super::folder(&context), &runner)?;
    let set = tests::Set::build(TARGET.arch, &super::folder(&context), &runner)?;
    let start = Instant::now();
    let jobs = jobs(&set, context.long);
    let names: Vec<String> = jobs.iter().map(|job| job.name.clone()).collect();
    let guest = Guest {
        emulator: &emulator,
        arch: TARGET.arch,
        image: &tree.image,
        busybox: &tree.busybox,
        module: &module,
        programs: set.programs(),
        jobs,
        append: "kmemleak=on",
        cpus: 2,
        megabytes: 2048,
        machine: &[],
    };
    let outcome = verdict::judge(&guest.run(&folder, &runner)?, &names);
    Ok(finish(&[Row {
        stage: "debug",
        outcome,
        seconds: start.elapsed().as_secs_f64(),
        budget: 1800,
    }]))
}

fn needs() -> Result<()> {
    if !TARGET.arch.is_native() {
        bail!(
            "the kernel for debugging is built on {} only",
            TARGET.arch.debian()
        );
    }
    let mut missing: Vec<&str> = ["make", "gcc", "flex", "bison", "bc", "perl"]
        .into_iter()
        .filter(|program| !on_path(program))
        .collect();
    if !Path::new("/usr/include/gelf.h").exists() {
        missing.push("libelf-dev");
    }
    if missing.is_empty() {
        Ok(())
    } else {
        bail!("to build a kernel, install the packages {}", missing.join(" "))
    }
}

/// The kernel, from Debian's source.
fn kernel(apt: &Apt, root: &Path, folder: &Path, runner: &Runner) -> Result<Tree> {
    let debian = Tree::get(apt, TARGET, folder, runner)?;
    let version = apt.newest(SOURCE, |version| TARGET.series.has(version))?.version;
    let unpacked = folder.join("debug/source");
    let list = format!("{SOURCE} {version}\n");
    if !is_unpacked(&unpacked, &list) {
        unpack(&apt.fetch(&[SOURCE.to_owned()], runner)?, &unpacked, runner)?;
        let mut command = Command::new("tar");
        command
            .arg("-xf")
            .arg(unpacked.join(format!("usr/src/{SOURCE}.tar.xz")));
        command.arg("-C").arg(&unpacked);
        runner.run(&mut command)?.check("unpacking the kernel's source")?;
        fs::write(unpacked.join("packages"), list)?;
    }
    let source = unpacked.join(SOURCE);
    let output = folder.join("debug/build");
    fs::create_dir_all(&output)?;
    let configuration = root.join(CONFIGURATION);
    let make = |arguments: &[&str]| -> Result<()> {
        let mut command = Command::new("make");
        command.arg("-C").arg(&source);
        command.arg(format!("O={}", output.display())).args(arguments);
        command.env("KCONFIG_ALLCONFIG", &configuration);
        runner.run(&mut command)?.check("building the kernel").map(drop)
    };
    make(&["allnoconfig"])?;
    all_is_on(&configuration, &output.join(".config"))?;
    let jobs = format!("-j{}", available_parallelism().map_or(2, usize::from));
    make(&[&jobs, "bzImage", "modules"])?;
    let release: PathBuf = output.join("include/config/kernel.release");
    let release =
        fs::read_to_string(&release).with_context(|| format!("cannot read {}", release.display()))?;
    Ok(Tree {
        release: release.trim().to_owned(),
        version,
        headers: output.clone(),
        image: output.join("arch/x86/boot/bzImage"),
        busybox: debian.busybox,
    })
}

/// Kconfig drops without a word what depends on something that is off.
fn all_is_on(wanted: &Path, made: &Path) -> Result<()> {
    let read =
        |path: &Path| fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()));
    let (wanted, made) = (read(wanted)?, read(made)?);
    let missing: Vec<&str> = wanted
        .lines()
        .filter(|line| line.starts_with("CONFIG_") && !made.lines().any(|other| other == *line))
        .collect();
    if missing.is_empty() {
        Ok(())
    } else {
        bail!("this kernel cannot be configured with {}", missing.join(" "))
    }
}

fn jobs(set: &tests::Set, long: bool) -> Vec<Job> {
    const FAILURES: u32 = 100_000;
    let leaks = "/sys/kernel/debug/kmemleak";
    let mut jobs = vec![Job::new("leaks before", format!("echo clear > {leaks}"))];
    let last = ["rmmod", "log"];
    jobs.extend(
        set.jobs(long)
            .into_iter()
            .filter(|job| !last.contains(&job.name.as_str())),
    );
    // The tests themselves fail when memory does; what counts is what the kernel says, and that there were failures.
    for what in ["failslab", "fail_page_alloc"] {
        let at = format!("/sys/kernel/debug/{what}");
        let setting = format!(
            "echo 2 > {at}/probability; echo {FAILURES} > {at}/times; echo 0 > {at}/verbose; \
             echo Y > {at}/task-filter; echo N > {at}/ignore-gfp-wait"
        );
        let run = "sh -c 'echo 1 > /proc/self/make-it-fail; exec esca-guest --seconds 2' > /dev/null 2>&1";
        jobs.push(Job::new(
            what,
            format!(
                "{setting}; for i in 1 2 3 4 5; do {run}; done; echo 0 > {at}/probability; \
                 left=$(cat {at}/times); echo $(({FAILURES} - left)) allocations failed; test $left -lt {}",
                FAILURES - 100
            ),
        ));
    }
    jobs.push(Job::new("rmmod", "rmmod esca"));
    jobs.push(Job::new(
        "leaks",
        format!("sleep 6; echo scan > {leaks}; sleep 6; echo scan > {leaks}; cat {leaks}; test -z \"$(cat {leaks})\""),
    ));
    jobs.push(Job::new("log", "dmesg"));
    jobs
}
