//! The disassembly of a resume and a suspension, compared with what is on record for the compiler's version.
//!
//! Needs `objdump` for the target and builds with optimisation, so it runs on demand:
//! `cargo test -p coro-asm --features std --test golden -- --ignored`. With `CORO_ASM_BLESS=1` in the environment it writes
//! the record instead.

use std::env;
use std::fs;
use std::path::PathBuf;
use std::process::Command;

const FUNCTIONS: [&str; 2] = ["golden_resume", "golden_suspend"];

fn output(command: &mut Command) -> String {
    let output = command
        .env_remove("LD_LIBRARY_PATH")
        .output()
        .expect("the program is installed");
    assert!(
        output.status.success(),
        "{command:?}:\n{}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// `rustc 1.95.0 (...)` as `1.95.0`.
fn rustc_version() -> String {
    let rustc = env::var("RUSTC").unwrap_or_else(|_| "rustc".into());
    output(Command::new(rustc).arg("-V"))
        .split(' ')
        .nth(1)
        .expect("a version")
        .to_owned()
}

fn build() -> PathBuf {
    let target = format!("{}-unknown-linux-gnu", env::consts::ARCH);
    let directory = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("golden");
    let mut cargo = Command::new(env::var("CARGO").unwrap_or_else(|_| "cargo".into()));
    cargo
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .args([
            "build",
            "--release",
            "--features",
            "std",
            "--example",
            "golden",
            "--target",
            &target,
        ])
        .arg("--target-dir")
        .arg(&directory);
    for (key, value) in [
        ("OPT_LEVEL", "3"),
        ("LTO", "fat"),
        ("CODEGEN_UNITS", "1"),
        ("DEBUG", "0"),
        ("PANIC", "unwind"),
    ] {
        cargo.env(format!("CARGO_PROFILE_RELEASE_{key}"), value);
    }
    output(&mut cargo);
    directory.join(target).join("release/examples/golden")
}

fn objdump() -> &'static str {
    if cfg!(target_arch = "aarch64")
        && Command::new("aarch64-linux-gnu-objdump")
            .arg("-v")
            .output()
            .is_ok()
    {
        "aarch64-linux-gnu-objdump"
    } else {
        "objdump"
    }
}

/// The functions' instructions, without addresses.
fn disassemble() -> String {
    let mut command = Command::new(objdump());
    command.args(["-d", "-C", "--no-show-raw-insn", "--no-addresses"]);
    if cfg!(target_arch = "x86_64") {
        command.args(["-M", "intel"]);
    }
    let listing = output(command.arg(build()));
    let mut text = String::new();
    for function in FUNCTIONS {
        let head = format!("<{function}>:");
        let body = listing
            .split_once(&head)
            .expect("the function is in the binary")
            .1;
        let body = body.split("\n\n").next().unwrap_or_default();
        text += &head;
        for line in body.lines() {
            // What fills the space up to the next function.
            if !["int3", "udf"]
                .iter()
                .any(|filler| line.trim().starts_with(filler))
            {
                text += line.split(" # ").next().unwrap_or_default().trim_end();
                text.push('\n');
            }
        }
        text.push('\n');
    }
    text
}

#[test]
#[ignore = "needs objdump and a release build"]
fn disassembly_is_as_on_record() {
    let found = disassemble();
    // Whatever the compiler's version: one switch each, inlined, and no more saved by hand than LLVM keeps to itself.
    let (resume, suspend) = found.split_once("<golden_suspend>:").expect("both functions");
    let count = |text: &str, pattern: &str| {
        text.lines()
            .filter(|line| line.trim().starts_with(pattern))
            .count()
    };
    #[cfg(target_arch = "x86_64")]
    {
        assert_eq!(count(resume, "call   rcx"), 1, "{found}");
        assert_eq!(
            count(suspend, "mov    rsp,rax"),
            count(suspend, "mov    rsp,rdx"),
            "{found}"
        );
        assert!(
            count(suspend, "mov    rsp,rax") >= 1,
            "the switch is not inlined:\n{found}"
        );
        assert_eq!(count(resume, "push   rbp"), 0, "{found}");
    }
    #[cfg(target_arch = "aarch64")]
    {
        assert_eq!(count(resume, "blr\tx3"), 1, "{found}");
        assert!(
            count(suspend, "bti\tc") >= 1,
            "no landing pad, or the switch is not inlined:\n{found}"
        );
        assert!(
            resume.contains("d8, ") && suspend.contains("d8, "),
            "d8 is not saved:\n{found}"
        );
    }
    let name = format!("tests/golden/{}-{}.txt", env::consts::ARCH, rustc_version());
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(&name);
    if env::var_os("CORO_ASM_BLESS").is_some() {
        fs::write(&path, &found).expect("the record is writable");
    }
    match fs::read_to_string(&path) {
        Ok(expected) => assert!(
            found == expected,
            "{name} differs; if it should, bless it:\n{found}"
        ),
        Err(_) => println!("{name} is not on record: only the common properties were checked"),
    }
}
