//! What a batch costs in user space, in instructions: callgrind counts the same number twice, where times differ by more
//! than the cost of recording an entry.

use std::env;
use std::io::ErrorKind;
use std::process::Command;

use anyhow::{Context as _, Result, ensure};
use clap::ValueEnum;

use super::{getppid, header_sendfile, pipelined, sends, single, write_null};
use crate::compare::{Report, TRACED_FUNCTION, Workload};

/// Passes that are counted: enough for the first ones, which fill tables and caches of the allocator, not to count.
const PASSES: u64 = 40;
/// What a batch is compared with.
const PLAIN: &str = "plain";

/// A workload whose instructions are counted.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
#[value(rename_all = "snake_case")]
pub enum Counted {
    /// One 64-byte send in a batch.
    Single,
    /// One `getppid` in a batch.
    Getppid1,
    /// 64 of them.
    Getppid64,
    /// One `write` to `/dev/null`.
    Write1,
    /// 64 of them.
    Write64,
    /// 64 sends of 64 bytes on as many sockets.
    Send64x64,
    /// 64 sends of 4 KiB on as many sockets.
    Send64x4096,
    /// Sixteen answers on one socket.
    Pipelined16,
    /// Header and file on each of sixteen sockets.
    HeaderSendfile,
}

impl Counted {
    /// Those that a quick run counts.
    const QUICK: [Self; 3] = [Self::Single, Self::Send64x64, Self::Pipelined16];

    fn workload(self, executor: &str) -> Result<Workload<'static>> {
        let key = self.key();
        match self {
            Self::Single => single(&key, executor),
            Self::Getppid1 => getppid(&key, executor, 1),
            Self::Getppid64 => getppid(&key, executor, 64),
            Self::Write1 => write_null(&key, executor, 1),
            Self::Write64 => write_null(&key, executor, 64),
            Self::Send64x64 => sends(&key, executor, 64, 64),
            Self::Send64x4096 => sends(&key, executor, 64, 4096),
            Self::Pipelined16 => pipelined(&key, executor),
            Self::HeaderSendfile => header_sendfile(&key, executor),
        }
    }

    fn name(self) -> String {
        self.to_possible_value()
            .map_or_else(String::new, |value| value.get_name().to_owned())
    }

    fn key(self) -> String {
        format!("batch.instructions.{}", self.name())
    }
}

/// Runs some passes of one contestant of a workload, which is `plain` or the name of an executor, and says how many
/// operations they were.
///
/// # Errors
///
/// Where the executor cannot run here, or nobody is called so.
pub fn run_counted(counted: Counted, contestant: &str) -> Result<u64> {
    let executor = if contestant == PLAIN { "direct" } else { contestant };
    let mut workload = counted.workload(executor)?;
    let operations = PASSES * workload.operations();
    let mut contestants = workload.contestants_mut();
    let contestant = contestants
        .find(|entrant| entrant.name() == contestant)
        .with_context(|| format!("{contestant} does not take part in {}", counted.key()))?;
    contestant.time(PASSES);
    Ok(operations)
}

/// Instructions for each operation in user space, of plain calls and of each executor.
///
/// Prints why where there is no Valgrind.
pub(super) fn figures(report: &mut Report, executors: &[&str], quick: bool) -> Result<()> {
    let all = if quick {
        &Counted::QUICK
    } else {
        Counted::value_variants()
    };
    for &counted in all {
        for &contestant in [PLAIN].iter().chain(executors) {
            let Some(each) = count(counted, contestant)? else {
                println!("no instruction counts: valgrind is not installed (Debian package valgrind)\n");
                return Ok(());
            };
            report.figure(format!("{}.{contestant}", counted.key()), each, "instructions");
        }
    }
    Ok(())
}

/// Has callgrind run this program; `None` without it.
fn count(counted: Counted, contestant: &str) -> Result<Option<f64>> {
    let program = env::current_exe().context("cannot find the running program")?;
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
        .arg(format!("--toggle-collect=*{TRACED_FUNCTION}*"))
        .arg(program)
        .args(["batch-calls", &counted.name(), contestant])
        .output();
    let output = match output {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        output => output.context("cannot start valgrind")?,
    };
    let log = String::from_utf8_lossy(&output.stderr);
    ensure!(
        output.status.success(),
        "{} of {contestant} failed under valgrind: {log}",
        counted.key()
    );
    let operations: f64 = String::from_utf8_lossy(&output.stdout).trim().parse()?;
    let collected = log
        .lines()
        .find_map(|line| line.split_once("Collected :"))
        .with_context(|| format!("valgrind says nothing of what it collected: {log}"))?;
    let instructions: f64 = collected.1.trim().parse()?;
    ensure!(instructions > 0.0, "{TRACED_FUNCTION} was not found by valgrind");
    Ok(Some(instructions / operations))
}
