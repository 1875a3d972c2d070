//! Counts: of system calls by strace, of batches by the library.

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
pub(super) fn per_request(
    server: &Server,
    folder: &Path,
    load: impl FnOnce() -> Result<Load>,
) -> Result<f64> {
    let (summary, said) = (folder.join("strace"), folder.join("strace.log"));
    let mut command = Command::new(find_program("strace", "strace")?);
    command.args(["-f", "-c", "-o"]).arg(&summary);
    for process in server.processes()? {
        command.arg("-p").arg(process.to_string());
    }
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(File::create(&said)?);
    let mut strace = command.spawn().context("cannot start strace")?;
    let begin = Instant::now();
    while !fs::read_to_string(&said)?.contains("attached") {
        ensure!(begin.elapsed() < PATIENCE, "strace does not attach");
        sleep(Duration::from_millis(10));
    }
    // The message stands there when the first process has been attached to.
    sleep(Duration::from_millis(100));
    let load = load();
    kill_process(Pid::from_child(&strace), Signal::INT).context("strace ended early")?;
    strace.wait()?;
    let calls = total(&fs::read_to_string(&summary)?)?;
    Ok(calls as f64 / load?.requests as f64)
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
    let sums = (sum(&text, "entries"), sum(&text, "flushes"));
    ensure!(sums.0 > 0, "nothing was deferred: {text}");
    Ok(sums)
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
    fn summaries_are_understood() {
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
