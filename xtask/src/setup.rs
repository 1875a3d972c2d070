//! `setup`: what the other commands need beside a Rust toolchain, as Debian packages.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};

use anyhow::{Context, Result, bail};

use crate::toolchain::{self, on_path};

/// Something needed that may be missing.
struct Need {
    /// Debian packages that bring it.
    packages: &'static [&'static str],
    /// What it is for.
    purpose: &'static str,
    present: fn() -> bool,
}

const NEEDS: &[Need] = &[
    Need {
        packages: &["gcc", "libc6-dev"],
        purpose: "linking, C headers",
        present: || on_path("cc"),
    },
    Need {
        packages: &["make"],
        purpose: "the kernel module",
        present: || on_path("make"),
    },
    Need {
        packages: &["g++"],
        purpose: "libFuzzer",
        present: || on_path("c++"),
    },
    Need {
        packages: &["nginx-light"],
        purpose: "comparison",
        present: || on_path("nginx"),
    },
    Need {
        packages: &["lighttpd"],
        purpose: "comparison",
        present: || on_path("lighttpd"),
    },
    Need {
        packages: &["wrk"],
        purpose: "load",
        present: || on_path("wrk"),
    },
    Need {
        packages: &["apache2-bin"],
        purpose: "the preload battery",
        present: || on_path("apache2"),
    },
    Need {
        packages: &["apache2-utils"],
        purpose: "load",
        present: || on_path("ab"),
    },
    Need {
        packages: &["redis-server"],
        purpose: "the preload battery",
        present: || on_path("redis-server"),
    },
    Need {
        packages: &["redis-tools"],
        purpose: "the preload battery",
        present: || on_path("redis-benchmark"),
    },
    Need {
        packages: &["haproxy"],
        purpose: "the preload battery",
        present: || on_path("haproxy"),
    },
    Need {
        packages: &["memcached"],
        purpose: "the preload battery",
        present: || on_path("memcached"),
    },
    Need {
        packages: &["python3"],
        purpose: "the preload battery",
        present: || on_path("python3"),
    },
    Need {
        packages: &["curl"],
        purpose: "the preload battery",
        present: || on_path("curl"),
    },
    Need {
        packages: &["strace"],
        purpose: "the order of system calls",
        present: || on_path("strace"),
    },
    Need {
        packages: &["gdb"],
        purpose: "backtraces",
        present: || on_path("gdb"),
    },
    Need {
        packages: &["valgrind"],
        purpose: "stacks seen by a checker",
        present: || on_path("valgrind"),
    },
    Need {
        packages: &["rustfmt-web"],
        purpose: "rustfmt",
        present: || on_path("cargo-fmt"),
    },
    Need {
        packages: &["rust-web-clippy"],
        purpose: "clippy",
        present: || on_path("cargo-clippy"),
    },
    Need {
        packages: &["rustc-web", "rust-web-src"],
        purpose: "builds for bare targets",
        present: || stages_bare().all(|target| toolchain::bare(target).is_some()),
    },
];

/// Needed where AArch64 is a foreign architecture.
const CROSS_NEEDS: &[Need] = &[
    Need {
        packages: &["qemu-user"],
        purpose: "AArch64 tests",
        present: || on_path("qemu-aarch64"),
    },
    Need {
        packages: &["gdb-multiarch"],
        purpose: "AArch64 backtraces",
        present: || on_path("gdb-multiarch"),
    },
    Need {
        packages: &["gcc-aarch64-linux-gnu", "libc6-dev-arm64-cross"],
        purpose: "AArch64 linking",
        present: || {
            on_path("aarch64-linux-gnu-gcc") && Path::new("/usr/aarch64-linux-gnu/include/stdio.h").exists()
        },
    },
    Need {
        packages: &["rustc-web", "libstd-rust-web-dev:arm64"],
        purpose: "AArch64 std",
        present: || toolchain::aarch64_linux().is_some(),
    },
];

fn stages_bare() -> impl Iterator<Item = &'static str> {
    toolchain::BARE_TARGETS.into_iter()
}

/// What came of looking and installing.
#[derive(Debug)]
pub(crate) enum Readiness {
    Ready,
    /// These packages are missing and were not installed, with the reason or the way to do it.
    Missing {
        packages: Vec<&'static str>,
        advice: String,
    },
}

pub(crate) fn command() -> Result<ExitCode> {
    match prepare()? {
        Readiness::Ready => {
            println!("nothing is missing");
            Ok(ExitCode::SUCCESS)
        }
        Readiness::Missing { packages, advice } => {
            println!("missing: {}\n{advice}", packages.join(" "));
            Ok(ExitCode::FAILURE)
        }
    }
}

/// Installs what is missing when this may be done, and says what is missing otherwise.
pub(crate) fn prepare() -> Result<Readiness> {
    let packages = missing();
    if packages.is_empty() {
        return Ok(Readiness::Ready);
    }
    if !on_path("apt-get") {
        let advice =
            "these are Debian's names; this system has no apt-get, install what it calls them".to_owned();
        return Ok(Readiness::Missing { packages, advice });
    }
    if !is_root() {
        // With the caller's path, so that root sees the same toolchain.
        let program = std::env::current_exe().context("cannot name this program")?;
        let advice = format!(
            "as root, this installs them and starts no service:\n  sudo env \"PATH=$PATH\" {} setup",
            program.display()
        );
        return Ok(Readiness::Missing { packages, advice });
    }
    install(&packages)?;
    let packages = missing();
    if packages.is_empty() {
        return Ok(Readiness::Ready);
    }
    Ok(Readiness::Missing {
        packages,
        advice: "installed, and yet not found".to_owned(),
    })
}

fn missing() -> Vec<&'static str> {
    let cross = if std::env::consts::ARCH == "aarch64" {
        &[]
    } else {
        CROSS_NEEDS
    };
    let mut packages = Vec::new();
    for need in NEEDS.iter().chain(cross).filter(|need| !(need.present)()) {
        println!("  missing: {} (for {})", need.packages.join(" "), need.purpose);
        for package in need.packages {
            if !packages.contains(package) {
                packages.push(*package);
            }
        }
    }
    packages
}

fn is_root() -> bool {
    let Ok(status) = fs::read_to_string("/proc/self/status") else {
        return false;
    };
    // Real, effective, saved and file-system user.
    let effective = status
        .lines()
        .find_map(|line| line.strip_prefix("Uid:")?.split_whitespace().nth(1));
    effective == Some("0")
}

fn install(packages: &[&str]) -> Result<()> {
    let foreign = Architecture::add(packages)?;
    run(&["apt-get", "update"])?;
    // Half a transaction can look harmless: an arm64 package, alone or through what it depends on, may replace the
    // native compiler. So the whole of it is tried first.
    let simulated = run(&[&["apt-get", "-s", "install", "--no-install-recommends"], packages].concat())?;
    let removed = removals(&simulated);
    if !removed.is_empty() {
        bail!(
            "installing {} would remove {}; nothing was installed",
            packages.join(" "),
            removed.join(" ")
        );
    }
    foreign.keep();
    let _quiet = PolicyRc::deny(Path::new("/usr/sbin/policy-rc.d"))?;
    run(&[
        &[
            "apt-get",
            "install",
            "-y",
            "--no-remove",
            "--no-install-recommends",
        ],
        packages,
    ]
    .concat())?;
    Ok(())
}

/// The packages that a simulated transaction would remove.
fn removals(simulated: &str) -> Vec<&str> {
    let removed = simulated.lines().filter_map(|line| line.strip_prefix("Remv "));
    removed
        .filter_map(|rest| rest.split_whitespace().next())
        .collect()
}

fn run(words: &[&str]) -> Result<String> {
    println!("  $ {}", words.join(" "));
    let (program, arguments) = words.split_first().context("no command")?;
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::null());
    command
        .env("DEBIAN_FRONTEND", "noninteractive")
        .env("LC_ALL", "C");
    let output = command
        .output()
        .with_context(|| format!("cannot start {program}"))?;
    if !output.status.success() {
        let why = String::from_utf8_lossy(&output.stderr).trim().to_owned();
        bail!("{}: {}\n{why}", words.join(" "), output.status);
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// A foreign architecture that dpkg is told of, and told to forget again unless it is kept.
struct Architecture(Option<&'static str>);

impl Architecture {
    fn add(packages: &[&str]) -> Result<Self> {
        const NAME: &str = "arm64";
        let wanted = packages.iter().any(|package| package.ends_with(":arm64"));
        let known = run(&["dpkg", "--print-foreign-architectures"])?;
        if !wanted || known.lines().any(|line| line == NAME) {
            return Ok(Self(None));
        }
        run(&["dpkg", "--add-architecture", NAME])?;
        Ok(Self(Some(NAME)))
    }

    fn keep(mut self) {
        self.0 = None;
    }
}

impl Drop for Architecture {
    fn drop(&mut self) {
        if let Some(name) = self.0
            && let Err(error) = run(&["dpkg", "--remove-architecture", name])
        {
            eprintln!("warning: {error:#}");
        }
    }
}

/// Debian asks this file before a package starts its service. While the value lives the answer is no; then the file is
/// as it was.
struct PolicyRc {
    path: PathBuf,
    before: Option<(Vec<u8>, fs::Permissions)>,
}

impl PolicyRc {
    fn deny(path: &Path) -> Result<Self> {
        let before = match fs::read(path) {
            Ok(text) => Some((text, fs::metadata(path)?.permissions())),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
            Err(error) => return Err(error).with_context(|| format!("cannot read {}", path.display())),
        };
        let guard = Self {
            path: path.to_path_buf(),
            before,
        };
        // 101: forbidden by policy.
        fs::write(path, "#!/bin/sh\nexit 101\n")
            .with_context(|| format!("cannot write {}", path.display()))?;
        fs::set_permissions(path, fs::Permissions::from_mode(0o755))?;
        Ok(guard)
    }

    fn restore(&self) -> std::io::Result<()> {
        let Some((text, permissions)) = &self.before else {
            return fs::remove_file(&self.path);
        };
        fs::write(&self.path, text)?;
        fs::set_permissions(&self.path, permissions.clone())
    }
}

impl Drop for PolicyRc {
    fn drop(&mut self) {
        if let Err(error) = self.restore() {
            eprintln!("warning: {} is not as it was: {error}", self.path.display());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scratch(name: &str) -> PathBuf {
        std::env::temp_dir().join(format!("xtask-{name}-{}", std::process::id()))
    }

    #[test]
    fn removals_are_found() {
        let simulated = "\
Reading package lists...
Inst qemu-user (1:7.2 Debian:12.0/stable [amd64])
Remv gcc [4:12.2.0-3]
Remv g++ [4:12.2.0-3] []
Conf qemu-user (1:7.2 Debian:12.0/stable [amd64])
";
        assert_eq!(removals(simulated), ["gcc", "g++"]);
        assert!(removals("Inst wrk (4.1.0 Debian:12.0/stable [amd64])\n").is_empty());
    }

    #[test]
    fn a_policy_that_was_not_there_is_gone_again() {
        let path = scratch("policy-absent");
        let quiet = PolicyRc::deny(&path).expect("the temporary folder is writable");
        let status = Command::new(&path).status().expect("the policy is executable");
        assert_eq!(status.code(), Some(101));
        drop(quiet);
        assert!(!path.exists());
    }

    #[test]
    fn a_policy_that_was_there_is_put_back() {
        let path = scratch("policy-present");
        fs::write(&path, "#!/bin/sh\nexit 0\n").expect("the temporary folder is writable");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o744)).expect("own file");
        drop(PolicyRc::deny(&path).expect("the temporary folder is writable"));
        assert_eq!(
            fs::read_to_string(&path).expect("put back"),
            "#!/bin/sh\nexit 0\n"
        );
        assert_eq!(
            fs::metadata(&path).expect("put back").permissions().mode() & 0o777,
            0o744
        );
        fs::remove_file(&path).expect("own file");
    }

    #[test]
    fn no_arm64_compiler_or_kernel_headers() {
        for package in NEEDS.iter().chain(CROSS_NEEDS).flat_map(|need| need.packages) {
            let Some(name) = package.strip_suffix(":arm64") else {
                continue;
            };
            assert!(
                !name.starts_with("gcc") && !name.starts_with("linux-headers"),
                "{package}"
            );
        }
    }
}
