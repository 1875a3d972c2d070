//! AddressSanitizer follows the switches: it finds faults on a coroutine's stack, and nothing where there is none.
//!
//! Needs a build with the sanitizer, so it runs on demand: `RUSTC_BOOTSTRAP=1 RUSTFLAGS=-Zsanitizer=address cargo test
//! -p coro-asm --features asan --target x86_64-unknown-linux-gnu --test asan -- --ignored`.

mod common;

use std::env;
use std::hint::black_box;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::{Command, Output};

use common::{Co, pool, start};
use coro_asm::{CoroutineState, StackPool, StackPoolConfig};

/// Runs one of the targets below in a process of its own.
fn run(target: &str) -> (Output, String) {
    let output = Command::new(env::current_exe().expect("the test has a path"))
        .args(["--exact", target, "--test-threads=1"])
        .env(
            "ASAN_OPTIONS",
            "detect_stack_use_after_return=1:detect_leaks=0:exitcode=99",
        )
        .env("CORO_ASM_FAULT", "1")
        .output()
        .expect("the test starts");
    let report = String::from_utf8_lossy(&output.stderr).into_owned();
    (output, report)
}

/// A frame with an array, so that there is something to watch.
#[inline(never)]
fn deep(level: usize, f: &dyn Fn() -> usize) -> usize {
    let room = black_box([level; 64]);
    if level == 0 {
        f() + room[63]
    } else {
        deep(level - 1, f) + room[level]
    }
}

/// Suspends at a depth, panics there, is dropped there; always on the same stacks.
#[test]
fn target_without_fault() {
    // Far from the thread's stack, for the sanitizer overlooks what is near.
    let pool = StackPool::new(StackPoolConfig::default()).unwrap();
    for round in 0..200 {
        let mut all: Vec<Co<usize, usize, usize>> = (0..5)
            .map(|_| {
                start(&pool, move |yielder, first| {
                    let sum = deep(10, &|| yielder.suspend(first));
                    assert!(round % 3 != 0, "a panic with frames to unwind");
                    deep(3, &|| yielder.suspend(sum))
                })
            })
            .collect();
        for co in &mut all {
            assert_eq!(co.resume(round).yielded(), Some(round));
        }
        for co in &mut all {
            let outcome = catch_unwind(AssertUnwindSafe(|| co.resume(1)));
            assert_eq!(outcome.is_err(), round % 3 == 0);
        }
        let mut last = all.pop().unwrap();
        if !last.is_complete() {
            assert_eq!(last.resume(1), CoroutineState::Complete(1 + (1 + 2 + 3)));
            assert!(last.stack().high_water_mark() > 10 * 64 * 8);
        }
        // SAFETY: the frames hold nothing.
        unsafe { all.pop().unwrap().into_stack_unchecked() };
    }
}

fn faulty(pool: &StackPool, body: fn(usize) -> usize) -> usize {
    let mut co: Co<usize, usize, usize> = start(pool, move |yielder, first| {
        let second = yielder.suspend(first);
        deep(3, &|| body(yielder.suspend(second)))
    });
    co.resume(1);
    co.resume(2);
    co.resume(64).complete().expect("the body ends")
}

fn wanted() -> bool {
    env::var_os("CORO_ASM_FAULT").is_some()
}

/// Reads one past an array in a coroutine's frame.
#[test]
fn target_overrun() {
    if wanted() {
        faulty(&pool(), |index| {
            let array = black_box([1_usize; 64]);
            // SAFETY: not safe; that is the fault.
            unsafe {
                black_box(&raw const array)
                    .cast::<usize>()
                    .wrapping_add(index)
                    .read()
            }
        });
    }
}

/// Reads what was in a coroutine's frame after the frame is gone.
#[test]
fn target_use_after_return() {
    #[inline(never)]
    fn local() -> *const usize {
        let array = black_box([7_usize; 64]);
        black_box((&raw const array).cast())
    }
    if wanted() {
        faulty(&pool(), |index| {
            let array = local();
            // SAFETY: not safe; that is the fault.
            unsafe { array.wrapping_add(index - 60).read() }
        });
    }
}

#[test]
#[ignore = "needs a build with AddressSanitizer"]
fn nothing_is_found_where_there_is_no_fault() {
    let (output, report) = run("target_without_fault");
    assert!(output.status.success(), "{report}");
    assert!(
        !report.contains("AddressSanitizer") && !report.contains("WARNING"),
        "{report}"
    );
}

#[test]
#[ignore = "needs a build with AddressSanitizer"]
fn faults_in_a_coroutine_are_found() {
    for (target, fault) in [
        ("target_overrun", "stack-buffer-overflow"),
        ("target_use_after_return", "stack-use-after-return"),
    ] {
        let (output, report) = run(target);
        assert_eq!(output.status.code(), Some(99), "{report}");
        assert!(report.contains(&format!("AddressSanitizer: {fault}")), "{report}");
        assert!(!report.contains("WARNING"), "{report}");
    }
}
