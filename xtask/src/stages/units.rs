//! Tests of the workspace's members on the machine itself.

use std::process::Command;

use anyhow::Result;

use crate::context::Context;
use crate::counts;
use crate::report::Outcome;

/// Runs a `cargo test` command and counts its tests.
pub(super) fn tested(context: &Context, command: &mut Command) -> Result<Outcome> {
    let done = context.runner.run(command)?;
    let counts = counts::libtest(&done.text);
    let mut outcome = Outcome::of(counts.judged(done.success));
    if done.success && counts.passed == 0 {
        outcome.notes.push("no test was run".to_owned());
    }
    let failed = counts::failed_names(&done.text);
    if !failed.is_empty() {
        outcome.notes.push(format!("failed: {}", failed.join(", ")));
    } else if !done.success {
        outcome
            .notes
            .push("the command failed, but no test says so".to_owned());
    }
    if counts.skipped > 0 {
        outcome.notes.push(format!("{} marked `ignore`", counts.skipped));
    }
    Ok(outcome)
}

/// Arguments for the test programs themselves.
fn long_form(context: &Context, command: &mut Command) {
    if context.long {
        command.args(["--", "--include-ignored"]);
    }
}

pub(super) fn unit(context: &Context) -> Result<Outcome> {
    // System tests and the preload battery are stages of their own; benches are run by theirs.
    let members = [
        "--workspace",
        "--all-features",
        "--exclude",
        "system-tests",
        "--exclude",
        "preload-tests",
    ];
    // Tests run examples, and with a choice of targets `cargo test` builds none that could be run.
    let mut build = context.runner.cargo(["build", "--examples"]);
    let built = context.runner.run(build.args(members))?;
    let mut command = context.runner.cargo(["test", "--no-fail-fast"]);
    command.args(members).args(["--lib", "--bins", "--tests"]);
    long_form(context, &mut command);
    let mut outcome = tested(context, &mut command)?;
    if !built.success {
        outcome.add(Outcome::failed("an example does not build".to_owned()));
    }
    Ok(outcome)
}

pub(super) fn doc(context: &Context) -> Result<Outcome> {
    let mut command =
        context
            .runner
            .cargo(["test", "--workspace", "--all-features", "--no-fail-fast", "--doc"]);
    tested(context, &mut command)
}

pub(super) fn system(context: &Context) -> Result<Outcome> {
    let mut command = context
        .runner
        .cargo(["test", "-p", "system-tests", "--no-fail-fast"]);
    command.args(["--lib", "--tests"]);
    long_form(context, &mut command);
    tested(context, &mut command)
}
