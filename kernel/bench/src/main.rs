//! What a batch of system calls costs, in instructions: plain calls, the kernel module, io_uring.
//!
//! It runs in a machine under QEMU whose clock counts instructions (`-icount shift=0,sleep=off`); on any other it refuses.
//! `cargo xtask compare kernel` builds, boots and runs it.

mod answers;
mod calls;
mod counter;
mod net;
mod sample;
mod ways;

use std::process::ExitCode;

use crate::counter::Counter;
use crate::sample::Report;

/// Sizes of the batches that the tables show.
const SIZES: [usize; 4] = [1, 8, 32, 64];

fn main() -> ExitCode {
    let mut words = std::env::args().skip(1);
    let prefix = words.next().unwrap_or_else(|| "kernel".into());
    let quick = words.next().is_some_and(|word| word == "--quick");
    match run(&prefix, quick) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(prefix: &str, quick: bool) -> Result<(), String> {
    let counter = Counter::calibrate()?;
    println!("{counter}");
    let rounds = if quick { 6 } else { 24 };
    let mut report = Report::default();
    println!(
        "\nInstructions of a batch, filling it and taking its results included; least of {rounds} rounds"
    );
    println!("{}", calls::HEAD);
    for call in calls::ALL {
        for size in SIZES {
            let row = calls::measure(&counter, call, size, rounds)?;
            println!("{row}");
            report.figure(
                format!("{prefix}.saved_instructions.{}.{size}", call.key()),
                row.saved(),
                "instructions",
            );
        }
    }
    report.figure(
        format!("{prefix}.breakeven"),
        calls::break_even(&counter, rounds)? as f64,
        "entries",
    );
    println!("\nHeader of 200 bytes and file of 4 KiB on each of N connections");
    println!("{}", answers::HEAD);
    for size in SIZES {
        let row = answers::measure(&counter, size, rounds)?;
        println!("{row}");
        if size == 32 {
            row.ratios(prefix, &mut report);
        }
    }
    println!("\n{report}");
    Ok(())
}
