//! The C header says what the Rust side says, as the C compilers of both ABIs see it.
#![cfg(not(loom))]
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use batch_table::{
    ENTRY_SIZE, EntryFlags, Features, HEADER_SIZE, MAGIC, MAX_CAPACITY, State, VERSION, device, nr,
};

/// C source that compiles only where every constant of the header has the value it has in Rust.
fn source() -> String {
    let mut text =
        String::from("#include \"batch_table.h\"\n#include <asm/unistd.h>\n#include <sys/ioctl.h>\n");
    let mut equal = |name: &str, value: u64| {
        writeln!(text, "_Static_assert({name} == {value}, \"wrong\");").unwrap();
    };
    equal("BATCH_TABLE_MAGIC", MAGIC.into());
    equal("BATCH_TABLE_VERSION", VERSION.into());
    equal("BATCH_TABLE_ENTRY_SIZE", ENTRY_SIZE.into());
    equal("BATCH_TABLE_HEADER_SIZE", HEADER_SIZE.into());
    equal("BATCH_TABLE_MAX_CAPACITY", MAX_CAPACITY.into());
    equal("BATCH_TABLE_LINK", Features::LINK.to_raw());
    equal("BATCH_TABLE_LAST_MAY_BLOCK", Features::LAST_MAY_BLOCK.to_raw());
    equal("BATCH_ENTRY_LINK", EntryFlags::LINK.to_raw().into());
    equal("BATCH_STATE_EMPTY", State::Empty.to_raw().into());
    equal("BATCH_STATE_READY", State::Ready.to_raw().into());
    equal("BATCH_STATE_DONE", State::Done.to_raw().into());
    equal("BATCH_STATE_CANCELED", State::Canceled.to_raw().into());
    equal("BATCH_IOC_SETUP", device::SETUP.into());
    equal("BATCH_IOC_FLUSH", device::FLUSH.into());
    equal("_IO('E', 0)", device::SETUP.into());
    equal("_IO('E', 1)", device::FLUSH.into());
    equal("BATCH_IOC_QUERY", device::QUERY.into());
    equal("BATCH_IOC_STATS", device::STATS.into());
    equal("_IOR('E', 2, struct batch_query)", device::QUERY.into());
    equal("_IOR('E', 3, struct batch_stats)", device::STATS.into());
    for (first, count) in [(0, 1), (63, 64), (64, 2), (u32::MAX, 64)] {
        let name = format!("BATCH_FLUSH_ARGUMENT({first}u, {count}, 64)");
        equal(&name, device::flush_argument(first, count, 64));
    }
    text.push_str("#if defined(__x86_64__)\n");
    numbers(&mut text, &x86_64());
    text.push_str("#elif defined(__aarch64__)\n");
    numbers(&mut text, &generic());
    text.push_str("#else\n#error \"neither ABI\"\n#endif\n");
    text
}

fn numbers(text: &mut String, table: &[(&str, u32)]) {
    for (name, number) in table {
        writeln!(text, "_Static_assert(__NR_{name} == {number}, \"{name}\");").unwrap();
    }
}

macro_rules! listed {
    ($function:ident, $module:ident) => {
        fn $function() -> Vec<(&'static str, u32)> {
            use nr::$module as table;
            vec![
                ("read", table::READ),
                ("write", table::WRITE),
                ("close", table::CLOSE),
                ("writev", table::WRITEV),
                ("sendfile", table::SENDFILE),
                ("sendto", table::SENDTO),
                ("recvfrom", table::RECVFROM),
                ("sendmsg", table::SENDMSG),
                ("recvmsg", table::RECVMSG),
                ("shutdown", table::SHUTDOWN),
                ("setsockopt", table::SETSOCKOPT),
                ("getsockopt", table::GETSOCKOPT),
                ("fsync", table::FSYNC),
                ("getppid", table::GETPPID),
                ("epoll_ctl", table::EPOLL_CTL),
                ("splice", table::SPLICE),
                ("epoll_pwait", table::EPOLL_PWAIT),
                ("accept4", table::ACCEPT4),
            ]
        }
    };
}
listed!(x86_64, x86_64);
listed!(generic, generic);

/// Whether `compiler` accepts `source`; the error is its own text. `None` where it is not installed.
fn accepts(compiler: &str, source: &str) -> Option<Result<(), String>> {
    let include = Path::new(env!("CARGO_MANIFEST_DIR")).join("include");
    let mut child = Command::new(compiler)
        .args([
            "-std=c11",
            "-Wall",
            "-Wextra",
            "-Werror",
            "-pedantic",
            "-fsyntax-only",
            "-x",
            "c",
            "-I",
        ])
        .arg(include)
        .arg("-")
        .stdin(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .ok()?;
    child.stdin.take().unwrap().write_all(source.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    Some(if output.status.success() {
        Ok(())
    } else {
        Err(String::from_utf8_lossy(&output.stderr).into_owned())
    })
}

fn check(compiler: &str) {
    match accepts(compiler, &source()) {
        Some(verdict) => verdict.unwrap_or_else(|text| panic!("{compiler}: {text}")),
        None => {
            eprintln!("skipped: {compiler} is not installed");
            return;
        }
    }
    let wrong = format!(
        "{}_Static_assert(offsetof(struct batch_entry, result) == 12, \"\");\n",
        source()
    );
    assert!(
        accepts(compiler, &wrong).unwrap().is_err(),
        "the compiler must notice a wrong layout"
    );
}

#[test]
fn header_agrees_on_x86_64() {
    check(if cfg!(target_arch = "x86_64") {
        "cc"
    } else {
        "x86_64-linux-gnu-gcc"
    });
}

#[test]
fn header_agrees_on_aarch64() {
    check("aarch64-linux-gnu-gcc");
}
