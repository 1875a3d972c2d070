//! Builds the library, the servers and the naive interposer, and runs one of them.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::time::Instant;
use std::{env, fs};

/// What is preloaded.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Preload {
    None,
    Ours,
    Naive,
}

/// What a server and its peer found.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Outcome {
    Right,
    Wrong,
}

struct Built {
    victim: PathBuf,
    naive: PathBuf,
    ours: PathBuf,
}

fn built() -> &'static Built {
    static BUILT: OnceLock<Built> = OnceLock::new();
    BUILT.get_or_init(|| {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
        let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/victims");
        let victim = folder.join("victim");
        let parts = [
            "harness",
            "bytes",
            "numbers",
            "processes",
            "signals",
            "errors",
            "waits",
            "reads",
        ];
        let parts = parts.map(|part| sources.join(part).with_extension("c"));
        compile(&victim, &["-pthread"], &parts);
        let naive = folder.join("libnaive.so");
        compile(&naive, &["-shared", "-fPIC"], &[sources.join("naive.c")]);
        Built {
            victim,
            naive,
            ours: library(),
        }
    })
}

fn compile(to: &Path, options: &[&str], from: &[PathBuf]) {
    let mut command = Command::new("cc");
    command
        .args(["-O2", "-Wall", "-Wextra", "-Werror"])
        .args(options)
        .args(from);
    succeed(command.arg("-o").arg(to).arg("-ldl"));
}

/// The library as its users have it. Cargo builds no `cdylib` for the tests of its own package.
fn library() -> PathBuf {
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command.args([
        "build",
        "--quiet",
        "--release",
        "--package",
        "esca-preload",
        "--lib",
    ]);
    succeed(command.current_dir(env!("CARGO_MANIFEST_DIR")));
    let target = Path::new(env!("CARGO_TARGET_TMPDIR"))
        .parent()
        .expect("the target folder");
    target.join("release/libesca_preload.so")
}

fn succeed(command: &mut Command) {
    let status = command.status();
    let status = status.unwrap_or_else(|error| panic!("{command:?}: {error}"));
    assert!(status.success(), "{command:?}: {status}");
}

/// Every hazard there is.
pub(crate) fn names() -> Vec<String> {
    let listed = Command::new(&built().victim)
        .output()
        .expect("the list of hazards");
    let listed = String::from_utf8(listed.stdout).expect("names");
    listed.lines().map(str::to_owned).collect()
}

pub(crate) fn run(name: &str, preload: Preload) -> Outcome {
    run_with(name, preload, &[])
}

pub(crate) fn run_with(name: &str, preload: Preload, environment: &[(&str, &str)]) -> Outcome {
    outcome(name, preload, environment).0
}

/// What the server and the library said on the standard error, where all was right.
pub(crate) fn said(name: &str, preload: Preload, environment: &[(&str, &str)]) -> String {
    let (outcome, said) = outcome(name, preload, environment);
    assert_eq!(outcome, Outcome::Right, "{name} with {environment:?}");
    said
}

fn outcome(name: &str, preload: Preload, environment: &[(&str, &str)]) -> (Outcome, String) {
    let built = built();
    let mut command = Command::new(&built.victim);
    command.arg(name).envs(environment.iter().copied());
    match preload {
        Preload::None => {}
        Preload::Ours => {
            command.env("LD_PRELOAD", &built.ours).env("ESCA_STATS", "1");
            if environment.iter().all(|(name, _)| *name != "ESCA_DEFER") {
                // What pays is learned from what a program does; here everything has to be held to the same.
                command.env("ESCA_DEFER", "always");
            }
        }
        Preload::Naive => {
            // It only has to fail, so nobody has patience with it.
            command
                .env("LD_PRELOAD", &built.naive)
                .env("HANGS_MS", "5000")
                .env("WAIT_MS", "1000");
        }
    }
    let begin = Instant::now();
    let output = command.output().expect("the victim");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    if output.status.success() {
        return (Outcome::Right, said);
    }
    eprintln!(
        "{name}, {preload:?}, {environment:?}: {} after {:.1} s, load {}\n{}",
        output.status,
        begin.elapsed().as_secs_f64(),
        fs::read_to_string("/proc/loadavg").unwrap_or_default().trim_end(),
        said
    );
    (Outcome::Wrong, said)
}

/// How often a handler interrupts the library; `ESCA_ALARMS=1000000` takes a minute.
pub(crate) fn alarms() -> &'static str {
    static ALARMS: OnceLock<String> = OnceLock::new();
    ALARMS.get_or_init(|| env::var("ESCA_ALARMS").unwrap_or_else(|_| "100000".into()))
}
