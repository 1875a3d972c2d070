//! `compare`: the interleaved comparison with rivals, built and run in release mode.

use std::process::{Command, ExitCode};

use anyhow::{Context, Result, bail};

use crate::kernel;
use crate::toolchain;
use crate::workspace::{Workspace, cargo};

const NAMES: [&str; 8] = [
    "coro", "echo", "wheel", "trie", "batch", "server", "preload", KERNEL,
];
/// Measured in machines under emulation.
const KERNEL: &str = "kernel";

pub(crate) fn command(workspace: Workspace, arguments: &[String]) -> Result<ExitCode> {
    let mut name = None;
    for word in arguments {
        match word.as_str() {
            "--quick" => {}
            word if NAMES.contains(&word) && name.is_none() => name = Some(word),
            other => bail!(
                "compare does not know {other:?}; it takes one of {} and --quick",
                NAMES.join(", ")
            ),
        }
    }
    if name.is_none() {
        bail!("compare what? one of {}", NAMES.join(", "));
    }
    if name == Some(KERNEL) {
        return kernel::compare(workspace, arguments.iter().any(|word| word == "--quick"));
    }
    let cargo = || {
        let mut command = Command::new(cargo());
        command.current_dir(&workspace.root);
        command
    };
    // What users have as a program or library of its own is measured as one, not as a part of the benchmark.
    let apart: &[&str] = match name {
        Some("server") => &["-p", "anglerfish", "--example", "hello"],
        Some("preload") => &["-p", "esca-preload", "--lib"],
        _ => &[],
    };
    if !apart.is_empty() {
        let built = cargo().args(["build", "--release"]).args(apart).status();
        if !built.context("cannot start cargo")?.success() {
            bail!("what is compared does not build: {}", apart.join(" "));
        }
    }
    if name == Some("coro") {
        build_for_aarch64(&workspace, cargo())?;
    }
    let status = cargo()
        .args(["run", "--release", "-p", "benches", "--bin", "compare", "--"])
        .args(arguments)
        .status()
        .context("cannot start cargo")?;
    Ok(if status.success() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// Builds the program whose instructions are counted under an emulator; the comparison looks for it in the target folder.
fn build_for_aarch64(workspace: &Workspace, mut cargo: Command) -> Result<()> {
    let Some(library) = toolchain::aarch64_linux() else {
        println!("no compiler here has a library for AArch64, so its instructions are not counted\n");
        return Ok(());
    };
    cargo.args(["build", "--release", "--target", "aarch64-unknown-linux-gnu"]);
    cargo.args(["-p", "benches", "--bin", "coro_instructions"]);
    library.apply(&mut cargo, &workspace.target);
    if !cargo.status().context("cannot start cargo")?.success() {
        bail!("the program whose instructions are counted does not build for AArch64");
    }
    Ok(())
}
