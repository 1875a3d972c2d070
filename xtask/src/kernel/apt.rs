//! Debian's packages for a folder of our own: lists and state beside the host's, nothing installed, no root needed.
//!
//! apt checks the archive's signature on the lists and each package's hash against them, as on any Debian.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, SystemTime};

use anyhow::{Context, Result, bail};

use super::target::Arch;
use crate::runner::Runner;
use crate::toolchain::on_path;

const KEYRING: &str = "/usr/share/keyrings/debian-archive-keyring.gpg";
/// Archive and suite of each list.
const SUITES: [(&str, &str); 3] = [
    ("debian", "bookworm"),
    ("debian-security", "bookworm-security"),
    ("debian", "bookworm-backports"),
];
/// How long the lists are taken for new.
const FRESH: Duration = Duration::from_secs(24 * 60 * 60);

/// A package and its version, with what it depends on.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Record {
    pub(super) version: String,
    /// Names, without versions and alternatives.
    pub(super) depends: Vec<String>,
}

/// Package lists in a folder.
#[derive(Debug)]
pub(super) struct Apt {
    folder: PathBuf,
}

impl Apt {
    /// The lists in `folder`, fetched anew where they are missing or a day old.
    pub(super) fn open(folder: PathBuf, runner: &Runner) -> Result<Self> {
        for (program, package) in [("apt-get", "apt"), ("dpkg-deb", "dpkg")] {
            if !on_path(program) {
                bail!(
                    "Debian's kernels are fetched with {program} (package {package}), which this system does not have"
                );
            }
        }
        if !Path::new(KEYRING).exists() {
            bail!("{KEYRING} is missing: install debian-archive-keyring");
        }
        let apt = Self { folder };
        apt.configure()?;
        apt.refresh(runner)?;
        Ok(apt)
    }

    fn configure(&self) -> Result<()> {
        let folder = &self.folder;
        for part in ["lists/partial", "archives/partial"] {
            fs::create_dir_all(folder.join(part))
                .with_context(|| format!("cannot create {}", folder.display()))?;
        }
        let sources: String = SUITES
            .iter()
            .map(|(archive, suite)| {
                format!(
                    "deb [signed-by={KEYRING} arch=amd64,arm64] http://deb.debian.org/{archive} {suite} main\n"
                )
            })
            .collect();
        fs::write(folder.join("sources.list"), sources)?;
        let at = folder.display();
        let native = Arch::host().debian();
        let foreign = if native == "amd64" { "arm64" } else { "amd64" };
        // QEMU's packages on the host may be of another suite; these here are unpacked to a folder and meet none of them.
        let status = fs::read_to_string("/var/lib/dpkg/status").unwrap_or_default();
        fs::write(folder.join("status"), without_qemu(&status))?;
        let configuration = format!(
            "Dir::State::lists \"{at}/lists\";\n\
             Dir::State::status \"{at}/status\";\n\
             Dir::Cache \"{at}\";\n\
             Dir::Etc::sourcelist \"{at}/sources.list\";\n\
             Dir::Etc::sourceparts \"/dev/null\";\n\
             Dir::Etc::preferences \"/dev/null\";\n\
             Dir::Etc::preferencesparts \"/dev/null\";\n\
             APT::Sandbox::User \"\";\n\
             APT::Architecture \"{native}\";\n\
             APT::Architectures {{ \"{native}\"; \"{foreign}\"; }};\n\
             Acquire::Languages \"none\";\n\
             Acquire::Retries \"5\";\n\
             Acquire::http::Timeout \"30\";\n"
        );
        fs::write(folder.join("apt.conf"), configuration)?;
        Ok(())
    }

    fn refresh(&self, runner: &Runner) -> Result<()> {
        let stamp = self.stamp();
        let modified = fs::metadata(&stamp).and_then(|metadata| metadata.modified());
        let age = modified
            .ok()
            .and_then(|then| SystemTime::now().duration_since(then).ok());
        if age.is_some_and(|age| age < FRESH) {
            return Ok(());
        }
        let done = runner.run(self.program("apt-get").args(["-q", "update", "--error-on=any"]))?;
        if done.success {
            fs::write(&stamp, "")?;
        } else if age.is_none() {
            bail!("cannot fetch Debian's package lists");
        } else {
            println!("    the package lists are a day old");
        }
        Ok(())
    }

    /// A file as old as the lists.
    fn stamp(&self) -> PathBuf {
        self.folder.join("refreshed")
    }

    fn program(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command
            .env("APT_CONFIG", self.folder.join("apt.conf"))
            .env("LC_ALL", "C");
        command
    }

    fn ask(&self, program: &str, arguments: &[&str]) -> Result<String> {
        let output = self
            .program(program)
            .args(arguments)
            .output()
            .with_context(|| format!("cannot start {program}"))?;
        if !output.status.success() {
            let why = String::from_utf8_lossy(&output.stderr).trim().to_owned();
            bail!("{program} {}: {why}", arguments.join(" "));
        }
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }

    /// The newest version of `package` that `wanted` takes.
    pub(super) fn newest(&self, package: &str, wanted: impl Fn(&str) -> bool) -> Result<Record> {
        // Newest first.
        let text = self.ask("apt-cache", &["show", package])?;
        records(&text)
            .into_iter()
            .find(|record| wanted(&record.version))
            .with_context(|| format!("Debian's package lists have no {package} of this series"))
    }

    /// The packages that an installation of `packages` from `suite` would bring to this host, with their versions.
    pub(super) fn lacking(&self, packages: &[&str], suite: &str) -> Result<Vec<String>> {
        let arguments = [
            &["-s", "install", "--no-install-recommends", "-t", suite],
            packages,
        ]
        .concat();
        let simulated = self.ask("apt-get", &arguments)?;
        Ok(simulated.lines().filter_map(to_install).collect())
    }

    /// Fetches packages and gives their files.
    pub(super) fn fetch(&self, packages: &[String], runner: &Runner) -> Result<Vec<PathBuf>> {
        let folder = self.folder.join("packages");
        if folder.exists() {
            fs::remove_dir_all(&folder)?;
        }
        fs::create_dir_all(&folder)?;
        let mut command = Command::new("env");
        command.arg("-C").arg(&folder).args(["apt-get", "-q", "download"]);
        command.args(packages);
        command.env("APT_CONFIG", self.folder.join("apt.conf"));
        let done = runner.run(&mut command)?;
        if !done.success {
            // The archive may have newer versions by now, which the next run is to know of.
            drop(fs::remove_file(self.stamp()));
            bail!("fetching Debian's packages failed: {}", packages.join(" "));
        }
        let files = fs::read_dir(&folder)?.map(|entry| entry.map(|entry| entry.path()));
        let mut files = files.collect::<Result<Vec<_>, _>>()?;
        files.sort();
        if files.len() != packages.len() {
            bail!("asked for {} packages, got {}", packages.len(), files.len());
        }
        Ok(files)
    }
}

/// Package and version in a line of a simulated installation: `Inst NAME [OLD VERSION] (VERSION ARCHIVE [ARCHITECTURE])`.
fn to_install(line: &str) -> Option<String> {
    let (name, rest) = line.strip_prefix("Inst ")?.split_once(' ')?;
    let version = rest.split_once('(')?.1.split_whitespace().next()?;
    Some(format!("{name}={version}"))
}

/// dpkg's status file without the packages of QEMU.
fn without_qemu(status: &str) -> String {
    status
        .split("\n\n")
        .filter(|stanza| !stanza.trim_start().starts_with("Package: qemu-"))
        .map(|stanza| format!("{}\n\n", stanza.trim_matches('\n')))
        .collect()
}

fn records(text: &str) -> Vec<Record> {
    let field = |stanza: &str, name: &str| {
        stanza
            .lines()
            .find_map(|line| line.strip_prefix(name)?.strip_prefix(": ").map(str::to_owned))
    };
    text.split("\n\n")
        .filter_map(|stanza| {
            let version = field(stanza, "Version")?;
            let depends = field(stanza, "Depends").unwrap_or_default();
            let depends = depends
                .split(", ")
                .filter_map(|one| one.split_whitespace().next().map(str::to_owned))
                .collect();
            Some(Record { version, depends })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_have_versions_and_the_names_they_depend_on() {
        let text = "\
Package: linux-headers-6.1.0-56-amd64
Version: 6.1.192-2
Depends: linux-headers-6.1.0-56-common (= 6.1.192-2), linux-kbuild-6.1 (>= 6.1.192-2), a | b

Package: other
Version: 1
";
        let found = records(text);
        assert_eq!(found.len(), 2);
        assert_eq!(found[0].version, "6.1.192-2");
        assert_eq!(
            found[0].depends,
            ["linux-headers-6.1.0-56-common", "linux-kbuild-6.1", "a"]
        );
        assert!(found[1].depends.is_empty());
    }

    #[test]
    fn packages_to_install_have_their_new_version() {
        let line = "Inst seabios [1.16.2-1] (1.16.3-2~bpo12+1 Debian Backports:oldstable-backports [all])";
        assert_eq!(to_install(line).as_deref(), Some("seabios=1.16.3-2~bpo12+1"));
        let line = "Inst qemu-system-arm (1:10.0.2+ds-2 Debian Backports:oldstable-backports [amd64])";
        assert_eq!(to_install(line).as_deref(), Some("qemu-system-arm=1:10.0.2+ds-2"));
        assert_eq!(to_install("Conf seabios (1.16.3 x [all])"), None);
    }

    #[test]
    fn only_qemu_is_left_out_of_the_status() {
        let status = "Package: qemu-utils\nVersion: 1\n\nPackage: make\nStatus: install ok installed\n";
        assert_eq!(
            without_qemu(status),
            "Package: make\nStatus: install ok installed\n\n"
        );
    }
}
