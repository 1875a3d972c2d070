//! The kernel module, built for Debian's kernels and tested in machines under QEMU.

use anyhow::Result;

use crate::context::Context;
use crate::kernel;
use crate::report::Outcome;
use crate::toolchain::{self, on_path};

pub(super) fn run(context: &Context) -> Result<Outcome> {
    if !on_path("apt-get") {
        return Ok(Outcome::missing("no apt-get to fetch Debian's kernels with"));
    }
    if !toolchain::has_debian_source() {
        return Ok(Outcome::missing("no rustc-web and rust-web-src"));
    }
    if toolchain::aarch64_linux().is_none() {
        return Ok(Outcome::missing(
            "neither rustup's aarch64-unknown-linux-gnu nor libstd-rust-web-dev:arm64",
        ));
    }
    let mut outcome = Outcome::default();
    for row in kernel::test(context, &kernel::ALL)? {
        let name = row.stage.trim_start_matches("kernel-");
        println!(
            "  {name}: {} passed, {} failed, {:.0} s",
            row.outcome.counts.passed, row.outcome.counts.failed, row.seconds
        );
        outcome.counts.add(row.outcome.counts);
        outcome.notes.extend(
            row.outcome
                .notes
                .into_iter()
                .map(|note| format!("{name}: {note}")),
        );
    }
    Ok(outcome)
}
