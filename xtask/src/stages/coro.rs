//! Coroutines under conditions of their own: switches by the hundred million, AddressSanitizer, threads in their place.

use anyhow::Result;

use super::units::tested;
use crate::context::Context;
use crate::report::Outcome;
use crate::toolchain::{self, on_path};

/// Optimises the crate and its tests, and not what they depend on, which other stages have built.
const OPTIMISED: [&str; 2] = ["--config", "profile.dev.package.coro-asm.opt-level=3"];

/// What an emulator switches in some twenty seconds.
const EMULATED_SWITCHES: &str = "20000000";

pub(super) fn run(context: &Context) -> Result<Outcome> {
    let mut outcome = registers(context)?;
    if std::env::consts::ARCH != "aarch64" {
        outcome.add(registers_emulated(context)?);
    }
    outcome.add(sanitizer(context)?);
    outcome.add(threads(context)?);
    Ok(outcome)
}

/// Every register that a call preserves, over many switches.
fn registers(context: &Context) -> Result<Outcome> {
    let mut command = context.runner.cargo(["test"]);
    command.args(OPTIMISED).args(REGISTERS);
    tested(context, &mut command)
}

const REGISTERS: [&str; 7] = [
    "-p",
    "coro-asm",
    "--all-features",
    "--test",
    "registers",
    "--",
    "--ignored",
];

fn registers_emulated(context: &Context) -> Result<Outcome> {
    let Some(library) = toolchain::aarch64_linux().filter(|_| on_path("qemu-aarch64")) else {
        return Ok(Outcome::missing(
            "no qemu-aarch64, or no library to build for it with",
        ));
    };
    let mut command = context
        .runner
        .cargo(["test", "--target", "aarch64-unknown-linux-gnu"]);
    library.apply(&mut command, &context.workspace.target);
    if !context.long {
        command.env("CORO_ASM_SWITCHES", EMULATED_SWITCHES);
    }
    command.args(OPTIMISED).args(REGISTERS);
    tested(context, &mut command)
}

/// Tests that switch, unwind and leave frames behind, in a build with AddressSanitizer, and what it finds itself.
fn sanitizer(context: &Context) -> Result<Outcome> {
    let Some(host) = toolchain::host().filter(|host| toolchain::has_address_sanitizer(host)) else {
        return Ok(Outcome::missing("the compiler comes without AddressSanitizer"));
    };
    // With a target, so that build scripts and macros are built without it.
    let mut command = context.runner.cargo(["test", "--target", &host]);
    command.args(["-p", "coro-asm", "--all-features"]);
    for test in ["abort", "asan", "coroutine", "defer", "model", "scope"] {
        command.args(["--test", test]);
    }
    command.args(["--", "--include-ignored"]);
    // The flag is not stable; the sanitizer is.
    command.env("RUSTC_BOOTSTRAP", "1");
    command.env("RUSTFLAGS", "-Zsanitizer=address");
    command.env("CARGO_TARGET_DIR", context.workspace.target.join("asan"));
    // What is forgotten on purpose is no fault.
    command.env("ASAN_OPTIONS", "detect_leaks=0");
    tested(context, &mut command)
}

/// The fallback for Miri, a thread for each coroutine, here without Miri: all tests that do not look at addresses.
fn threads(context: &Context) -> Result<Outcome> {
    let mut command = context.runner.cargo(["test", "-p", "coro-asm"]);
    command.args(["--features", "std", "--no-fail-fast"]);
    for test in [
        "coroutine",
        "defer",
        "echo",
        "model",
        "registers",
        "scope",
        "threads",
    ] {
        command.args(["--test", test]);
    }
    command.env("RUSTFLAGS", "--cfg coro_asm_threads");
    command.env("CARGO_TARGET_DIR", context.workspace.target.join("threads"));
    tested(context, &mut command)
}
