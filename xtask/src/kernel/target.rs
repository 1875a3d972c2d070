//! Which kernels the module is built for and tested on.

use std::fmt;

use anyhow::{Result, bail};

/// A processor architecture, by Debian's name for it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Arch {
    Amd64,
    Arm64,
}

/// A kernel series, each from one suite of Debian's archive.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Series {
    /// bookworm.
    V6_1,
    /// bookworm-backports.
    V6_12,
}

/// One kernel for one architecture.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Target {
    pub(crate) arch: Arch,
    pub(crate) series: Series,
}

/// In the order in which they are reported.
pub(crate) const ALL: [Target; 4] = [
    Target::new(Arch::Amd64, Series::V6_1),
    Target::new(Arch::Arm64, Series::V6_1),
    Target::new(Arch::Amd64, Series::V6_12),
    Target::new(Arch::Arm64, Series::V6_12),
];

impl Arch {
    pub(crate) const fn debian(self) -> &'static str {
        match self {
            Self::Amd64 => "amd64",
            Self::Arm64 => "arm64",
        }
    }

    pub(crate) fn from_name(name: &str) -> Result<Self> {
        match name {
            "amd64" => Ok(Self::Amd64),
            "arm64" => Ok(Self::Arm64),
            _ => bail!("no such architecture: {name:?}; there are amd64 and arm64"),
        }
    }

    /// What the kernel's build system calls it.
    pub(crate) const fn kernel(self) -> &'static str {
        match self {
            Self::Amd64 => "x86",
            Self::Arm64 => "arm64",
        }
    }

    /// Prefix of the compiler's name, on a machine of the other architecture.
    pub(crate) fn cross(self) -> &'static str {
        if self.is_native() {
            return "";
        }
        match self {
            Self::Amd64 => "x86_64-linux-gnu-",
            Self::Arm64 => "aarch64-linux-gnu-",
        }
    }

    pub(crate) fn is_native(self) -> bool {
        self == Self::host()
    }

    pub(crate) fn host() -> Self {
        if cfg!(target_arch = "aarch64") {
            Self::Arm64
        } else {
            Self::Amd64
        }
    }

    /// The Rust target of programs that run in the guest.
    pub(crate) const fn linux(self) -> &'static str {
        match self {
            Self::Amd64 => "x86_64-unknown-linux-gnu",
            Self::Arm64 => "aarch64-unknown-linux-gnu",
        }
    }
}

impl Series {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::V6_1 => "6.1",
            Self::V6_12 => "6.12",
        }
    }

    pub(crate) fn from_name(name: &str) -> Result<Self> {
        match name {
            "6.1" => Ok(Self::V6_1),
            "6.12" => Ok(Self::V6_12),
            _ => bail!("no such kernel: {name:?}; there are 6.1 and 6.12"),
        }
    }

    /// Whether a version of a Debian package is of this series.
    pub(crate) fn has(self, version: &str) -> bool {
        version
            .strip_prefix(self.name())
            .is_some_and(|rest| rest.starts_with('.'))
    }
}

impl Target {
    pub(crate) const fn new(arch: Arch, series: Series) -> Self {
        Self { arch, series }
    }

    /// A name for logs and folders.
    pub(crate) const fn slug(self) -> &'static str {
        match (self.series, self.arch) {
            (Series::V6_1, Arch::Amd64) => "kernel-6.1-amd64",
            (Series::V6_1, Arch::Arm64) => "kernel-6.1-arm64",
            (Series::V6_12, Arch::Amd64) => "kernel-6.12-amd64",
            (Series::V6_12, Arch::Arm64) => "kernel-6.12-arm64",
        }
    }

    /// The same for what the machine says, which runs after the module is built.
    pub(crate) const fn machine(self) -> &'static str {
        match (self.series, self.arch) {
            (Series::V6_1, Arch::Amd64) => "machine-6.1-amd64",
            (Series::V6_1, Arch::Arm64) => "machine-6.1-arm64",
            (Series::V6_12, Arch::Amd64) => "machine-6.12-amd64",
            (Series::V6_12, Arch::Arm64) => "machine-6.12-arm64",
        }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} on {}", self.series.name(), self.arch.debian())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_series_is_not_the_beginning_of_another() {
        assert!(Series::V6_1.has("6.1.192-2"));
        assert!(!Series::V6_1.has("6.12.95-1~bpo12+1"));
        assert!(Series::V6_12.has("6.12.95-1~bpo12+1"));
        assert!(!Series::V6_12.has("6.1.192-2"));
    }
}
