//! The pool of guarded stacks.

mod common;

use common::{Co, pool, start};
use coro_asm::{Coroutine, GuardKind, PooledStack, Stack, StackError, StackPool, StackPoolConfig};

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
fn records_have_a_cache_line_each_and_share_pages() {
    let pool = StackPool::new(StackPoolConfig::new(8192, 1000)).unwrap();
    let stacks: Vec<_> = (0..1000).map(|_| pool.acquire().unwrap()).collect();
    let mut lines: Vec<_> = stacks
        .iter()
        .map(|stack| stack.record().unwrap().addr().get())
        .collect();
    assert!(lines.iter().all(|line| line % 64 == 0));
    lines.sort_unstable();
    lines.dedup();
    assert_eq!(lines.len(), 1000);
    lines.dedup_by_key(|line| *line / 4096);
    // 16 rows of a page each, or of two with a sanitizer, all of which may lie across a boundary.
    assert!(lines.len() <= 64, "on {} pages", lines.len());
}

#[test]
fn trimmed_stacks_are_empty_and_usable() {
    let pool = pool();
    let lowest = |stack: &PooledStack| stack.limit();
    let mut stacks: Vec<_> = (0..10).map(|_| pool.acquire().unwrap()).collect();
    for stack in &stacks {
        // SAFETY: the byte is the stack's, and nothing runs there.
        unsafe { lowest(stack).write(7) };
    }
    let kept = stacks.pop().unwrap();
    drop(stacks);
    pool.trim();
    let stack = pool.acquire().unwrap();
    // SAFETY: as above.
    assert_eq!(unsafe { lowest(&stack).read() }, 0);
    // SAFETY: as above.
    assert_eq!(unsafe { lowest(&kept).read() }, 7);
    drop((stack, kept));
    let mut co: Co<u8, u8, ()> = start(&pool, |yielder, first| {
        yielder.suspend(first);
    });
    assert_eq!(co.resume(3).yielded(), Some(3));
}

#[test]
fn the_high_water_mark_follows_the_deepest_frame() {
    let pool = StackPool::new(StackPoolConfig::new(256 * 1024, 4)).unwrap();
    assert_eq!(pool.acquire().unwrap().high_water_mark(), 0);
    let used = |levels: u64| {
        let mut co: Co<(), (), u64> = start(&pool, move |_, ()| overflow(u64::MAX - levels));
        let _ = co.resume(());
        co.stack().high_water_mark()
    };
    let shallow = used(1);
    let deep = used(200);
    // 32 words a level at least, and little more.
    assert!(
        (200 * 256..200 * 1024).contains(&(deep - shallow)),
        "{shallow} and {deep}"
    );
    assert_eq!(used(1), deep, "the mark of an earlier coroutine stays");
    pool.trim();
    assert_eq!(pool.acquire().unwrap().high_water_mark(), 0);
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

fn overflow(level: u64) -> u64 {
    let room = std::hint::black_box([level; 32]);
    if level == u64::MAX {
        0
    } else {
        overflow(level + 1).wrapping_add(room[3])
    }
}

/// Runs `f` in a process of its own and returns the signal that ended it, if one did.
fn signal_of_child(f: impl FnOnce()) -> Option<i32> {
    // SAFETY: the child calls nothing that another thread's lock could block: it takes a stack, and ends.
    match unsafe { libc::fork() } {
        0 => {
            // SAFETY: it has no requirements. A child that hangs is to fail its test.
            unsafe { libc::alarm(120) };
            f();
            // SAFETY: it ends the child without running what belongs to the parent.
            unsafe { libc::_exit(0) }
        }
        child => {
            assert!(child > 0, "fork failed");
            let mut status = 0;
            // SAFETY: `status` is a place for the answer.
            assert_eq!(unsafe { libc::waitpid(child, &raw mut status, 0) }, child);
            libc::WIFSIGNALED(status).then(|| libc::WTERMSIG(status))
        }
    }
}

#[test]
fn an_overflow_traps() {
    for guard in [None, Some(GuardKind::Mprotect)] {
        let mut config = StackPoolConfig::new(16 * 1024, 64);
        config.guard = guard;
        let pool = StackPool::new(config).unwrap();
        // Neighbours below, whose memory an overflow without a guard would run into.
        let stacks: Vec<_> = (0..64).map(|_| pool.acquire().unwrap()).collect();
        for stack in stacks {
            let signal = signal_of_child(|| {
                let mut co: Coroutine<(), (), u64, _> = Coroutine::with_stack(stack, |_, ()| overflow(0));
                let _ = co.resume(());
            });
            assert_eq!(signal, Some(libc::SIGSEGV), "guard {guard:?}");
        }
    }
}

#[test]
fn what_fits_does_not_trap() {
    let pool = StackPool::new(StackPoolConfig::new(16 * 1024, 64)).unwrap();
    let signal = signal_of_child(|| {
        let mut co: Co<(), (), u64> = start(&pool, |_, ()| overflow(u64::MAX - 10));
        let _ = co.resume(());
    });
    assert_eq!(signal, None);
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
