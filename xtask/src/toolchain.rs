//! Which compiler can build for a target: the default one, or Debian's.
//!
//! rustup's toolchains bring the targets that were added to them. Debian's `rustc-web` brings an AArch64 Linux `std`
//! (`libstd-rust-web-dev:arm64`) and the library source (`rust-web-src`), from which `-Z build-std` makes the rest.

use std::path::{Path, PathBuf};
use std::process::Command;

/// Debian's compiler, whatever stands before it on the path.
pub(crate) const DEBIAN_RUSTC: &str = "/usr/bin/rustc";

/// Targets without an operating system: what the kernel module is built for.
pub(crate) const BARE_TARGETS: [&str; 2] = ["x86_64-unknown-none", "aarch64-unknown-none-softfloat"];

/// How the library for a target is come by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Library {
    /// The default toolchain has it.
    Default,
    /// Debian's compiler has it.
    Debian,
    /// Debian's compiler can build `core` and `alloc` for it from source.
    DebianSource,
}

impl Library {
    /// Sets `command`, a cargo command, up to use the compiler; `target` is the folder for its output, apart from the
    /// default compiler's, which would otherwise be built anew at each change between the two.
    pub(crate) fn apply(&self, command: &mut Command, target: &Path) {
        if *self == Self::Default {
            return;
        }
        command
            .env("RUSTC", DEBIAN_RUSTC)
            .env("RUSTDOC", "/usr/bin/rustdoc");
        command.env("CARGO_TARGET_DIR", target.join("debian"));
        if *self == Self::DebianSource {
            // The compiler takes -Z flags only when it is told to act as a nightly one.
            command
                .env("RUSTC_BOOTSTRAP", "1")
                .args(["-Z", "build-std=core,alloc"]);
        }
    }
}

/// A library for `target` that is there already.
fn prebuilt(target: &str) -> Option<Library> {
    if has_core("rustc", target) {
        return Some(Library::Default);
    }
    has_core(DEBIAN_RUSTC, target).then_some(Library::Debian)
}

/// The library for AArch64 Linux, with `std`.
pub(crate) fn aarch64_linux() -> Option<Library> {
    prebuilt("aarch64-unknown-linux-gnu")
}

/// The library for a target without an operating system.
pub(crate) fn bare(target: &str) -> Option<Library> {
    prebuilt(target).or_else(|| has_debian_source().then_some(Library::DebianSource))
}

/// Whether Debian's compiler is here with the source of its library.
pub(crate) fn has_debian_source() -> bool {
    let Some(sysroot) = printed(DEBIAN_RUSTC, &["--print", "sysroot"]) else {
        return false;
    };
    Path::new(&sysroot)
        .join("lib/rustlib/src/rust/library/core/src/lib.rs")
        .exists()
}

fn has_core(rustc: &str, target: &str) -> bool {
    has_library(rustc, target, "libcore-", ".rlib")
}

/// Whether the default compiler comes with AddressSanitizer's run-time library.
pub(crate) fn has_address_sanitizer(target: &str) -> bool {
    has_library("rustc", target, "librustc-", "_rt.asan.a")
}

fn has_library(rustc: &str, target: &str, prefix: &str, suffix: &str) -> bool {
    let Some(folder) = printed(rustc, &["--print", "target-libdir", "--target", target]) else {
        return false;
    };
    let Ok(entries) = PathBuf::from(folder).read_dir() else {
        return false;
    };
    entries.flatten().any(|entry| {
        let name = entry.file_name();
        let name = name.to_string_lossy();
        name.starts_with(prefix) && name.ends_with(suffix)
    })
}

/// The target that the default compiler builds for.
pub(crate) fn host() -> Option<String> {
    let version = printed("rustc", &["-vV"])?;
    version
        .lines()
        .find_map(|line| line.strip_prefix("host: ").map(str::to_owned))
}

fn printed(program: &str, arguments: &[&str]) -> Option<String> {
    let output = Command::new(program).args(arguments).output().ok()?;
    output
        .status
        .success()
        .then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

/// Whether `program` is on the path, or where daemons are kept, which a plain user's path leaves out.
pub(crate) fn on_path(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::env::split_paths(&path).chain([PathBuf::from("/usr/sbin"), PathBuf::from("/sbin")]);
    folders
        .map(|folder| folder.join(program))
        .any(|file| file.is_file())
}
