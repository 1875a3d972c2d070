//! What the manifests say.

use anyhow::Result;

use crate::arrows;
use crate::context::Context;
use crate::report::Outcome;
use crate::toolchain::on_path;

pub(super) fn arrows(context: &Context) -> Result<Outcome> {
    let breaches = arrows::breaches(&context.workspace.metadata)?;
    if breaches.is_empty() {
        return Ok(Outcome::passed());
    }
    for breach in &breaches {
        println!("  {breach}");
    }
    Ok(Outcome::failed(breaches.join("; ")))
}

pub(super) fn deny(context: &Context) -> Result<Outcome> {
    if !on_path("cargo-deny") {
        return Ok(Outcome::optional("optional: cargo-deny is not installed"));
    }
    let runner = &context.runner;
    runner
        .run(&mut runner.cargo(["deny", "--offline", "check", "licenses", "bans", "sources"]))?
        .check("cargo deny")?;
    Ok(Outcome::passed())
}
