//! A Debian kernel with what a module is built against, and a shell for the guest, unpacked to a folder.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use super::apt::Apt;
use super::target::{Arch, Target};
use crate::runner::Runner;

/// An unpacked kernel.
#[derive(Clone, Debug)]
pub(super) struct Tree {
    /// What `uname -r` says in the guest.
    pub(super) release: String,
    /// Version of the packages.
    pub(super) version: String,
    /// The build tree for modules.
    pub(super) headers: PathBuf,
    /// The bootable kernel.
    pub(super) image: PathBuf,
    /// A static busybox of the guest's architecture.
    pub(super) busybox: PathBuf,
}

impl Tree {
    /// The newest kernel for `target`, fetched and unpacked below `folder` unless it is there.
    pub(super) fn get(apt: &Apt, target: Target, folder: &Path, runner: &Runner) -> Result<Self> {
        let arch = target.arch.debian();
        let foreign = |name: &str| {
            if target.arch.is_native() {
                name.to_owned()
            } else {
                format!("{name}:{arch}")
            }
        };
        let meta = apt.newest(&foreign(&format!("linux-headers-{arch}")), |version| {
            target.series.has(version)
        })?;
        let headers = named(&meta.depends, "linux-headers-", arch)?;
        let of_headers = apt.newest(&foreign(&headers), |version| version == meta.version)?;
        let common = named(&of_headers.depends, "linux-headers-", "-common")?;
        let tools = named(&of_headers.depends, "linux-kbuild-", "")?;
        let release = headers.trim_start_matches("linux-headers-").to_owned();
        let packages = [
            foreign(&headers),
            common,
            // The native one: its programs run here, also for the other architecture.
            tools,
            foreign(&format!("linux-image-{release}")),
            foreign("busybox-static"),
        ];
        let tree = folder.join(target.slug()).join("debian");
        let list = format!("{} {}\n", packages.join(" "), meta.version);
        if !is_unpacked(&tree, &list) {
            let files = apt.fetch(&packages, runner)?;
            unpack(&files, &tree, runner)?;
            relocate(&tree, &release)?;
            fs::write(tree.join("packages"), list)?;
        }
        let this = Self {
            headers: tree.join("usr/src").join(&headers),
            image: tree.join(format!("boot/vmlinuz-{release}")),
            busybox: tree.join("bin/busybox"),
            release,
            version: meta.version,
        };
        for part in [&this.headers, &this.image, &this.busybox] {
            if !part.exists() {
                bail!("{} is not in Debian's packages", part.display());
            }
        }
        Ok(this)
    }
}

fn named(names: &[String], begin: &str, end: &str) -> Result<String> {
    names
        .iter()
        .find(|name| name.starts_with(begin) && name.ends_with(end))
        .cloned()
        .with_context(|| {
            format!(
                "Debian's headers depend on no {begin}*{end}, only on {}",
                names.join(" ")
            )
        })
}

/// Whether `folder` was made from the packages of this list.
pub(super) fn is_unpacked(folder: &Path, list: &str) -> bool {
    fs::read_to_string(folder.join("packages")).is_ok_and(|text| text == list)
}

/// Unpacks Debian packages into one folder, of a kernel's own only what boots.
pub(super) fn unpack(files: &[PathBuf], folder: &Path, runner: &Runner) -> Result<()> {
    if folder.exists() {
        fs::remove_dir_all(folder).with_context(|| format!("cannot remove {}", folder.display()))?;
    }
    fs::create_dir_all(folder).with_context(|| format!("cannot create {}", folder.display()))?;
    let script = r#"set -eu; to=$1; shift
for file; do
  case "${file##*/}" in
    linux-image-*) dpkg-deb --fsys-tarfile "$file" | tar -x -C "$to" ./boot ;;
    *) dpkg-deb -x "$file" "$to" ;;
  esac
  rm "$file"
done"#;
    let mut command = Command::new("sh");
    command.args(["-c", script, "unpack"]).arg(folder).args(files);
    runner.run(&mut command)?.check("unpacking Debian's packages")?;
    Ok(())
}

/// The headers name their common part by where it is installed; here it is in the folder.
fn relocate(tree: &Path, release: &str) -> Result<()> {
    let headers = tree.join("usr/src").join(format!("linux-headers-{release}"));
    let makefile = headers.join("Makefile");
    let text =
        fs::read_to_string(&makefile).with_context(|| format!("cannot read {}", makefile.display()))?;
    let moved = text.replace("/usr/src/", &format!("{}/usr/src/", tree.display()));
    fs::write(&makefile, moved)?;
    // Type information of the module is made from the kernel's, by a program that few have; without the file Kbuild leaves
    // it out.
    let types = headers.join("vmlinux");
    if types.exists() {
        fs::remove_file(types)?;
    }
    Ok(())
}

/// The name that tools which run on `arch` have among Debian's architectures.
pub(super) fn library_folder(arch: Arch) -> &'static str {
    match arch {
        Arch::Amd64 => "x86_64-linux-gnu",
        Arch::Arm64 => "aarch64-linux-gnu",
    }
}
