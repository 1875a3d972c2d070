//! Each benchmark once, without measuring: that it runs, and that its rivals agree.

use anyhow::Result;

use crate::context::Context;
use crate::counts;
use crate::report::Outcome;

pub(super) fn run(context: &Context) -> Result<Outcome> {
    // `cargo test`, not `cargo bench`: criterion then runs each benchmark once, in the build that the tests share.
    let mut command = context
        .runner
        .cargo(["test", "-p", "benches", "--benches", "--no-fail-fast"]);
    let done = context.runner.run(command.arg("--all-features"))?;
    let mut counts = counts::criterion(&done.text);
    counts.add(counts::libtest(&done.text));
    Ok(Outcome::of(counts.judged(done.success)))
}
