//! Valgrind follows the switches and finds no fault.
//!
//! Needs `valgrind`, so it runs on demand:
//! `cargo test -p coro-asm --features valgrind --test valgrind -- --ignored`.

mod common;

use std::env;
use std::process::Command;

use common::{Co, pool, start};

/// What runs under Valgrind: switches between stacks that are near each other and use much of their room.
#[test]
fn target() {
    fn deep(level: u64, f: &dyn Fn(u64) -> u64) -> u64 {
        let room = std::hint::black_box([level; 100]);
        if level == 0 {
            f(room[99])
        } else {
            deep(level - 1, f) + room[50]
        }
    }
    let pool = pool();
    let mut all: Vec<Co<u64, u64, ()>> = (0..10)
        .map(|_| {
            start(&pool, |yielder, mut n| {
                for _ in 0..3 {
                    n = deep(10, &|zero| yielder.suspend(n) + zero);
                }
            })
        })
        .collect();
    for round in 0..3 {
        for co in &mut all {
            let expected = if round == 0 { 1 } else { 1 + 55 };
            assert_eq!(co.resume(1).yielded(), Some(expected));
        }
    }
    drop(all);
    pool.trim();
    assert_eq!(pool.stats().in_use, 0);
}

#[test]
#[ignore = "needs valgrind"]
#[cfg(target_arch = "x86_64")]
fn follows_the_switches() {
    let output = Command::new("valgrind")
        .args(["--error-exitcode=9", "--leak-check=no"])
        .arg(env::current_exe().unwrap())
        .args(["--exact", "target", "--test-threads=1"])
        .output()
        .expect("valgrind is installed");
    let report = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "ended with {}:\n{report}", output.status);
    assert!(report.contains("ERROR SUMMARY: 0 errors"), "{report}");
    assert!(!report.contains("switching stacks"), "{report}");
}
