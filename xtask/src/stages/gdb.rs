//! What gdb sees from inside a coroutine, on both architectures. These tests are ignored elsewhere, for want of gdb.

use anyhow::Result;

use super::units::tested;
use crate::context::Context;
use crate::report::Outcome;
use crate::toolchain;
use crate::toolchain::on_path;

pub(super) fn run(context: &Context) -> Result<Outcome> {
    let mut outcome = Outcome::default();
    let arguments = [
        "-p",
        "coro-asm",
        "--all-features",
        "--test",
        "gdb",
        "--",
        "--ignored",
    ];
    let mut count = |debugger: &str, command: Option<&mut std::process::Command>| -> Result<()> {
        let found = match command {
            Some(command) if on_path(debugger) => tested(context, command.args(arguments))?,
            _ => Outcome::missing(&format!("no {debugger}, or nothing to build for it with")),
        };
        outcome.counts.add(found.counts);
        outcome.missing.extend(found.missing);
        outcome.notes.extend(found.notes);
        Ok(())
    };
    count("gdb", Some(&mut context.runner.cargo(["test"])))?;
    if std::env::consts::ARCH != "aarch64" {
        let mut command = toolchain::aarch64_linux().map(|library| {
            let mut command = context
                .runner
                .cargo(["test", "--target", "aarch64-unknown-linux-gnu"]);
            library.apply(&mut command, &context.workspace.target);
            command
        });
        count("gdb-multiarch", command.as_mut())?;
    }
    Ok(outcome)
}
