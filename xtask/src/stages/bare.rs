//! Each primitive alone for targets that have no operating system, where nothing of `std` can be linked by mistake.

use anyhow::Result;

use crate::context::Context;
use crate::report::Outcome;
use crate::toolchain::{self, Library};

/// Examples that need neither an allocator nor an operating system, and the primitive that each is of.
const EXAMPLES: [(&str, &str); 2] = [("tickless-wheel", "bare_metal"), ("trie8", "no_alloc")];

pub(super) fn run(context: &Context) -> Result<Outcome> {
    let runner = &context.runner;
    let mut outcome = Outcome::default();
    let mut failed = Vec::new();
    let (libraries, missing) = libraries();
    for package in context.workspace.primitives()? {
        let with_alloc = package.features.iter().any(|feature| feature == "alloc");
        for features in ["", "alloc"].into_iter().take(1 + usize::from(with_alloc)) {
            for (library, targets) in &libraries {
                let mut command = runner.cargo(["check", "--quiet", "--lib"]);
                if features.is_empty() {
                    let examples = EXAMPLES.iter().filter(|(owner, _)| *owner == package.name);
                    command.args(examples.flat_map(|(_, example)| ["--example", example]));
                }
                library.apply(&mut command, &context.workspace.target);
                command.args(targets.iter().flat_map(|target| ["--target", target]));
                command.args([
                    "-p",
                    &package.name,
                    "--no-default-features",
                    "--features",
                    features,
                ]);
                if !runner.run(&mut command)?.success {
                    failed.push(format!("{} with [{features}]", package.name));
                }
            }
        }
    }
    outcome.counts.passed = u64::from(failed.is_empty() && missing.is_empty());
    outcome.counts.skipped = missing.len() as u64;
    outcome.counts.failed = u64::from(!failed.is_empty());
    outcome.missing = missing;
    outcome.notes = failed;
    Ok(outcome)
}

/// The targets by where their library comes from, so that one command serves several; and why others are left out.
fn libraries() -> (Vec<(Library, Vec<&'static str>)>, Vec<String>) {
    let mut libraries: Vec<(Library, Vec<&str>)> = Vec::new();
    let mut missing = Vec::new();
    for target in toolchain::BARE_TARGETS {
        let Some(library) = toolchain::bare(target) else {
            missing.push(format!(
                "neither rustup's library for {target} nor rustc-web and rust-web-src"
            ));
            continue;
        };
        match libraries.iter_mut().find(|(known, _)| *known == library) {
            Some((_, targets)) => targets.push(target),
            None => libraries.push((library, vec![target])),
        }
    }
    (libraries, missing)
}
