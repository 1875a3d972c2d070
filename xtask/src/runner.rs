//! Runs one command after the other: output to a log, progress to the terminal, a deadline on each.

use std::ffi::OsString;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

/// How many lines of a failed command's log are shown.
const SHOWN_ON_FAILURE: usize = 200;
/// How many characters of a command are shown, unless it fails.
const SHOWN_OF_COMMAND: usize = 180;

/// Runs the commands of one stage.
#[derive(Debug)]
pub(crate) struct Runner {
    logs: PathBuf,
    stage: &'static str,
    root: PathBuf,
    deadline: Instant,
    count: AtomicU32,
}

/// A command that has ended.
#[derive(Debug)]
pub(crate) struct Finished {
    pub(crate) success: bool,
    /// Standard output and standard error, interleaved as they came.
    pub(crate) text: String,
}

impl Finished {
    /// An error unless the command succeeded.
    pub(crate) fn check(self, what: &str) -> Result<String> {
        if self.success {
            Ok(self.text)
        } else {
            bail!("{what} failed")
        }
    }
}

impl Runner {
    pub(crate) fn new(root: PathBuf, logs: PathBuf, stage: &'static str, limit: Duration) -> Result<Self> {
        fs::create_dir_all(&logs).with_context(|| format!("cannot create {}", logs.display()))?;
        Ok(Self {
            logs,
            stage,
            root,
            deadline: Instant::now() + limit,
            count: AtomicU32::new(0),
        })
    }

    /// A cargo command at the workspace root.
    pub(crate) fn cargo<const N: usize>(&self, arguments: [&str; N]) -> Command {
        let mut command = Command::new(crate::workspace::cargo());
        command.args(arguments).env("CARGO_TERM_COLOR", "never");
        command
    }

    /// Runs `command` to its end, or kills it and everything below it at the stage's deadline.
    pub(crate) fn run(&self, command: &mut Command) -> Result<Finished> {
        if Instant::now() >= self.deadline {
            bail!("the stage's time limit is over");
        }
        let count = self.count.fetch_add(1, Ordering::Relaxed) + 1;
        let path = self.logs.join(format!("{}-{count:02}.log", self.stage));
        let log = File::create(&path).with_context(|| format!("cannot create {}", path.display()))?;
        let whole = shown(command);
        println!("  $ {}", shortened(&whole));
        let start = Instant::now();
        let child = command
            .current_dir(&self.root)
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()
            .with_context(|| format!("cannot start {}", command.get_program().to_string_lossy()))?;
        let status = self.wait(child)?;
        let bytes = fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let seconds = start.elapsed().as_secs_f64();
        let how = match status {
            Some(status) if status.success() => None,
            Some(status) => Some(format!("{status} after {seconds:.1} s")),
            None => Some(format!("killed at its time limit, {seconds:.0} s")),
        };
        match how {
            None => println!("    ok, {seconds:.1} s"),
            Some(how) => {
                println!("    {whole}");
                show_failure(&text, &path, &how);
            }
        }
        Ok(Finished {
            success: status.is_some_and(|status| status.success()),
            text,
        })
    }

    fn wait(&self, mut child: Child) -> Result<Option<ExitStatus>> {
        loop {
            if let Some(status) = child.try_wait()? {
                return Ok(Some(status));
            }
            if Instant::now() >= self.deadline {
                kill_tree(child.id());
                child.wait()?;
                return Ok(None);
            }
            sleep(Duration::from_millis(20));
        }
    }
}

fn show_failure(text: &str, path: &Path, how: &str) {
    let lines: Vec<&str> = text.lines().collect();
    let first = lines.len().saturating_sub(SHOWN_ON_FAILURE);
    if first > 0 {
        println!("    | ({first} lines before these are in {})", path.display());
    }
    for line in &lines[first..] {
        println!("    | {line}");
    }
    println!("    FAILED: {how}; log: {}", path.display());
}

/// The command as one would type it, with the variables that it sets.
fn shown(command: &Command) -> String {
    let mut words: Vec<String> = Vec::new();
    for (key, value) in command.get_envs() {
        if let Some(value) = value.filter(|_| key != "CARGO_TERM_COLOR") {
            words.push(format!("{}={}", key.to_string_lossy(), quoted(&value.to_owned())));
        }
    }
    let program = PathBuf::from(command.get_program());
    words.push(match program.file_name() {
        Some(name) if name == "cargo" => "cargo".to_owned(),
        _ => program.display().to_string(),
    });
    words.extend(command.get_args().map(|word| quoted(&word.to_owned())));
    words.join(" ")
}

fn quoted(word: &OsString) -> String {
    let word = word.to_string_lossy();
    if word.is_empty() || word.contains([' ', '"', '$', '*', '(', ')']) {
        format!("'{word}'")
    } else {
        word.into()
    }
}

/// The command's first line, or as much of it as a reader needs to know it by.
fn shortened(command: &str) -> String {
    let line = command.lines().next().unwrap_or_default();
    match line.char_indices().nth(SHOWN_OF_COMMAND) {
        Some((end, _)) => format!("{} …", &line[..end]),
        None if line.len() < command.len() => format!("{line} …"),
        None => line.to_owned(),
    }
}

/// Kills a process and its descendants, parents first, so that none is left to start another.
fn kill_tree(root: u32) {
    let mut tree = vec![root];
    let mut next = 0;
    while let Some(&parent) = tree.get(next) {
        next += 1;
        let Ok(tasks) = fs::read_dir(format!("/proc/{parent}/task")) else {
            continue;
        };
        for task in tasks.flatten() {
            let children = fs::read_to_string(task.path().join("children")).unwrap_or_default();
            tree.extend(
                children
                    .split_whitespace()
                    .filter_map(|pid| pid.parse::<u32>().ok()),
            );
        }
    }
    let _ = Command::new("kill")
        .arg("-KILL")
        .args(tree.iter().map(u32::to_string))
        .stderr(Stdio::null())
        .status();
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Tests run side by side, so each has its own logs.
    fn runner(name: &str, limit: Duration) -> Runner {
        let logs = std::env::temp_dir().join(format!("xtask-runner-{name}-{}", std::process::id()));
        Runner::new(std::env::temp_dir(), logs, "unit", limit).expect("a runner in the temporary folder")
    }

    #[test]
    fn collects_both_streams_and_the_verdict() {
        let runner = runner("streams", Duration::from_secs(60));
        let done = runner
            .run(Command::new("sh").args(["-c", "echo out; echo err >&2; exit 3"]))
            .expect("sh runs");
        assert!(!done.success);
        assert_eq!(done.text, "out\nerr\n");
        assert!(done.check("sh").is_err());
    }

    #[test]
    fn a_long_command_is_shown_in_part() {
        assert_eq!(shortened("cargo test"), "cargo test");
        assert_eq!(shortened("sh -c 'a\nb'"), "sh -c 'a …");
        let long = "é".repeat(SHOWN_OF_COMMAND + 1);
        assert_eq!(shortened(&long).chars().count(), SHOWN_OF_COMMAND + 2);
    }

    #[test]
    fn a_command_past_the_deadline_is_killed_with_its_children() {
        let runner = runner("deadline", Duration::from_millis(300));
        let start = Instant::now();
        let done = runner
            .run(Command::new("sh").args(["-c", "sleep 77.25 & echo $!; wait"]))
            .expect("sh runs");
        assert!(!done.success);
        assert!(start.elapsed() < Duration::from_secs(20));
        let child = done.text.trim();
        // The signal is sent; a busy machine takes a moment to act on it.
        loop {
            let state = fs::read_to_string(format!("/proc/{child}/stat")).unwrap_or_default();
            if state.is_empty() || state.contains(") Z ") {
                break;
            }
            assert!(
                start.elapsed() < Duration::from_secs(20),
                "{child} lives: {state}"
            );
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}
