//! `coro_instructions CANDIDATE RESUMES`: resumes one coroutine so many times and prints a checksum.
//!
//! Built for AArch64 and traced by `compare coro`.

use anyhow::Result;
use benches::coro::{Candidate, resume_flat};
use clap::Parser;

#[derive(Debug, Parser)]
struct Cli {
    /// Whose coroutine
    candidate: Candidate,
    /// How many times it is resumed
    resumes: u64,
}

fn main() -> Result<()> {
    let cli = Cli::parse();
    println!("{:#x}", resume_flat(cli.candidate, cli.resumes)?);
    Ok(())
}
