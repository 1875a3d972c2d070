//! The C headers, as both C compilers read them.

use std::process::Command;

use anyhow::{Result, bail};

use crate::context::Context;
use crate::report::Outcome;
use crate::toolchain::on_path;

const HEADERS: [&str; 2] = ["crates/batch-table/include/batch_table.h", "capi/include/esca.h"];

pub(super) fn run(context: &Context) -> Result<Outcome> {
    for header in HEADERS {
        if !context.workspace.root.join(header).exists() {
            bail!("{header} is missing");
        }
    }
    let mut outcome = Outcome::default();
    for compiler in ["cc", "aarch64-linux-gnu-gcc"] {
        if !on_path(compiler) {
            outcome.missing.push(format!("no {compiler}"));
            outcome.counts.skipped += 1;
            continue;
        }
        for header in HEADERS {
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
                header,
            ]);
            context.runner.run(&mut command)?.check(compiler)?;
        }
    }
    outcome.counts.passed = u64::from(outcome.missing.is_empty());
    Ok(outcome)
}
