//! What is tested in a guest, and with which programs.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use super::guest::Job;
use super::programs;
use super::target::Arch;
use crate::runner::Runner;

/// Test programs of one architecture.
#[derive(Debug)]
pub(super) struct Suite {
    programs: Vec<(String, PathBuf)>,
}

/// Where the kernel's tracing is.
const TRACING: &str = "/sys/kernel/debug/tracing";
/// Flushes that the server's test must come to at least: it lets the server find requests on 64 connections at once, 20
/// times. What comes by itself is often too little for the module.
const FLUSHES: u32 = 20;

impl Suite {
    pub(super) fn build(arch: Arch, folder: &Path, runner: &Runner) -> Result<Self> {
        let mut tests = vec!["test", "--no-run", "-p", "esca-sys", "-p", "system-tests"];
        tests.extend(["--test", "conformance", "--test", "executors"]);
        let mut all = programs::build(arch, &tests, folder, runner)?;
        let bins = ["build", "-p", "anglerfish", "-p", "esca-guest"];
        all.extend(programs::build(arch, &bins, folder, runner)?);
        let wanted = ["conformance", "executors", "anglerfish", "esca-guest"];
        let programs = wanted.into_iter().map(|name| {
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

    /// What the guest does with them; `options` are those of the module's tests.
    pub(super) fn jobs(&self, options: &str) -> Vec<Job> {
        let mut jobs = vec![
            Job::new("insmod", "insmod /esca.ko"),
            Job::new("tests module", format!("esca-guest {options} --module /esca.ko")),
            Job::new("tests executor", "conformance kernel module"),
        ];
        // The module's own count is one of each open file; a probe sees the server's flushes from outside.
        let probe = "p:esca_flush esca_flush";
        jobs.push(Job::new(
            "probe",
            format!("echo '{probe}' > {TRACING}/kprobe_events; echo 1 > {TRACING}/events/kprobes/enable"),
        ));
        let environment = "ESCA_EXECUTOR=kernel ANGLERFISH_PROGRAM=/test/anglerfish";
        jobs.push(Job::new(
            "tests server",
            format!("{environment} executors kernel"),
        ));
        jobs.push(Job::new(
            "server flushes",
            format!(
                "read name hits missed < {TRACING}/kprobe_profile; echo $name $hits; test $hits -ge {FLUSHES}"
            ),
        ));
        jobs.push(Job::new(
            "no probe",
            format!("echo 0 > {TRACING}/events/kprobes/enable; echo > {TRACING}/kprobe_events"),
        ));
        jobs.push(Job::new("rmmod", "rmmod esca"));
        jobs.push(Job::new("log", "dmesg"));
        jobs
    }
}
