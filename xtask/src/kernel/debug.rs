//! `kernel debug`: a kernel that watches itself (memory, locks, leaks), built from Debian's source, and the same tests in it,
//! then others while allocations fail. Building it takes a quarter of an hour, so it is no stage of `test`.

use std::fs;
use std::path::Path;
use std::process::{Command, ExitCode};
use std::thread::available_parallelism;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};

use super::apt::Apt;
use super::emulator::Emulator;
use super::guest::{Guest, Job};
use super::suite::Suite;
use super::target::{Arch, Series, Target};
use super::tree::{Tree, is_unpacked, unpack};
use super::{finish, folder, module, verdict};
use crate::context::Context;
use crate::report::Row;
use crate::runner::Runner;
use crate::toolchain::on_path;

const TARGET: Target = Target::new(Arch::Amd64, Series::V6_1);
const SOURCE: &str = "linux-source-6.1";
/// What is on in that kernel, in the repository.
const CONFIGURATION: &str = "kernel/debug.config";
/// For building it, and again for the machine.
const LIMIT: Duration = Duration::from_secs(90 * 60);

pub(super) fn command(context: &Context) -> Result<ExitCode> {
    needs()?;
    let workspace = &context.workspace;
    let runner = |stage| {
        let logs = workspace.target.join("xtask/logs");
        Runner::new(workspace.root.clone(), logs, stage, LIMIT)
    };
    let building = runner("kernel-debug")?;
    let shared = folder(context);
    let apt = Apt::open(shared.join("apt"), &building)?;
    let tree = kernel(&apt, &workspace.root, &shared, &building)?;
    // Kept apart from what is built for Debian's own kernel.
    let own = shared.join("debug");
    let module = module::build(TARGET, &tree, &workspace.root, &own, &building)?;
    core_is_watched(&module)?;
    let emulator = Emulator::get(&apt, &shared, &building)?;
    let suite = Suite::build(TARGET.arch, &shared, &building)?;
    let start = Instant::now();
    let jobs = jobs(&suite, context.long);
    let names: Vec<String> = jobs.iter().map(|job| job.name.clone()).collect();
    let guest = Guest {
        emulator: &emulator,
        arch: TARGET.arch,
        image: &tree.image,
        busybox: &tree.busybox,
        module: &module,
        programs: suite.programs(),
        jobs,
        // Else nobody has random numbers: there is no device that would bring any.
        append: "random.trust_cpu=on",
        cpus: 2,
        megabytes: 2048,
        machine: &[],
    };
    let outcome = verdict::judge(&guest.run(&own, &runner("machine-debug")?)?, &names);
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
    let libraries = [
        ("/usr/include/gelf.h", "libelf-dev"),
        ("/usr/include/openssl/ssl.h", "libssl-dev"),
    ];
    missing.extend(
        libraries
            .into_iter()
            .filter(|(header, _)| !Path::new(header).exists())
            .map(|(_, package)| package),
    );
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
    let release = output.join("include/config/kernel.release");
    let release =
        fs::read_to_string(&release).with_context(|| format!("cannot read {}", release.display()))?;
    Ok(Tree {
        release: release.trim().to_owned(),
        version,
        image: output.join("arch/x86/boot/bzImage"),
        headers: output,
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

/// Whether the accesses to memory of the module's Rust core are checked too: no tool fails where they are not.
fn core_is_watched(module: &Path) -> Result<()> {
    const REPORT: &[u8] = b"__asan_report_load";
    let core = module.with_file_name("core.o");
    let bytes = fs::read(&core).with_context(|| format!("cannot read {}", core.display()))?;
    if bytes.windows(REPORT.len()).any(|window| window == REPORT) {
        Ok(())
    } else {
        bail!(
            "{} reports nothing to KASAN: see rust_flags in kernel/Makefile",
            core.display()
        )
    }
}

/// The tests of every kernel, and between them and the module's end those with failures.
fn jobs(suite: &Suite, long: bool) -> Vec<Job> {
    const LEAKS: &str = "/sys/kernel/debug/kmemleak";
    const FAILURES: u32 = 100_000;
    let mut jobs = vec![Job::new("leaks before", format!("echo clear > {LEAKS}"))];
    // Each access to memory is checked, and each lock: everything takes some ten times as long.
    let seconds = if long { 600 } else { 30 };
    jobs.extend(suite.jobs(&format!("--seconds {seconds} --limit 1800 --tables 5000")));
    let end = jobs
        .iter()
        .position(|job| job.name == "rmmod")
        .unwrap_or(jobs.len());
    let rest = jobs.split_off(end);
    // Also of allocations that may wait, of any size; the kernel need not tell of each.
    let settings: String = ["failslab", "fail_page_alloc"]
        .map(|what| {
            let at = format!("/sys/kernel/debug/{what}");
            format!(
                "echo 0 > {at}/verbose; echo N > {at}/ignore-gfp-wait; echo Y > {at}/task-filter; \
                 echo {FAILURES} > {at}/times; "
            )
        })
        .concat();
    let pages = "/sys/kernel/debug/fail_page_alloc";
    jobs.push(Job::new(
        "failures may be had",
        format!("{settings} echo N > {pages}/ignore-gfp-highmem; echo 0 > {pages}/min-order"),
    ));
    jobs.push(Job::new("tests failing", "esca-guest --failing --limit 1800"));
    // The tests themselves end early when memory does; what counts is what the kernel says of it, and that there were failures.
    for what in ["failslab", "fail_page_alloc"] {
        let at = format!("/sys/kernel/debug/{what}");
        let run = "timeout -s KILL 30 sh -c 'echo 1 > /proc/self/make-it-fail; exec esca-guest --seconds 5 --limit 20'";
        jobs.push(Job::new(
            what,
            format!(
                "echo 1 > {at}/probability; for i in 1 2 3 4 5 6; do {run} > /dev/null 2>&1; done; \
                 echo 0 > {at}/probability; left=$(cat {at}/times); \
                 echo $(({FAILURES} - left)) allocations failed; test $left -lt {}",
                FAILURES - 20
            ),
        ));
    }
    jobs.extend(rest);
    // What is younger than five seconds is not looked at.
    let log = jobs.len() - 1;
    jobs.insert(
        log,
        Job::new(
            "leaks",
            format!(
                "sleep 6; echo scan > {LEAKS}; sleep 6; echo scan > {LEAKS}; cat {LEAKS}; test -z \"$(cat {LEAKS})\""
            ),
        ),
    );
    jobs
}
