//! `test`: every stage with its time budget, a closing table, and the sum over real test counts.

use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};

use crate::context::Context;
use crate::report::{Outcome, Row, closing_line, table, total};
use crate::runner::Runner;
use crate::setup::{self, Readiness};
use crate::stages::{STAGES, Stage};
use crate::workspace::Workspace;

/// A stage hangs when it takes so many times its budget, and at least so many seconds. Then it is killed.
const LIMIT: (u64, u64) = (4, 600);

pub(crate) fn command(workspace: Workspace, arguments: &[String]) -> Result<ExitCode> {
    let long = arguments.iter().any(|word| word == "--long");
    let stages = selected(arguments)?;
    let strict = std::env::var_os("CI").is_some_and(|value| !value.is_empty() && value != "false");
    let mut rows = vec![prepare(strict)];
    let mut workspace = Some(workspace);
    for stage in stages {
        let Some(current) = workspace.take() else {
            bail!("a stage kept the workspace")
        };
        println!("\n{}: {}", stage.name, stage.about);
        let budget = if long { stage.long_budget } else { stage.budget };
        let limit = Duration::from_secs((budget * LIMIT.0).max(LIMIT.1));
        let logs = current.target.join("xtask/logs");
        let runner = Runner::new(current.root.clone(), logs, stage.name, limit)?;
        let context = Context {
            workspace: current,
            runner,
            long,
        };
        let start = Instant::now();
        let outcome = (stage.run)(&context).unwrap_or_else(|error| Outcome::failed(format!("{error:#}")));
        rows.push(row(stage.name, outcome, start, budget, strict));
        workspace = Some(context.workspace);
    }
    let sum = total(&rows);
    println!("\n{}\n{}", table(&rows), closing_line(sum));
    Ok(if sum.failed == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

fn row(stage: &'static str, outcome: Outcome, start: Instant, budget: u64, strict: bool) -> Row {
    let outcome = if strict { outcome.strict() } else { outcome };
    Row {
        stage,
        outcome,
        seconds: start.elapsed().as_secs_f64(),
        budget,
    }
}

/// The stages that the arguments name, in the order in which they run; without a name all of them.
fn selected(arguments: &[String]) -> Result<Vec<&'static Stage>> {
    let names: Vec<&str> = arguments
        .iter()
        .map(String::as_str)
        .filter(|word| *word != "--long")
        .collect();
    for name in &names {
        if !STAGES.iter().any(|stage| stage.name == *name) {
            let known: Vec<&str> = STAGES.iter().map(|stage| stage.name).collect();
            bail!("no such stage: {name:?}; there are {}", known.join(", "));
        }
    }
    Ok(STAGES
        .iter()
        .filter(|stage| names.is_empty() || names.contains(&stage.name))
        .collect())
}

fn prepare(strict: bool) -> Row {
    println!("setup: what the stages need");
    let start = Instant::now();
    let outcome = match setup::prepare() {
        Ok(Readiness::Ready) => Outcome::passed(),
        Ok(Readiness::Missing { packages, advice }) => {
            println!("  {advice}");
            Outcome::missing(&format!("not installed: {}", packages.join(" ")))
        }
        Err(error) => Outcome::failed(format!("{error:#}")),
    };
    row("setup", outcome, start, 120, strict)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stages_run_in_their_own_order() {
        let words = ["unit".to_owned(), "--long".to_owned(), "fmt".to_owned()];
        let names: Vec<_> = selected(&words)
            .expect("both exist")
            .iter()
            .map(|stage| stage.name)
            .collect();
        assert_eq!(names, ["fmt", "unit"]);
        assert_eq!(selected(&[]).expect("all").len(), STAGES.len());
    }

    #[test]
    fn an_unknown_stage_is_named() {
        let error = selected(&["units".to_owned()]).expect_err("no such stage");
        assert!(error.to_string().contains("\"units\""), "{error}");
    }

    #[test]
    fn the_plain_run_fits_into_half_an_hour() {
        let seconds: u64 = STAGES.iter().map(|stage| stage.budget).sum();
        assert!(seconds <= 30 * 60, "{seconds} s");
    }
}
