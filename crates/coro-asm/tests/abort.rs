//! What ends the process by an abort. The children that show it panic, and wait for whoever panicked in the parent when they
//! were forked, so nothing in this file does.

mod common;

use std::panic::{AssertUnwindSafe, catch_unwind};

use common::pool;
use coro_asm::{ScopedCoroutine, scope};

/// Runs `f` in a process of its own, which must end by an abort.
fn aborts(f: impl FnOnce()) {
    // SAFETY: the child allocates, for which the C library prepares it, and panics: the lock of the panic hook is free, for
    // the parent does not panic unless a test fails.
    let child = unsafe { libc::fork() };
    if child == 0 {
        // SAFETY: it has no requirements. A child that hangs is to fail its test.
        unsafe { libc::alarm(120) };
        std::panic::set_hook(Box::new(|_| {}));
        let _ = catch_unwind(AssertUnwindSafe(f));
        // SAFETY: it ends the child without running what belongs to the parent.
        unsafe { libc::_exit(0) }
    }
    let mut status = 0;
    // SAFETY: `status` is a place for the answer.
    assert_eq!(unsafe { libc::waitpid(child, &raw mut status, 0) }, child);
    assert!(
        libc::WIFSIGNALED(status) && libc::WTERMSIG(status) == libc::SIGABRT,
        "ended with {status:#x}"
    );
}

/// Panics when dropped.
struct Panics;

impl Drop for Panics {
    fn drop(&mut self) {
        panic!("the yielded value");
    }
}

#[test]
fn a_body_that_does_not_end() {
    aborts(|| {
        scope(
            pool().acquire().unwrap(),
            |yielder, ()| {
                loop {
                    let _ = catch_unwind(AssertUnwindSafe(|| yielder.suspend(())));
                }
            },
            |mut co: ScopedCoroutine<'_, (), (), (), _>| co.resume(()).yielded(),
        );
    });
}

#[test]
fn a_body_that_does_not_end_and_yields_what_panics() {
    aborts(|| {
        scope(
            pool().acquire().unwrap(),
            |yielder, ()| {
                for count in 0.. {
                    let value = (count == 1).then(|| Panics);
                    let _ = catch_unwind(AssertUnwindSafe(|| yielder.suspend(value)));
                }
            },
            |mut co: ScopedCoroutine<'_, (), Option<Panics>, (), _>| drop(co.resume(())),
        );
    });
}
