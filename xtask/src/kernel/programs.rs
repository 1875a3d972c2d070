//! Programs for the guest: linked statically, because it has no libraries.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};
use serde_json::Value;

use super::target::Arch;
use crate::runner::Runner;
use crate::toolchain;

/// Runs a cargo command that builds for the guest, and gives what it made: names of targets, and the programs.
pub(super) fn build(
    arch: Arch,
    arguments: &[&str],
    folder: &Path,
    runner: &Runner,
) -> Result<Vec<(String, PathBuf)>> {
    let mut command = runner.cargo([]);
    command.args(arguments);
    library(arch, folder, &mut command)?;
    command.args(["--quiet", "--message-format=json", "--target", arch.linux()]);
    command
        .env("CARGO_TARGET_DIR", folder.join("programs"))
        .env("RUSTFLAGS", "-C target-feature=+crt-static --cfg esca_guest")
        // The archive is unpacked by an emulated processor.
        .env("CARGO_PROFILE_DEV_STRIP", "symbols")
        .env("CARGO_PROFILE_RELEASE_STRIP", "symbols");
    let text = runner
        .run(&mut command)?
        .check("building programs for the guest")?;
    Ok(executables(&text))
}

fn library(arch: Arch, folder: &Path, command: &mut Command) -> Result<()> {
    if arch.is_native() {
        return Ok(());
    }
    if arch == Arch::Amd64 {
        bail!("programs for amd64 are built on amd64 only: name --arch arm64");
    }
    let library = toolchain::aarch64_linux()
        .context("programs for arm64 need libstd-rust-web-dev:arm64 and rustc-web")?;
    library.apply(command, folder);
    Ok(())
}

/// The programs among the messages of cargo.
fn executables(messages: &str) -> Vec<(String, PathBuf)> {
    let of_line = |line: &str| {
        let message: Value = serde_json::from_str(line).ok()?;
        let path = message["executable"].as_str()?;
        let name = message["target"]["name"].as_str()?;
        Some((name.to_owned(), PathBuf::from(path)))
    };
    messages.lines().filter_map(of_line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_programs_are_taken_from_the_messages() {
        let messages = r#"warning: something
{"reason":"compiler-artifact","target":{"name":"esca_sys"},"executable":null}
{"reason":"compiler-artifact","target":{"name":"conformance"},"executable":"/t/conformance-1"}
{"reason":"build-finished","success":true}"#;
        assert_eq!(
            executables(messages),
            [("conformance".to_owned(), PathBuf::from("/t/conformance-1"))]
        );
    }
}
