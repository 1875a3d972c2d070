//! Counts: of system calls by the kernel, of batches by the library.

use core::time::Duration;
use std::fs::{self, File};
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use rustix::process::{Pid, Signal, kill_process};

use super::wrk::Load;
use crate::server::child::{Server, find_program};

const PATIENCE: Duration = Duration::from_secs(5);

/// System calls of all its processes and threads for each request of `load`, those for its connections included.
///
/// perf counts them, which slows nothing down. Where it cannot, strace does; but it stops the server at each call, so that
/// a turn of its loop takes longer than anything may stay queued, and what is counted then is not what happens otherwise.
pub(super) fn per_request(server: &Server, folder: &Path, load: impl Fn() -> Result<Load>) -> Result<f64> {
    let processes: Vec<String> = server.processes()?.iter().map(u32::to_string).collect();
    by_perf(&processes, folder, &load).or_else(|error| {
        println!("not by perf: {error:#}");
        by_strace(&processes, folder, &load)
    })
}

fn by_perf(processes: &[String], folder: &Path, load: &impl Fn() -> Result<Load>) -> Result<f64> {
    let counts = folder.join("perf");
    let mut perf = Command::new(find_program("perf", "linux-perf")?);
    perf.args(["stat", "-x", ",", "-e", "raw_syscalls:sys_enter", "-o"])
        .arg(&counts);
    perf.arg("-p").arg(processes.join(","));
    let load = during(&mut perf, &folder.join("perf.log"), || Ok(true), load)?;
    let text = fs::read_to_string(&counts).context("perf has counted nothing")?;
    Ok(counted(&text)? as f64 / load.requests as f64)
}

fn by_strace(processes: &[String], folder: &Path, load: &impl Fn() -> Result<Load>) -> Result<f64> {
    let (summary, said) = (folder.join("strace"), folder.join("strace.log"));
    let mut strace = Command::new(find_program("strace", "strace")?);
    strace.args(["-f", "-c", "-o"]).arg(&summary);
    for process in processes {
        strace.args(["-p", process]);
    }
    let attached = || Ok(fs::read_to_string(&said)?.contains("attached"));
    let load = during(&mut strace, &said, attached, load)?;
    Ok(total(&fs::read_to_string(&summary)?)? as f64 / load.requests as f64)
}

/// Runs `load` while `counter` counts, and ends that.
fn during(
    counter: &mut Command,
    log: &Path,
    ready: impl Fn() -> Result<bool>,
    load: &impl Fn() -> Result<Load>,
) -> Result<Load> {
    counter
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(File::create(log)?);
    let mut counter = counter.spawn().context("cannot start it")?;
    let begin = Instant::now();
    while !ready()? {
        ensure!(begin.elapsed() < PATIENCE, "it does not attach");
        sleep(Duration::from_millis(10));
    }
    // The first process has been attached to by then, the others have not.
    sleep(Duration::from_millis(200));
    if let Some(status) = counter.try_wait()? {
        anyhow::bail!("{status}: {}", fs::read_to_string(log)?.trim());
    }
    let load = load();
    kill_process(Pid::from_child(&counter), Signal::INT).context("it ended early")?;
    counter.wait()?;
    load
}

/// The count in `COUNT,unit,EVENT,...`, as `perf stat -x,` prints it.
fn counted(text: &str) -> Result<u64> {
    let line = text.lines().find(|line| line.contains("raw_syscalls:sys_enter"));
    let count = line.and_then(|line| line.split(',').next()?.parse().ok());
    count.with_context(|| format!("no count in {text}"))
}

/// The calls in the last line of a summary by `strace -c`: share, seconds, microseconds a call, calls, perhaps errors, and
/// `total`.
fn total(summary: &str) -> Result<u64> {
    let line = summary
        .lines()
        .rev()
        .find(|line| line.trim_end().ends_with("total"));
    let calls = line.and_then(|line| line.split_whitespace().nth(3)?.parse().ok());
    calls.with_context(|| format!("no total in {summary}"))
}

/// The sums of `entries` and `flushes` that the processes wrote when they ended.
pub(super) fn entries_and_flushes(stats: &Path) -> Result<(u64, u64)> {
    let text = fs::read_to_string(stats).with_context(|| format!("no statistics in {}", stats.display()))?;
    ensure!(text.contains("entries"), "no counts in {text}");
    Ok((sum(&text, "entries"), sum(&text, "flushes")))
}

/// The sum of the numbers behind a word.
fn sum(text: &str, name: &str) -> u64 {
    let words: Vec<&str> = text.split_whitespace().collect();
    let values = words.windows(2).filter(|pair| pair[0] == name);
    values.filter_map(|pair| pair[1].parse::<u64>().ok()).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_of_perf_are_understood() {
        let text = "# started on Sun Nov 22\n\n12345,,raw_syscalls:sys_enter,1000,100.00,,\n";
        assert_eq!(counted(text).unwrap(), 12_345);
        assert!(counted("<not supported>,,raw_syscalls:sys_enter,0,0.00,,\n").is_err());
    }

    #[test]
    fn summaries_of_strace_are_understood() {
        let summary = "% time     seconds  usecs/call     calls    errors syscall\n\
            ------ ----------- ----------- --------- --------- ----------------\n\
            \x2050.00    0.100000          10     10000           recvfrom\n\
            ------ ----------- ----------- --------- --------- ----------------\n\
            100.00    0.200000          10     20000       123 total\n";
        assert_eq!(total(summary).unwrap(), 20_000);
        assert!(total("").is_err());
    }

    #[test]
    fn counts_of_all_processes_are_added() {
        let text = "esca[1]: deferred: send 3\nesca[1]: entries 30 flushes 2 calls 1\nesca[2]: entries 12 flushes 1\n";
        assert_eq!((sum(text, "entries"), sum(text, "flushes")), (42, 3));
    }
}
