use std::env;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail, ensure};

use super::candidate::Visit;
use super::{Candidate, Spawn, workloads};
use crate::compare::Report;

/// The program that is traced, and where it lies in a target folder: built by the default compiler, or by Debian's,
/// which has a folder of its own.
const PROGRAM: &str = "coro_instructions";
const FOLDERS: [&str; 2] = [
    "aarch64-unknown-linux-gnu/release",
    "debian/aarch64-unknown-linux-gnu/release",
];
/// Resumes of the two runs whose difference counts.
const FEW: u64 = 100;
const MANY: u64 = 600;

/// Resumes one coroutine of `candidate` so many times, as in `coro.flat`, and returns the checksum.
///
/// # Errors
///
/// When its stack cannot be mapped.
pub fn resume_flat(candidate: Candidate, resumes: u64) -> Result<u64> {
    struct Flat(u64);
    impl Visit for Flat {
        type Output = u64;

        fn visit<S: Spawn>(self, spawner: S) -> Result<u64> {
            Ok(workloads::single::<0, S>(spawner, self.0)?())
        }
    }
    candidate.visit(1, Flat(resumes))
}

/// Instructions for a resume and a suspension on AArch64, counted by an emulator, since there is no such processor
/// here to take times on.
///
/// Prints why when the emulator or the program is missing.
pub(super) fn figures(report: &mut Report) -> Result<()> {
    let Some(program) = find_program()? else {
        println!(
            "no AArch64 instruction counts: `{PROGRAM}` is not built, `cargo xtask compare coro` sees to it\n"
        );
        return Ok(());
    };
    let candidates = [
        Candidate::CoroAsm,
        Candidate::Corosensei,
        Candidate::Generator,
        Candidate::Ucontext,
    ];
    let mut expected = None;
    for candidate in candidates {
        let name = candidate.name();
        let Some(few) = trace(&program, name, FEW)? else {
            println!(
                "no AArch64 instruction counts: qemu-aarch64 is not installed (Debian package qemu-user)\n"
            );
            return Ok(());
        };
        let Some(many) = trace(&program, name, MANY)? else {
            bail!("qemu-aarch64 vanished")
        };
        let checksum = expected.get_or_insert_with(|| many.checksum.clone());
        ensure!(
            *checksum == many.checksum,
            "{name} computed {}, others {checksum}",
            many.checksum
        );
        let each = (many.instructions - few.instructions) as f64 / (MANY - FEW) as f64;
        let suffix = if candidate == Candidate::CoroAsm {
            String::new()
        } else {
            format!(".{name}")
        };
        report.figure(
            format!("coro.aarch64.instructions.flat{suffix}"),
            each,
            "instructions",
        );
    }
    Ok(())
}

struct Traced {
    instructions: u64,
    checksum: String,
}

/// Runs the program under an emulator that reports each instruction in a line; `None` without the emulator.
fn trace(program: &Path, candidate: &str, resumes: u64) -> Result<Option<Traced>> {
    let mut command = Command::new("qemu-aarch64");
    command
        .args([
            "-L",
            "/usr/aarch64-linux-gnu",
            "-singlestep",
            "-d",
            "exec,nochain",
        ])
        .arg(program);
    command
        .args([candidate, &resumes.to_string()])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = match command.spawn() {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        child => child.context("cannot start qemu-aarch64")?,
    };
    let mut instructions = 0;
    let mut rest = Vec::new();
    let log = child.stderr.take().context("no stderr")?;
    for line in BufReader::new(log).split(b'\n') {
        let line = line?;
        if line.starts_with(b"Trace ") {
            instructions += 1;
        } else if rest.len() < 1000 {
            rest.extend(line);
        }
    }
    let mut checksum = String::new();
    child
        .stdout
        .take()
        .context("no stdout")?
        .read_to_string(&mut checksum)?;
    ensure!(
        child.wait()?.success(),
        "{PROGRAM} {candidate} {resumes} failed under qemu-aarch64: {}",
        String::from_utf8_lossy(&rest)
    );
    Ok(Some(Traced {
        instructions,
        checksum,
    }))
}

fn find_program() -> Result<Option<PathBuf>> {
    let own = env::current_exe().context("cannot find the running program")?;
    let target = own
        .ancestors()
        .nth(2)
        .context("the running program is in no target folder")?;
    Ok(FOLDERS
        .map(|folder| target.join(folder).join(PROGRAM))
        .into_iter()
        .find(|program| program.is_file()))
}
