//! The module: its Rust core by cargo, the rest by Kbuild, and what must be true of the result.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use super::target::{Arch, Target};
use super::tree::Tree;
use crate::runner::Runner;
use crate::toolchain;

/// What the compiler says of a flag that it hands on to LLVM, which knows it.
const TOLERATED: &str = "unknown and unstable feature specified for `-Ctarget-feature`: `harden-sls-ijmp`";

/// `esca.ko` for `target`, built from a copy of the sources as DKMS has it: Kbuild writes beside them, and several
/// kernels are built at once.
pub(super) fn build(
    target: Target,
    tree: &Tree,
    root: &Path,
    folder: &Path,
    runner: &Runner,
) -> Result<PathBuf> {
    let compiler = format!("{}gcc-12", target.arch.cross());
    for (program, package) in [
        ("make", "make".to_owned()),
        (&compiler, compiler_package(target.arch)),
    ] {
        if !toolchain::on_path(program) {
            bail!("the module is built with {program}: install {package}");
        }
    }
    if !toolchain::has_debian_source() {
        bail!(
            "the module's core is built with the source of Rust's library: install rustc-web and rust-web-src"
        );
    }
    let copy = folder.join(target.slug()).join("module");
    if copy.exists() {
        fs::remove_dir_all(&copy).with_context(|| format!("cannot remove {}", copy.display()))?;
    }
    let mut command = Command::new("make");
    command.args(["-C", "kernel", "source"]);
    command.arg(format!("TO={}", copy.display()));
    command.current_dir(root);
    runner.run(&mut command)?.check("copying the module's sources")?;

    let mut command = Command::new("make");
    command.arg("-C").arg(copy.join("kernel"));
    command.arg(format!("KDIR={}", tree.headers.display()));
    command.arg(format!("ARCH={}", target.arch.kernel()));
    command.arg(format!("CROSS_COMPILE={}", target.arch.cross()));
    command.arg(format!("RUSTC={}", toolchain::DEBIAN_RUSTC));
    command.arg(format!(
        "CARGO_TARGET_DIR={}",
        folder.join(target.slug()).join("core").display()
    ));
    // Of the cargo that runs this, not for that which make starts.
    for (key, _) in std::env::vars_os() {
        if key.to_string_lossy().starts_with("CARGO_") && key != "CARGO_HOME" {
            command.env_remove(key);
        }
    }
    let text = runner.run(&mut command)?.check("building the module")?;
    no_warning(&text)?;
    let module = copy.join("kernel/esca.ko");
    if target.arch == Arch::Amd64 {
        has_been_patched(&module)?;
    }
    Ok(module)
}

fn compiler_package(arch: Arch) -> String {
    match arch.cross().trim_end_matches('-') {
        "" => "gcc-12".to_owned(),
        prefix => format!("gcc-12-{}", prefix.replace('_', "-")),
    }
}

/// Warnings of compilers, objtool and modpost alike.
fn no_warning(text: &str) -> Result<()> {
    let found = text
        .lines()
        .find(|line| line.to_ascii_lowercase().contains("warning:") && !line.contains(TOLERATED));
    match found {
        Some(line) => bail!("a warning: {}", line.trim()),
        None => Ok(()),
    }
}

/// Kbuild does not by itself run objtool on an object that comes ready; then nothing is patched and nothing unwinds.
fn has_been_patched(module: &Path) -> Result<()> {
    let output = Command::new("readelf")
        .args(["-S", "-W"])
        .arg(module)
        .output()
        .context("readelf (package binutils) cannot be started")?;
    let text = String::from_utf8_lossy(&output.stdout);
    for section in [".orc_unwind", ".return_sites", ".retpoline_sites"] {
        if !text.contains(&format!(" {section} ")) {
            bail!("{} has no {section}: objtool has not seen it", module.display());
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn warnings_of_every_tool_are_found() {
        assert!(no_warning("  CC [M]  glue.o\nSkipping BTF generation for esca.ko\n").is_ok());
        for line in [
            "core.o: warning: objtool: 'naked' return found in RETHUNK build",
            "WARNING: modpost: missing MODULE_DESCRIPTION() in esca.o",
            "glue.c:3:4: warning: unused variable 'a' [-Wunused-variable]",
        ] {
            assert!(no_warning(&format!("  LD\n{line}\n")).is_err(), "{line}");
        }
    }

    #[test]
    fn the_compiler_for_another_machine_is_named_as_debian_does() {
        let name = compiler_package(if cfg!(target_arch = "aarch64") {
            Arch::Amd64
        } else {
            Arch::Arm64
        });
        assert!(["gcc-12-aarch64-linux-gnu", "gcc-12-x86-64-linux-gnu"].contains(&name.as_str()));
    }
}
