//! gdb walks from inside a coroutine to `main`.
//!
//! Needs `gdb`, or `gdb-multiarch` and `qemu-aarch64` for AArch64 on another machine, so it runs on demand:
//! `cargo test -p coro-asm --features std --test gdb -- --ignored`.

mod common;

use std::env;
use std::hint::black_box;
use std::io;
use std::process::{Command, Stdio};
use std::rc::Rc;

use common::{Co, pool, start};

/// Where gdb stops.
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn coro_asm_gdb_stop(depth: u32) -> u32 {
    black_box(depth) + 1
}

#[inline(never)]
fn gdb_inner_resumer(inner: &mut Co<u32, (), u32>) -> u32 {
    let _ = inner.resume(1);
    black_box(inner.resume(2).complete().unwrap_or_default())
}

#[inline(never)]
fn gdb_outer_resumer(outer: &mut Co<(), (), u32>) -> u32 {
    black_box(outer.resume(()).complete().unwrap_or_default())
}

/// What gdb runs: two coroutines, one in the other, the inner one resumed a second time.
#[test]
fn target() {
    let pool = Rc::new(pool());
    let inner_pool = pool.clone();
    let mut outer: Co<(), (), u32> = start(&pool, move |_, ()| {
        let mut inner: Co<u32, (), u32> = start(&inner_pool, |yielder, first| {
            let second = yielder.suspend(());
            black_box(coro_asm_gdb_stop(first + second))
        });
        gdb_inner_resumer(&mut inner)
    });
    assert_eq!(gdb_outer_resumer(&mut outer), 4);
}

fn gdb(program: &str, commands: &[&str]) -> io::Result<String> {
    let mut gdb = Command::new(program);
    gdb.env_remove("LD_LIBRARY_PATH").args(["-nx", "-q", "-batch"]);
    for command in commands {
        gdb.args(["-ex", command]);
    }
    let output = gdb.stdin(Stdio::null()).output()?;
    Ok(String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr))
}

const SETTINGS: [&str; 3] = [
    "set pagination off",
    "set breakpoint pending on",
    "set debuginfod enabled off",
];

fn native(exe: &str) -> io::Result<String> {
    let file = format!("file {exe}");
    let run = "run --exact target --test-threads=1";
    let mut commands = SETTINGS.to_vec();
    commands.extend([&file, "break coro_asm_gdb_stop", run, "backtrace"]);
    gdb("gdb", &commands)
}

/// This process runs in the emulator itself; what it starts runs on the machine below.
#[cfg(target_arch = "aarch64")]
fn emulated(exe: &str) -> io::Result<String> {
    const ROOT: &str = "/usr/aarch64-linux-gnu";
    let port = 20_000 + std::process::id() % 20_000;
    let mut target = Command::new("qemu-aarch64")
        .args([
            "-L",
            ROOT,
            "-E",
            &format!("LD_LIBRARY_PATH={ROOT}/lib"),
            "-g",
            &port.to_string(),
            exe,
        ])
        .args(["--exact", "target", "--test-threads=1"])
        .env_remove("LD_LIBRARY_PATH")
        .stdout(Stdio::null())
        .spawn()?;
    std::thread::sleep(std::time::Duration::from_secs(1));
    let file = format!("file {exe}");
    let sysroot = format!("set sysroot {ROOT}");
    let remote = format!("target remote localhost:{port}");
    let mut commands = SETTINGS.to_vec();
    commands.extend([
        &file,
        &sysroot,
        &remote,
        "break coro_asm_gdb_stop",
        "continue",
        "backtrace",
        "kill",
    ]);
    let text = gdb("gdb-multiarch", &commands);
    let _ = target.kill();
    target.wait()?;
    text
}

#[test]
#[ignore = "needs gdb"]
fn walks_to_the_end() {
    let exe = env::current_exe()
        .unwrap()
        .into_os_string()
        .into_string()
        .unwrap();
    #[cfg(target_arch = "aarch64")]
    let text = if Command::new("gdb-multiarch").arg("-v").output().is_ok() {
        emulated(&exe)
    } else {
        native(&exe)
    };
    #[cfg(not(target_arch = "aarch64"))]
    let text = native(&exe);
    let text = text.expect("gdb (gdb-multiarch and qemu-aarch64 for AArch64) is installed");
    let frames: Vec<_> = text.lines().filter(|line| line.starts_with('#')).collect();
    let mut at = 0;
    for function in [
        "coro_asm_gdb_stop",
        "{closure",
        "gdb_inner_resumer",
        "gdb_outer_resumer",
        "gdb::target",
    ] {
        let found = frames[at..].iter().position(|frame| frame.contains(function));
        assert!(found.is_some(), "no {function} after frame {at} in\n{text}");
        at += found.unwrap_or_default();
    }
    // Below it come only the frames of a C library without symbols.
    let start = frames[at..]
        .iter()
        .any(|frame| frame.contains("thread_start") || frame.contains("lang_start"));
    assert!(start, "the walk ends before the thread's start in\n{text}");
}
