//! Formatting, lints, documentation.

use anyhow::Result;

use crate::report::Outcome;
use crate::test::Context;

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
    let mut lint = |what: String, selection: &[&str]| -> Result<()> {
        let mut command = runner.cargo(["clippy", "--quiet", "--all-targets"]);
        command.args(selection).args(["--", "-D", "warnings"]);
        if !runner.run(&mut command)?.success {
            failed.push(what);
        }
        Ok(())
    };
    lint("the workspace".to_owned(), &["--workspace", "--all-features"])?;
    for package in context.workspace.primitives()? {
        let name = package.name.as_str();
        lint(
            format!("{name} without features"),
            &["-p", name, "--no-default-features"],
        )?;
        for feature in ["alloc", "std"] {
            if package.features.iter().any(|known| known == feature) {
                let selection = ["-p", name, "--no-default-features", "--features", feature];
                lint(format!("{name} with {feature}"), &selection)?;
            }
        }
        lint(
            format!("{name} with all features"),
            &["-p", name, "--all-features"],
        )?;
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
