//! Serves a folder over HTTP.

mod cli;

use std::process::ExitCode;

fn main() -> ExitCode {
    match cli::run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("anglerfish: {message}");
            ExitCode::FAILURE
        }
    }
}
