//! Tests of the kernel module, for a program that is root in a virtual machine of its own: they take processors, kill
//! children, drop privileges and unload the module. `cargo xtask kernel test` starts it.
//!
//! Each case runs in a process of its own. The output is that of Rust's test programs.

mod audit;
mod cases;
mod device;
mod process;
mod random;
mod socket;
mod system;

use std::process::ExitCode;
use std::time::Duration;

use cases::{CASES, Case, FAILING};

/// How the program was called.
#[derive(Clone, Debug)]
struct Options {
    /// How long the cases with random contents run.
    duration: Duration,
    /// How long a case may take beyond that.
    limit: Duration,
    /// How many tables come and go in the case that counts what is left of them.
    tables: u32,
    /// The module's file, for the case that unloads it and loads it again.
    module: Option<String>,
    /// The cases about allocations that fail, in place of all others.
    failing: bool,
    /// Only cases whose name contains this.
    filter: String,
}

const USAGE: &str = "\
usage: esca-guest [--seconds N | --long] [--limit SECONDS] [--tables N] [--module FILE] [--failing] [FILTER]";

fn options(arguments: impl Iterator<Item = String>) -> Option<Options> {
    let mut options = Options {
        duration: Duration::from_secs(15),
        limit: Duration::from_secs(4 * 60),
        tables: 100_000,
        module: None,
        failing: false,
        filter: String::new(),
    };
    let mut arguments = arguments;
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--long" => options.duration = Duration::from_secs(10 * 60),
            "--seconds" => options.duration = Duration::from_secs(arguments.next()?.parse().ok()?),
            "--failing" => options.failing = true,
            "--limit" => options.limit = Duration::from_secs(arguments.next()?.parse().ok()?),
            "--tables" => options.tables = arguments.next()?.parse().ok()?,
            "--module" => options.module = Some(arguments.next()?),
            filter if !filter.starts_with('-') => filter.clone_into(&mut options.filter),
            _ => return None,
        }
    }
    Some(options)
}

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1).peekable();
    // The case about execve calls this program again.
    if arguments
        .next_if(|argument| argument == "--flush-inherited")
        .is_some()
    {
        return cases::identity::flush_inherited(arguments.next());
    }
    let Some(options) = options(arguments) else {
        eprintln!("{USAGE}");
        return ExitCode::from(2);
    };
    let all = if options.failing { FAILING } else { CASES };
    let chosen: Vec<&Case> = all
        .iter()
        .filter(|(name, _)| name.contains(&options.filter))
        .collect();
    println!("\nrunning {} tests", chosen.len());
    let (mut passed, mut failed, mut ignored) = (0, Vec::new(), 0);
    for (name, run) in chosen {
        let limit = options.duration + options.limit;
        match process::isolated(limit, || run(&options)) {
            Ok(cases::Passed::Yes) => {
                println!("test {name} ... ok");
                passed += 1;
            }
            Ok(cases::Passed::Ignored) => {
                println!("test {name} ... ignored");
                ignored += 1;
            }
            Err(why) => {
                println!("test {name} ... FAILED");
                println!("    {why}");
                failed.push(*name);
            }
        }
    }
    let verdict = if failed.is_empty() { "ok" } else { "FAILED" };
    if !failed.is_empty() {
        println!("\nfailures:\n    {}", failed.join("\n    "));
    }
    println!(
        "\ntest result: {verdict}. {passed} passed; {} failed; {ignored} ignored; 0 measured; 0 filtered out",
        failed.len()
    );
    ExitCode::from(u8::from(!failed.is_empty()))
}
