//! `compare kernel`: what a batch costs, in instructions, in machines that count them.

use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context as _, Result, bail};

use super::guest::{Guest, Job};
use super::target::{Arch, Series, Target};
use super::{BUILD_LIMIT, Built, build, folder, machine, programs, side_by_side};
use crate::context::Context;
use crate::kernel::apt::Apt;
use crate::kernel::emulator::Emulator;
use crate::runner::Runner;
use crate::workspace::Workspace;

/// One kernel on both architectures.
const TARGETS: [Target; 2] = [
    Target::new(Arch::Amd64, Series::V6_1),
    Target::new(Arch::Arm64, Series::V6_1),
];

pub(crate) fn compare(workspace: Workspace, quick: bool) -> Result<ExitCode> {
    let logs = workspace.target.join("xtask/logs");
    let runner = Runner::new(workspace.root.clone(), logs, "kernel", BUILD_LIMIT)?;
    let context = Context {
        workspace,
        runner,
        long: false,
    };
    let folder = folder(&context);
    let built = build(&context, &TARGETS)?;
    let emulator = Emulator::get(
        &Apt::open(folder.join("apt"), &context.runner)?,
        &folder,
        &context.runner,
    )?;
    let mut machines = Vec::new();
    for (_, built) in built {
        let built = built?;
        let arguments = ["build", "--release", "-p", "esca-bench"];
        let made = programs::build(built.target.arch, &arguments, &folder, &context.runner)?;
        let bench = made.into_iter().find(|(name, _)| name == "esca-bench");
        machines.push((built, bench.context("cargo has built no esca-bench")?));
    }
    let texts = side_by_side(machines, |(built, bench)| {
        let target = built.target;
        let text = measure(&context, &built, bench, &emulator, &folder, quick);
        text.map(|text| (target, built.tree.release, text))
    });
    for text in texts {
        let (target, release, text) = text?;
        println!("\nLinux {release}, {}\n{}", target.arch.debian(), text.trim());
    }
    Ok(ExitCode::SUCCESS)
}

fn measure(
    context: &Context,
    built: &Built,
    bench: (String, std::path::PathBuf),
    emulator: &Emulator,
    folder: &Path,
    quick: bool,
) -> Result<String> {
    let prefix = match built.target.arch {
        Arch::Amd64 => "kernel",
        Arch::Arm64 => "kernel.arm64",
    };
    let quick = if quick { "--quick" } else { "" };
    let guest = Guest {
        emulator,
        arch: built.target.arch,
        image: &built.tree.image,
        busybox: &built.tree.busybox,
        module: &built.module,
        programs: vec![bench],
        jobs: vec![
            Job::new("insmod", "insmod /esca.ko"),
            Job::new("bench", format!("esca-bench {prefix} {quick}")),
        ],
        // Page tables of the kernel's own would only make the plain call dearer.
        append: "pti=off kpti=off",
        cpus: 1,
        megabytes: 1024,
        machine: &["-icount", "shift=0,sleep=off"],
    };
    let boot = guest.run(
        &folder.join(built.target.slug()),
        &machine(context, built.target)?,
    )?;
    match boot.sections.into_iter().find(|section| section.name == "bench") {
        Some(section) if section.status == Some(0) => Ok(section.text),
        Some(section) => bail!("{}: {}", built.target, section.text.trim()),
        None => bail!(
            "{}: the guest ended before the measurement: {}",
            built.target,
            boot.last
        ),
    }
}
