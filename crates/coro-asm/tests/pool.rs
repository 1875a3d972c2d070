//! The pool of guarded stacks.

mod common;

use std::process::Command;

use common::{Co, pool, start};
use coro_asm::{GuardKind, Stack, StackError, StackPool, StackPoolConfig};

#[test]
fn hands_out_the_stack_that_came_back_last() {
    let pool = pool();
    let a = pool.acquire().unwrap();
    let b = pool.acquire().unwrap();
    let (base_a, base_b) = (a.base(), b.base());
    drop(a);
    drop(b);
    assert_eq!(pool.acquire().unwrap().base(), base_b);
    let _b = pool.acquire().unwrap();
    assert_eq!(pool.acquire().unwrap().base(), base_a);
}

#[test]
fn refuses_more_than_its_limit_and_recovers() {
    let pool = StackPool::new(StackPoolConfig::new(8192, 70)).unwrap();
    let stacks: Vec<_> = (0..70).map(|_| pool.acquire().unwrap()).collect();
    assert_eq!(
        pool.acquire().unwrap_err(),
        StackError::Exhausted { max_stacks: 70 }
    );
    assert_eq!(
        pool.acquire().unwrap_err().to_string(),
        "all stacks of the pool are in use, the limit is 70"
    );
    drop(stacks);
    assert!(pool.acquire().is_ok());
    let stats = pool.stats();
    assert_eq!(
        (stats.opened, stats.in_use, stats.idle, stats.max_stacks),
        (70, 0, 70, 70)
    );
}

#[test]
fn refuses_sizes_that_do_not_exist() {
    for (stack_size, max_stacks) in [
        (0, 1),
        (1, 0),
        (usize::MAX, 1),
        (1 << 40, 1 << 40),
        (4096, usize::MAX),
    ] {
        let error = StackPool::new(StackPoolConfig::new(stack_size, max_stacks)).unwrap_err();
        assert_eq!(
            error,
            StackError::InvalidSize {
                stack_size,
                max_stacks
            }
        );
    }
}

#[test]
fn refuses_more_addresses_than_there_are() {
    let error = StackPool::new(StackPoolConfig::new(1 << 30, 1 << 27)).unwrap_err();
    assert!(matches!(error, StackError::OutOfMemory { .. }), "{error}");
}

#[test]
fn stacks_are_aligned_apart_and_writable_from_end_to_end() {
    for guard in [None, Some(GuardKind::Mprotect)] {
        let mut config = StackPoolConfig::new(4096, 200);
        config.guard = guard;
        let pool = StackPool::new(config).unwrap();
        let stacks: Vec<_> = (0..200).map(|_| pool.acquire().unwrap()).collect();
        let mut ranges: Vec<_> = stacks
            .iter()
            .map(|s| (s.limit().addr().get(), s.base().addr().get()))
            .collect();
        ranges.sort_unstable();
        for stack in &stacks {
            assert_eq!(stack.base().addr().get() % 16, 0);
            let size = stack.base().addr().get() - stack.limit().addr().get();
            assert_eq!(size, pool.stats().usable_size);
            // SAFETY: these bytes belong to the stack, which nothing runs on.
            unsafe { stack.limit().write_bytes(0x5a, size) };
        }
        assert!(
            ranges.is_sorted_by(|a, b| a.1 + 4096 < b.0),
            "no room for a guard"
        );
    }
}

#[test]
fn tops_are_spread_over_cache_lines() {
    let pool = pool();
    let stacks: Vec<_> = (0..16).map(|_| pool.acquire().unwrap()).collect();
    let mut lines: Vec<_> = stacks.iter().map(|s| s.base().addr().get() / 64 % 64).collect();
    lines.sort_unstable();
    lines.dedup();
    assert_eq!(lines.len(), 16);
}

#[test]
fn trimmed_stacks_are_empty_and_usable() {
    let pool = pool();
    let stacks: Vec<_> = (0..10).map(|_| pool.acquire().unwrap()).collect();
    for stack in &stacks {
        // SAFETY: the byte below the base is the stack's, and nothing runs there.
        unsafe { stack.base().sub(1).write(7) };
    }
    let kept = stacks.into_iter().next_back();
    pool.trim();
    let stack = pool.acquire().unwrap();
    // SAFETY: as above.
    assert_eq!(unsafe { stack.base().sub(1).read() }, 0);
    // SAFETY: as above.
    assert_eq!(unsafe { kept.as_ref().unwrap().base().sub(1).read() }, 7);
    drop((stack, kept));
    let mut co: Co<u8, u8, ()> = start(&pool, |yielder, first| {
        yielder.suspend(first);
    });
    assert_eq!(co.resume(3).yielded(), Some(3));
}

#[test]
fn stacks_may_outlive_their_pool() {
    let pool = pool();
    let mut co: Co<(), u8, ()> = start(&pool, |yielder, ()| {
        yielder.suspend(1);
        yielder.suspend(2);
    });
    assert_eq!(co.resume(()).yielded(), Some(1));
    let spare = pool.acquire().unwrap();
    drop(pool);
    assert_eq!(co.resume(()).yielded(), Some(2));
    drop(co);
    drop(spare);
}

#[test]
fn a_forgotten_coroutine_keeps_its_stack() {
    let pool = pool();
    let mut co: Co<(), (), ()> = start(&pool, |yielder, ()| yielder.suspend(()));
    let _ = co.resume(());
    let base = co.stack().base();
    std::mem::forget(co);
    assert!((0..63).all(|_| {
        let stack = pool.acquire().unwrap();
        let other = stack.base() != base;
        std::mem::forget(stack);
        other
    }));
    assert!(pool.acquire().is_err());
}

/// Runs one test of this binary in a process of its own with `CORO_ASM_CHILD` set, and returns how it ended.
fn child(test: &str, value: &str) -> std::process::Output {
    let runner = std::env::var("CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_RUNNER").ok();
    let exe = std::env::current_exe().unwrap();
    let mut command = match runner.filter(|_| cfg!(target_arch = "aarch64")) {
        Some(runner) => {
            let mut words = runner.split_whitespace();
            let mut command = Command::new(words.next().unwrap());
            command.args(words).arg(exe);
            command
        }
        None => Command::new(exe),
    };
    command
        .args([test, "--exact", "--nocapture", "--test-threads=1"])
        .env("CORO_ASM_CHILD", value)
        .output()
        .unwrap()
}

fn overflow(level: u64) -> u64 {
    let room = std::hint::black_box([level; 32]);
    if level == u64::MAX {
        0
    } else {
        overflow(level + 1) + room[3]
    }
}

#[test]
fn an_overflow_traps() {
    if let Ok(guard) = std::env::var("CORO_ASM_CHILD") {
        let mut config = StackPoolConfig::new(16 * 1024, 64);
        config.guard = (guard == "mprotect").then_some(GuardKind::Mprotect);
        let pool = StackPool::new(config).unwrap();
        // One below, whose memory an overflow without a guard would run into.
        let _below = [pool.acquire().unwrap(), pool.acquire().unwrap()];
        let mut co: Co<(), (), u64> = start(&pool, |_, ()| overflow(0));
        println!("started");
        let _ = co.resume(());
        println!("survived");
        return;
    }
    for guard in ["best", "mprotect"] {
        let output = child("an_overflow_traps", guard);
        let text = String::from_utf8_lossy(&output.stdout);
        assert!(text.contains("started"), "{text}");
        assert!(!text.contains("survived"), "{guard}: the guard did not trap");
        assert!(!output.status.success());
        #[cfg(unix)]
        {
            use std::os::unix::process::ExitStatusExt;
            let signal = output.status.signal();
            // SIGSEGV as it is, or SIGABRT from the runtime's own handler of it.
            assert!(
                matches!(signal, Some(6 | 11)),
                "{guard}: ended by {:?}",
                output.status
            );
        }
    }
}

#[cfg(target_arch = "x86_64")]
#[test]
fn guard_markers_are_used_where_the_kernel_has_them() {
    let release = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap();
    let mut parts = release
        .split(['.', '-'])
        .map_while(|part| part.parse::<u32>().ok());
    let version = (parts.next().unwrap(), parts.next().unwrap());
    let expected = if version >= (6, 13) {
        GuardKind::Marker
    } else {
        GuardKind::Mprotect
    };
    assert_eq!(pool().stats().guard, expected, "on {release}");
}
