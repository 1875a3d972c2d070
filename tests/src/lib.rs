//! What whole-system tests share: the server, as a program and inside the test, a client, and the folders of the
//! repository.

pub mod client;
pub mod process;
pub mod server;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// The root of the repository.
///
/// # Panics
///
/// Not in a checkout: this package lies one folder below the root.
pub fn repository() -> &'static Path {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    package.parent().expect("the package lies below the root")
}

/// The program `anglerfish`: the one that the variable `ANGLERFISH_PROGRAM` names, for a machine without cargo; else built
/// from this checkout in the profile of the running test.
///
/// # Panics
///
/// When it does not build.
pub fn anglerfish() -> &'static Path {
    static PROGRAM: OnceLock<PathBuf> = OnceLock::new();
    PROGRAM.get_or_init(|| {
        if let Some(program) = std::env::var_os("ANGLERFISH_PROGRAM") {
            return program.into();
        }
        // Tests are <target>/<profile>/deps/<name>-<hash>.
        let test = std::env::current_exe().expect("a test has a path");
        let profile = test
            .parent()
            .and_then(Path::parent)
            .expect("a test lies in deps/");
        let target = profile.parent().expect("a profile lies in the target folder");
        let mut build = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        build.current_dir(repository()).args([
            "build",
            "--quiet",
            "--package=anglerfish",
            "--bin=anglerfish",
        ]);
        build.arg("--target-dir").arg(target);
        if profile.ends_with("release") {
            build.arg("--release");
        }
        assert!(
            build.status().expect("cargo starts").success(),
            "anglerfish does not build"
        );
        profile.join("anglerfish")
    })
}
