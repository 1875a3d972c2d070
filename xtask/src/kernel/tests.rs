//! What is tested in a guest, and with which programs.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use super::guest::Job;
use super::programs;
use super::target::Arch;
use crate::runner::Runner;

/// Test programs of one architecture.
#[derive(Debug)]
pub(super) struct Set {
    programs: Vec<(String, PathBuf)>,
}

/// The system tests that every executor must pass.
const SYSTEM: [&str; 2] = ["executors", "pipelining"];

impl Set {
    pub(super) fn build(arch: Arch, folder: &Path, runner: &Runner) -> Result<Self> {
        let mut arguments = vec!["test", "--no-run", "-p", "esca-sys", "-p", "system-tests"];
        arguments.extend(["--test", "conformance"]);
        arguments.extend(SYSTEM.iter().flat_map(|name| ["--test", name]));
        let mut all = programs::build(arch, &arguments, folder, runner)?;
        let bins = ["build", "-p", "anglerfish", "-p", "esca-guest"];
        all.extend(programs::build(arch, &bins, folder, runner)?);
        let wanted = ["conformance", "anglerfish", "esca-guest"]
            .into_iter()
            .chain(SYSTEM);
        let programs = wanted.map(|name| {
            let found = all.iter().find(|(built, _)| built == name);
            found
                .cloned()
                .with_context(|| format!("cargo has built no {name}"))
        });
        Ok(Self {
            programs: programs.collect::<Result<_>>()?,
        })
    }

    pub(super) fn programs(&self) -> Vec<(String, PathBuf)> {
        self.programs.clone()
    }

    /// What the guest does with them.
    pub(super) fn jobs(&self, long: bool) -> Vec<Job> {
        let soak = if long { 600 } else { 30 };
        let mut jobs = vec![
            Job::new("insmod", "insmod /esca.ko"),
            Job::new(
                "tests module",
                format!("esca-guest --seconds {soak} --module /esca.ko"),
            ),
            Job::new("tests executor", "conformance kernel"),
        ];
        for name in SYSTEM {
            let environment = "ESCA_EXECUTOR=kernel ANGLERFISH_PROGRAM=/test/anglerfish";
            jobs.push(Job::new(format!("tests {name}"), format!("{environment} {name}")));
        }
        jobs.push(Job::new("rmmod", "rmmod esca"));
        jobs.push(Job::new("log", "dmesg"));
        jobs
    }
}
