//! Everything that is run on this repository, as one command: `cargo xtask help`.

mod arrows;
mod compare;
mod context;
mod counts;
mod kernel;
mod report;
mod runner;
mod setup;
mod stages;
mod test;
mod toolchain;
mod workspace;

use std::process::ExitCode;

use anyhow::{Result, bail};

use crate::workspace::Workspace;

const HELP: &str = "\
usage: cargo xtask COMMAND

  setup                           install the Debian packages that are missing (as root), or name the command
  test [--long] [STAGE...]        run every stage, or the named ones; --long runs fuzzing and soaks for minutes
  compare NAME [--quick]          measure against rivals: coro, echo, wheel, trie, batch, server,
                                  preload, kernel
  kernel build|test [--arch amd64|arm64] [--kernel 6.1|6.12] [--long]
                                  build /dev/esca for Debian's kernels, boot them under QEMU and test it there
  kernel debug [--long]           the same in a kernel that watches itself, built from source: half an hour
  help                            this text

stages of test:
";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match dispatch(&arguments) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::from(2)
        }
    }
}

fn dispatch(arguments: &[String]) -> Result<ExitCode> {
    let (command, rest) = match arguments.split_first() {
        Some((command, rest)) => (command.as_str(), rest),
        None => ("help", arguments),
    };
    match command {
        "setup" => {
            if let Some(word) = rest.first() {
                bail!("setup takes no argument, found {word:?}");
            }
            setup::command()
        }
        "test" => test::command(Workspace::load()?, rest),
        "compare" => compare::command(Workspace::load()?, rest),
        "kernel" => kernel::command(Workspace::load()?, rest),
        "help" | "--help" | "-h" => {
            print!("{HELP}{}", stages::listing());
            Ok(ExitCode::SUCCESS)
        }
        other => bail!("no such command: {other:?}; `cargo xtask help` lists them"),
    }
}
