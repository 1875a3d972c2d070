//! The example is run, and prints the real result of every call.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::process::Command;

const EXPECTED: &str = "\
4 calls ran together
entry 0: 7 bytes
entry 1: 5 bytes
entry 10: EPIPE
entry 11: ECANCELED
";

#[test]
fn two_sockets() {
    let test = std::env::current_exe().unwrap();
    let target = test.ancestors().nth(2).unwrap();
    let example = target.join("examples/two_sockets");
    let native = cfg!(target_arch = "x86_64");
    let output = match Command::new(&example).env_remove("ESCA_EXECUTOR").output() {
        Ok(output) if native || output.status.success() => output,
        Err(error) if native => panic!(
            "{}: {error}; `cargo test` without a choice of targets builds it",
            example.display()
        ),
        _ => {
            eprintln!("skipped: not built, or run by an emulator, under which no program starts another");
            return;
        }
    };
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");
    assert_eq!(String::from_utf8_lossy(&output.stdout), EXPECTED, "{errors}");
}
