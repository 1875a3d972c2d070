//! The batch table's state machine under loom, which tries every interleaving that the memory model allows.

use anyhow::Result;

use super::units::tested;
use crate::report::Outcome;
use crate::test::Context;

pub(super) fn run(context: &Context) -> Result<Outcome> {
    // Optimised, since the number of interleavings is what costs; apart, since the flag rebuilds everything.
    let mut command = context.runner.cargo(["test", "--release", "-p", "batch-table", "--test", "loom"]);
    command.env("RUSTFLAGS", "--cfg loom");
    command.env("CARGO_TARGET_DIR", context.workspace.target.join("loom"));
    command.env("CARGO_PROFILE_RELEASE_LTO", "off");
    tested(context, &mut command)
}
