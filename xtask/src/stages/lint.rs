//! Formatting, lints, documentation.

use anyhow::Result;

use crate::context::Context;
use crate::report::Outcome;

pub(super) fn fmt(context: &Context) -> Result<Outcome> {
    let runner = &context.runner;
    runner
        .run(&mut runner.cargo(["fmt", "--all", "--check", "--", "--color=never"]))?
        .check("cargo fmt")?;
    let fuzz = [
        "fmt",
        "--manifest-path=fuzz/Cargo.toml",
        "--check",
        "--",
        "--color=never",
    ];
    runner.run(&mut runner.cargo(fuzz))?.check("cargo fmt in fuzz/")?;
    Ok(Outcome::passed())
}

/// The workspace with all features, then each primitive alone with each of its feature sets: a build of the whole
/// workspace unites the features that its members ask for, and so hides what is missing without them.
pub(super) fn clippy(context: &Context) -> Result<Outcome> {
    let runner = &context.runner;
    let mut failed = Vec::new();
    let mut lint = |what: &str, selection: &[&str]| -> Result<()> {
        let mut command = runner.cargo(["clippy", "--quiet"]);
        command.args(selection).args(["--", "-D", "warnings"]);
        if !runner.run(&mut command)?.success {
            failed.push(what.to_owned());
        }
        Ok(())
    };
    lint("workspace", &["--workspace", "--all-targets", "--all-features"])?;
    for package in context.workspace.primitives()? {
        let name = package.name.as_str();
        for features in ["", "alloc", "std"] {
            if !features.is_empty() && !package.features.iter().any(|known| known == features) {
                continue;
            }
            let selection = ["-p", name, "--no-default-features", "--features", features];
            let what = format!("{name} with [{features}]");
            // By itself first: what tests depend on may bring features in.
            lint(&what, &[&selection[..], &["--lib"]].concat())?;
            lint(&what, &[&selection[..], &["--all-targets"]].concat())?;
        }
        let what = format!("{name} with all features");
        lint(&what, &["-p", name, "--all-targets", "--all-features"])?;
    }
    if failed.is_empty() {
        Ok(Outcome::passed())
    } else {
        Ok(Outcome::failed(failed.join(", ")))
    }
}

pub(super) fn doc(context: &Context) -> Result<Outcome> {
    let runner = &context.runner;
    let mut command = runner.cargo(["doc", "--workspace", "--no-deps", "--all-features"]);
    runner
        .run(command.env("RUSTDOCFLAGS", "-D warnings"))?
        .check("cargo doc")?;
    Ok(Outcome::passed())
}
