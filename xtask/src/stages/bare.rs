//! Each primitive alone for targets that have no operating system, where nothing of `std` can be linked by mistake.

use anyhow::Result;

use crate::report::Outcome;
use crate::test::Context;
use crate::toolchain;

/// What the kernel module is built for.
pub(crate) const TARGETS: [&str; 2] = ["x86_64-unknown-none", "aarch64-unknown-none-softfloat"];

pub(super) fn run(context: &Context) -> Result<Outcome> {
    let runner = &context.runner;
    let mut outcome = Outcome::default();
    let mut failed = Vec::new();
    for target in TARGETS {
        let Some(library) = toolchain::bare(target) else {
            outcome.missing.push(format!(
                "neither rustup's library for {target} nor rustc-web and rust-web-src"
            ));
            continue;
        };
        for package in context.workspace.primitives()? {
            let with_alloc = package.features.iter().any(|feature| feature == "alloc");
            for features in ["", "alloc"].into_iter().take(1 + usize::from(with_alloc)) {
                let mut command = runner.cargo(["check", "--quiet", "--lib", "--target", target]);
                library.apply(&mut command, &context.workspace.target);
                command.args([
                    "-p",
                    &package.name,
                    "--no-default-features",
                    "--features",
                    features,
                ]);
                if !runner.run(&mut command)?.success {
                    failed.push(format!("{} on {target} with features [{features}]", package.name));
                }
            }
        }
    }
    let passed = failed.is_empty() && outcome.missing.is_empty();
    outcome.counts.passed = u64::from(passed);
    outcome.counts.skipped = outcome.missing.len() as u64;
    outcome.counts.failed = failed.len() as u64;
    outcome.notes = failed;
    Ok(outcome)
}
