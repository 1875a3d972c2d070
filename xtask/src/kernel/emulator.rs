//! QEMU: the host's where it is new enough, or Debian's packages unpacked to a folder.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Result, bail};

use super::apt::Apt;
use super::target::Arch;
use super::tree::{is_unpacked, library_folder, unpack};
use crate::runner::Runner;

/// Before this version, a thread could translate code while another one patched it, and keep what it had read in between:
/// the breakpoint that Linux puts there for the time of a patch (a tracepoint, a static key) then hit for ever, and the
/// guest hung with interrupts off, its module loaded or not.
const OLDEST: (u32, u32) = (8, 1);
/// Where Debian 12 has a newer one.
const SUITE: &str = "bookworm-backports";

/// Where QEMU is.
#[derive(Clone, Debug)]
pub(super) enum Emulator {
    Installed,
    Unpacked(PathBuf),
}

impl Emulator {
    pub(super) fn get(apt: &Apt, folder: &Path, runner: &Runner) -> Result<Self> {
        let new_enough = |arch| installed(arch).is_some_and(|version| version >= OLDEST);
        if new_enough(Arch::Amd64) && new_enough(Arch::Arm64) {
            return Ok(Self::Installed);
        }
        let folder = folder.join("qemu");
        let packages = apt.lacking(&["qemu-system-x86", "qemu-system-arm"], SUITE)?;
        if packages.is_empty() {
            bail!("Debian's package lists have no QEMU");
        }
        let list = format!("{}\n", packages.join(" "));
        if !is_unpacked(&folder, &list) {
            let files = apt.fetch(&packages, runner)?;
            unpack(&files, &folder, runner)?;
            std::fs::write(folder.join("packages"), list)?;
        }
        Ok(Self::Unpacked(folder))
    }

    /// A command that starts a machine of this architecture.
    pub(super) fn command(&self, arch: Arch) -> Command {
        match self {
            Self::Installed => Command::new(program(arch)),
            Self::Unpacked(folder) => {
                let mut command = Command::new(folder.join("usr/bin").join(program(arch)));
                let library = library_folder(Arch::host());
                let libraries = ["usr/lib", "lib"].map(|base| folder.join(base).join(library));
                let [first, second] = libraries.map(|path| path.display().to_string());
                command.env("LD_LIBRARY_PATH", format!("{first}:{second}"));
                command
            }
        }
    }
}

/// Version of the host's own.
fn installed(arch: Arch) -> Option<(u32, u32)> {
    let output = Command::new(program(arch)).arg("--version").output().ok()?;
    version(&String::from_utf8_lossy(&output.stdout))
}

fn version(text: &str) -> Option<(u32, u32)> {
    let (_, rest) = text.split_once("version ")?;
    let mut numbers = rest.split(|byte: char| !byte.is_ascii_digit());
    Some((numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?))
}

const fn program(arch: Arch) -> &'static str {
    match arch {
        Arch::Amd64 => "qemu-system-x86_64",
        Arch::Arm64 => "qemu-system-aarch64",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_compared_as_numbers() {
        let old = version("QEMU emulator version 7.2.22 (Debian 1:7.2+dfsg-7+deb12u18)\nCopyright");
        assert_eq!(old, Some((7, 2)));
        assert!(version("QEMU emulator version 10.0.2 (Debian)") > Some(OLDEST));
        assert!(old < Some(OLDEST));
        assert_eq!(version("qemu: cannot execute"), None);
    }
}
