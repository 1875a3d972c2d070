//! Each published crate as it would be uploaded, built from its package alone.

use anyhow::Result;

use crate::context::Context;
use crate::report::Outcome;

/// What every package holds beside its source.
const FILES: [&str; 4] = ["README.md", "CHANGELOG.md", "LICENSE-MIT", "LICENSE-APACHE"];

pub(super) fn run(context: &Context) -> Result<Outcome> {
    let runner = &context.runner;
    let mut missing = Vec::new();
    let mut names = Vec::new();
    for package in context
        .workspace
        .packages()?
        .into_iter()
        .filter(|package| package.published)
    {
        let mut command = runner.cargo(["package", "--list", "--allow-dirty", "-p", &package.name]);
        let list = runner.run(&mut command)?.check("cargo package --list")?;
        let absent = FILES
            .iter()
            .filter(|file| !list.lines().any(|line| line == **file));
        missing.extend(absent.map(|file| format!("the package {} has no {file}", package.name)));
        names.push(package.name);
    }
    // All in one go: cargo then resolves those that are not yet published among each other.
    let mut command = runner.cargo(["package", "--allow-dirty"]);
    command.args(names.iter().flat_map(|name| ["-p", name]));
    command.env("CARGO_TARGET_DIR", context.workspace.target.join("package-check"));
    if !runner.run(&mut command)?.success {
        missing.push("cargo package".to_owned());
    }
    if missing.is_empty() {
        Ok(Outcome::passed())
    } else {
        Ok(Outcome::failed(missing.join("; ")))
    }
}
