//! The batch table's state machine under loom, which tries every interleaving that the memory model allows.

use anyhow::Result;

use super::units::tested;
use crate::context::Context;
use crate::report::Outcome;

pub(super) fn run(context: &Context) -> Result<Outcome> {
    let mut command = context
        .runner
        .cargo(["test", "-p", "batch-table", "--test", "loom"]);
    // Apart from the other builds: the flag rebuilds everything.
    command.env("RUSTFLAGS", "--cfg loom");
    command.env("CARGO_TARGET_DIR", context.workspace.target.join("loom"));
    tested(context, &mut command)
}
