//! The C header of the batch table: its own assertions hold wherever a C compiler lays the structures out.

use std::process::Command;

use anyhow::{Result, bail};

use crate::context::Context;
use crate::report::Outcome;
use crate::toolchain::on_path;

const HEADER: &str = "crates/batch-table/include/batch_table.h";

pub(super) fn run(context: &Context) -> Result<Outcome> {
    if !context.workspace.root.join(HEADER).exists() {
        bail!("{HEADER} is missing");
    }
    let mut outcome = Outcome::default();
    for compiler in ["cc", "aarch64-linux-gnu-gcc"] {
        if !on_path(compiler) {
            outcome.missing.push(format!("no {compiler}"));
            outcome.counts.skipped += 1;
            continue;
        }
        let mut command = Command::new(compiler);
        command.args([
            "-fsyntax-only",
            "-std=c11",
            "-Wall",
            "-Wextra",
            "-Wpedantic",
            "-Werror",
            "-x",
            "c",
            HEADER,
        ]);
        context.runner.run(&mut command)?.check(compiler)?;
    }
    outcome.counts.passed = u64::from(outcome.missing.is_empty());
    Ok(outcome)
}
