//! The stages of `test`, one idea a file.

mod aarch64;
mod abi;
mod bare;
mod bench;
mod coro;
mod fuzz;
mod kernel;
mod lint;
mod loom;
mod package;
mod preload;
mod structure;
mod tools;
mod units;

use anyhow::Result;

use crate::context::Context;
use crate::report::Outcome;

/// One stage of `test`. Budgets are seconds on two cores, everything built anew.
#[derive(Debug)]
pub(crate) struct Stage {
    pub(crate) name: &'static str,
    pub(crate) about: &'static str,
    pub(crate) budget: u64,
    pub(crate) long_budget: u64,
    pub(crate) run: fn(&Context) -> Result<Outcome>,
}

const fn stage(
    name: &'static str,
    about: &'static str,
    [budget, long_budget]: [u64; 2],
    run: fn(&Context) -> Result<Outcome>,
) -> Stage {
    Stage {
        name,
        about,
        budget,
        long_budget,
        run,
    }
}

/// In the order in which they run: cheap ones first, and those that share builds one after the other.
pub(crate) const STAGES: &[Stage] = &[
    stage("fmt", "rustfmt has nothing to change", [10, 10], lint::fmt),
    stage(
        "arrows",
        "which crate depends on which",
        [5, 5],
        structure::arrows,
    ),
    stage(
        "deny",
        "licences and bans of dependencies, where cargo-deny is installed",
        [10, 10],
        structure::deny,
    ),
    stage(
        "abi",
        "the C headers compile for both architectures",
        [5, 5],
        abi::run,
    ),
    stage(
        "clippy",
        "no warning in any target, each primitive also with every feature set",
        [100, 180],
        lint::clippy,
    ),
    stage(
        "doc",
        "the documentation builds without a warning",
        [30, 50],
        lint::doc,
    ),
    stage(
        "unit",
        "unit, property and integration tests of every member",
        [220, 600],
        units::unit,
    ),
    stage(
        "doctest",
        "the examples in the documentation",
        [20, 40],
        units::doc,
    ),
    stage(
        "system",
        "the server over sockets, replays of what fuzzing found",
        [80, 600],
        units::system,
    ),
    stage(
        "preload",
        "real programs answer with and without the preloaded library alike",
        [130, 900],
        preload::run,
    ),
    stage(
        "bare",
        "each primitive alone on targets without an operating system",
        [50, 60],
        bare::run,
    ),
    stage(
        "aarch64",
        "tests of the primitives on AArch64, under QEMU on another machine",
        [180, 600],
        aarch64::run,
    ),
    stage(
        "tools",
        "what gdb, Valgrind and objdump see of coroutines, on both architectures",
        [80, 60],
        tools::run,
    ),
    stage(
        "coro",
        "coroutines over a hundred million switches, under AddressSanitizer, over threads",
        [150, 360],
        coro::run,
    ),
    stage(
        "kernel",
        "the module on Debian's kernels, in machines under QEMU",
        [430, 3600],
        kernel::run,
    ),
    stage(
        "loom",
        "every interleaving of the batch table's owners",
        [50, 50],
        loom::run,
    ),
    stage(
        "package",
        "each published crate builds from its package alone",
        [50, 50],
        package::run,
    ),
    stage(
        "fuzz",
        "each fuzz target for seconds, or minutes in the long form",
        [110, 1200],
        fuzz::run,
    ),
    stage("bench", "each benchmark runs once", [90, 90], bench::run),
];

/// The list of stages for `help`.
pub(crate) fn listing() -> String {
    STAGES
        .iter()
        .map(|stage| format!("  {:<10} {}\n", stage.name, stage.about))
        .collect()
}
