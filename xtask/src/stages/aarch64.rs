//! Tests of the primitives on AArch64: with qemu-user on another machine, as `.cargo/config.toml` has it.

use anyhow::Result;

use super::units::tested;
use crate::context::Context;
use crate::report::Outcome;
use crate::toolchain;
use crate::toolchain::on_path;

pub(super) fn run(context: &Context) -> Result<Outcome> {
    let Some(library) = toolchain::aarch64_linux() else {
        return Ok(Outcome::missing(
            "neither rustup's aarch64-unknown-linux-gnu nor libstd-rust-web-dev:arm64",
        ));
    };
    let native = std::env::consts::ARCH == "aarch64";
    for program in ["qemu-aarch64", "aarch64-linux-gnu-gcc"] {
        if !native && !on_path(program) {
            return Ok(Outcome::missing(&format!("no {program}")));
        }
    }
    let mut command =
        context
            .runner
            .cargo(["test", "--target", "aarch64-unknown-linux-gnu", "--no-fail-fast"]);
    library.apply(&mut command, &context.workspace.target);
    command.args(["--all-features", "--lib", "--tests"]);
    if !native && !context.long {
        // Emulation costs ten times as much, and the machine itself has run all cases.
        command.env("PROPTEST_CASES", "64");
    }
    for package in context.workspace.primitives()? {
        command.args(["-p", &package.name]);
    }
    tested(context, &mut command)
}
