//! What other programs see of a coroutine: gdb its callers, Valgrind its stacks, objdump its instructions. These tests are
//! marked `ignore`, for want of the programs, and run here by name.

use anyhow::Result;

use super::units::tested;
use crate::context::Context;
use crate::report::Outcome;
use crate::toolchain::{self, on_path};

/// Program, and the test file of coro-asm that needs it.
const HERE: [(&str, &str); 3] = [("gdb", "gdb"), ("valgrind", "valgrind"), ("objdump", "golden")];
const EMULATED: [(&str, &str); 2] = [("gdb-multiarch", "gdb"), ("aarch64-linux-gnu-objdump", "golden")];

pub(super) fn run(context: &Context) -> Result<Outcome> {
    let mut outcome = Outcome::default();
    for (program, test) in HERE {
        if on_path(program) {
            let mut command = context.runner.cargo(["test"]);
            outcome.add(tested(context, command.args(arguments(test)))?);
        } else {
            outcome.add(Outcome::missing(&format!("no {program}")));
        }
    }
    if std::env::consts::ARCH == "aarch64" {
        return Ok(outcome);
    }
    for (program, test) in EMULATED {
        match toolchain::aarch64_linux() {
            Some(library) if on_path(program) => {
                let mut command = context
                    .runner
                    .cargo(["test", "--target", "aarch64-unknown-linux-gnu"]);
                library.apply(&mut command, &context.workspace.target);
                outcome.add(tested(context, command.args(arguments(test)))?);
            }
            _ => outcome.add(Outcome::missing(&format!(
                "no {program}, or no library to build for it with"
            ))),
        }
    }
    Ok(outcome)
}

/// Only what is marked `ignore` in one test file of coro-asm, with every feature.
fn arguments(test: &str) -> [&str; 7] {
    [
        "-p",
        "coro-asm",
        "--all-features",
        "--test",
        test,
        "--",
        "--ignored",
    ]
}
