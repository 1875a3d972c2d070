//! QEMU: the host's, or Debian's packages unpacked to a folder.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Result, bail};

use super::apt::Apt;
use super::target::Arch;
use super::tree::{is_unpacked, library_folder, unpack};
use crate::runner::Runner;
use crate::toolchain::on_path;

/// Where QEMU is.
#[derive(Clone, Debug)]
pub(super) enum Emulator {
    Installed,
    Unpacked(PathBuf),
}

impl Emulator {
    pub(super) fn get(apt: &Apt, folder: &Path, runner: &Runner) -> Result<Self> {
        if on_path(program(Arch::Amd64)) && on_path(program(Arch::Arm64)) {
            return Ok(Self::Installed);
        }
        let folder = folder.join("qemu");
        let packages = apt.lacking(&["qemu-system-x86", "qemu-system-arm"])?;
        if packages.is_empty() {
            bail!("QEMU is installed, but not found: is /usr/bin on the path?");
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

const fn program(arch: Arch) -> &'static str {
    match arch {
        Arch::Amd64 => "qemu-system-x86_64",
        Arch::Arm64 => "qemu-system-aarch64",
    }
}
