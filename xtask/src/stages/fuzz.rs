//! Fuzz targets, built with the stable compiler and run for a while.
//!
//! The flags ask LLVM for the coverage that libFuzzer reads: a counter an edge, the table of their addresses, and the
//! operands of comparisons.

use std::fs;

use anyhow::{Context as _, Result, bail};

use crate::context::Context;
use crate::counts::Counts;
use crate::report::Outcome;
use crate::toolchain;
use crate::toolchain::on_path;

const FLAGS: &str = "--cfg fuzzing -Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
    -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table \
    -Cllvm-args=-sanitizer-coverage-trace-compares";

/// Seconds for each target.
const SHORT: u32 = 10;
const LONG: u32 = 180;

pub(super) fn run(context: &Context) -> Result<Outcome> {
    if !on_path("c++") {
        return Ok(Outcome::missing("no C++ compiler for libFuzzer"));
    }
    let runner = &context.runner;
    let host = toolchain::host().context("rustc does not name its host")?;
    let output = context.workspace.target.join("fuzz");
    // A named target keeps the flags off build scripts.
    let mut build = runner.cargo(["build", "--release", "--bins", "--manifest-path=fuzz/Cargo.toml"]);
    build
        .args(["--target", &host])
        .env("RUSTFLAGS", FLAGS)
        .env("CARGO_TARGET_DIR", &output);
    runner.run(&mut build)?.check("building the fuzz targets")?;

    let seconds = if context.long { LONG } else { SHORT };
    let fuzz = context.workspace.root.join("fuzz");
    let mut outcome = Outcome::default();
    for target in targets(&fuzz)? {
        // libFuzzer adds what it finds to the first folder and only reads the others.
        let found = output.join("corpus").join(&target);
        let artifacts = fuzz.join("artifacts").join(&target);
        fs::create_dir_all(&found)?;
        fs::create_dir_all(&artifacts)?;
        let mut command = std::process::Command::new(output.join(&host).join("release").join(&target));
        command.arg(found);
        command.args(
            ["corpus", "regression"]
                .map(|kind| fuzz.join(kind).join(&target))
                .iter()
                .filter(|f| f.exists()),
        );
        command.arg(format!("-max_total_time={seconds}"));
        command.args(["-timeout=20", "-rss_limit_mb=2048", "-print_final_stats=1"]);
        command.arg(format!("-artifact_prefix={}/", artifacts.display()));
        let done = runner.run(&mut command)?;
        let (counts, note) = verdict(&target, done.success, &done.text);
        println!("    {note}");
        outcome.counts.add(counts);
        if counts.failed > 0 {
            outcome.notes.push(note);
        }
    }
    Ok(outcome)
}

fn targets(fuzz: &std::path::Path) -> Result<Vec<String>> {
    let mut targets = Vec::new();
    for entry in fs::read_dir(fuzz.join("fuzz_targets")).context("cannot read fuzz/fuzz_targets")? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "rs") {
            let name = path.file_stem().context("a fuzz target without a name")?;
            targets.push(name.to_string_lossy().into_owned());
        }
    }
    if targets.is_empty() {
        bail!("no fuzz target");
    }
    targets.sort();
    Ok(targets)
}

/// A target has passed when it ran inputs, saw coverage, and found nothing.
fn verdict(target: &str, success: bool, text: &str) -> (Counts, String) {
    let failed = Counts {
        failed: 1,
        ..Counts::default()
    };
    if !success {
        let input = text.lines().find_map(|line| {
            line.split_once("Test unit written to ")
                .map(|(_, path)| path.trim())
        });
        let input = input.unwrap_or("no input was written");
        return (
            failed,
            format!("{target} found: {input} (to keep it, copy it to fuzz/regression/{target}/)"),
        );
    }
    let executed = text
        .lines()
        .find_map(|line| line.strip_prefix("stat::number_of_executed_units:"));
    let executed: u64 = executed.and_then(|count| count.trim().parse().ok()).unwrap_or(0);
    // Lines such as `#4096 pulse cov: 211 ft: 640 corp: 62/4Kb ...`.
    let edges = text.lines().filter_map(|line| {
        line.split_once(" cov: ")?
            .1
            .split(' ')
            .next()?
            .parse::<u64>()
            .ok()
    });
    let edges = edges.max().unwrap_or(0);
    let note = format!("{target}: {executed} inputs, {edges} edges");
    if executed == 0 || edges < 2 {
        return (
            failed,
            format!("{note}: the target is not instrumented or did not run"),
        );
    }
    (
        Counts {
            passed: 1,
            ..Counts::default()
        },
        note,
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    const RAN: &str = "INFO: Loaded 1 modules   (2212 inline 8-bit counters)\n#2\tINITED cov: 31 ft: 32 corp: 1/1b\n\
        #512\tpulse  cov: 90 ft: 211 corp: 9/40b\nstat::number_of_executed_units: 512\n";

    #[test]
    fn a_run_with_coverage_passes() {
        let (counts, note) = verdict("trie", true, RAN);
        assert_eq!(counts.passed, 1, "{note}");
        assert!(note.contains("512 inputs, 90 edges"), "{note}");
    }

    #[test]
    fn a_run_without_coverage_fails() {
        let blind = "INFO: seed corpus: files: 1\n#2 DONE cov: 0 ft: 0\nstat::number_of_executed_units: 9\n";
        assert_eq!(verdict("trie", true, blind).0.failed, 1);
        assert_eq!(verdict("trie", true, "").0.failed, 1);
    }

    #[test]
    fn a_finding_names_its_input() {
        let crash =
            "==7== ERROR: libFuzzer: deadly signal\nartifact_prefix='a/'; Test unit written to a/crash-01\n";
        let (counts, note) = verdict("wheel", false, crash);
        assert_eq!(counts.failed, 1);
        assert!(note.contains("a/crash-01"), "{note}");
    }
}
