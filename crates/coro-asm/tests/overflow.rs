//! The message of an overflow, and what comes after it.

mod common;

use std::io::Read;
use std::os::fd::FromRawFd;

use common::{Co, pool, start};
use coro_asm::{GuardKind, StackError, StackPool, StackPoolConfig};

fn overflow(level: u64) -> u64 {
    let room = std::hint::black_box([level; 32]);
    if level == u64::MAX {
        0
    } else {
        overflow(level + 1).wrapping_add(room[3])
    }
}

/// Runs `f` in a process of its own; returns what it wrote to standard error, and its wait status.
fn child(f: impl FnOnce()) -> (String, i32) {
    let mut pipe = [0; 2];
    // SAFETY: there is room for two descriptors.
    assert_eq!(unsafe { libc::pipe(pipe.as_mut_ptr()) }, 0);
    // SAFETY: the child calls nothing that another thread's lock could block: it takes a stack, and ends.
    let child = unsafe { libc::fork() };
    if child == 0 {
        // SAFETY: it has no requirements. A child that hangs is to fail its test.
        unsafe { libc::alarm(120) };
        // SAFETY: both are descriptors.
        unsafe { libc::dup2(pipe[1], libc::STDERR_FILENO) };
        f();
        // SAFETY: it ends the child without running what belongs to the parent.
        unsafe { libc::_exit(0) }
    }
    // SAFETY: the descriptor is the parent's own copy, and not used again.
    unsafe { libc::close(pipe[1]) };
    // SAFETY: no one else owns it.
    let mut reader = unsafe { std::fs::File::from_raw_fd(pipe[0]) };
    let mut text = String::new();
    reader.read_to_string(&mut text).expect("the child's messages");
    let mut status = 0;
    // SAFETY: `status` is a place for the answer.
    assert_eq!(unsafe { libc::waitpid(child, &raw mut status, 0) }, child);
    (text, status)
}

fn run_over(guard: Option<GuardKind>) {
    let mut config = StackPoolConfig::new(16 * 1024, 64);
    config.guard = guard;
    let Ok(pool) = StackPool::new(config) else { return };
    let _ = pool.report_overflow();
    let stacks: Vec<_> = (0..5).map_while(|_| pool.acquire().ok()).collect();
    let mut co: Co<(), (), u64> = start(&pool, |_, ()| overflow(0));
    let _ = co.resume(());
    drop(stacks);
}

#[test]
fn is_reported_and_still_ends_the_process() {
    for guard in [None, Some(GuardKind::Mprotect)] {
        let (text, status) = child(|| run_over(guard));
        assert!(
            text.contains("coroutine on stack 5 of its pool has overflowed its stack of 16384 bytes"),
            "{text}"
        );
        assert!(
            libc::WIFSIGNALED(status) && libc::WTERMSIG(status) == libc::SIGSEGV,
            "ended with {status:#x}"
        );
    }
}

#[test]
fn goes_on_to_the_handler_before() {
    extern "C" fn plain(_: libc::c_int) {
        // SAFETY: it ends the process.
        unsafe { libc::_exit(42) }
    }
    extern "C" fn with_info(_: libc::c_int, info: *mut libc::siginfo_t, _: *mut libc::c_void) {
        // SAFETY: the handler in between passes what the kernel gave it.
        let code = unsafe { (*info).si_signo };
        // SAFETY: it ends the process.
        unsafe { libc::_exit(40 + code) }
    }
    for (handler, flags, expected) in [
        (plain as *const () as usize, 0, 42),
        (
            with_info as *const () as usize,
            libc::SA_SIGINFO,
            40 + libc::SIGSEGV,
        ),
    ] {
        let (text, status) = child(|| {
            // SAFETY: a zeroed sigaction is a valid one.
            let mut action: libc::sigaction = unsafe { std::mem::zeroed() };
            action.sa_sigaction = handler;
            action.sa_flags = flags | libc::SA_ONSTACK;
            // SAFETY: the handlers do what handlers may.
            unsafe { libc::sigaction(libc::SIGSEGV, &raw const action, std::ptr::null_mut()) };
            run_over(None);
        });
        assert!(text.contains("has overflowed"), "{text}");
        assert!(
            libc::WIFEXITED(status) && libc::WEXITSTATUS(status) == expected,
            "ended with {status:#x}"
        );
    }
}

#[test]
fn is_not_claimed_for_other_faults() {
    let (text, status) = child(|| {
        let pool = pool();
        let _ = pool.report_overflow();
        // SAFETY: not at all: it faults, which is what is tested.
        unsafe { std::ptr::without_provenance_mut::<u8>(8).write_volatile(1) };
    });
    assert!(!text.contains("overflowed"), "{text}");
    assert!(
        libc::WIFSIGNALED(status) && libc::WTERMSIG(status) == libc::SIGSEGV,
        "ended with {status:#x}"
    );
}

#[test]
fn a_signal_that_was_sent_does_what_it_did_before() {
    for (action, ends) in [(libc::SIG_DFL, true), (libc::SIG_IGN, false)] {
        let (text, status) = child(|| {
            // SAFETY: neither action runs any code.
            unsafe { libc::signal(libc::SIGSEGV, action) };
            let pool = pool();
            let _ = pool.report_overflow();
            // SAFETY: it has no requirements.
            unsafe { libc::raise(libc::SIGSEGV) };
        });
        assert!(!text.contains("overflowed"), "{text}");
        let signal = libc::WIFSIGNALED(status).then(|| libc::WTERMSIG(status));
        assert_eq!(signal, ends.then_some(libc::SIGSEGV), "ended with {status:#x}");
    }
}

#[test]
fn leaves_errno_to_the_handler_before() {
    extern "C" fn check(_: libc::c_int) {
        // SAFETY: it has no requirements.
        let errno = unsafe { libc::__errno_location() };
        // SAFETY: it is this thread's.
        let errno = unsafe { errno.read() };
        // SAFETY: it ends the process.
        unsafe { libc::_exit(errno) }
    }
    let (_, status) = child(|| {
        // SAFETY: the handler does what handlers may.
        unsafe { libc::signal(libc::SIGSEGV, check as *const () as usize) };
        let pool = pool();
        let _ = pool.report_overflow();
        // So that the message cannot be written.
        // SAFETY: no one uses it any more.
        unsafe { libc::close(libc::STDERR_FILENO) };
        let mut co: Co<(), (), u64> = start(&pool, |_, ()| {
            // SAFETY: it has no requirements.
            let errno = unsafe { libc::__errno_location() };
            // SAFETY: it is this thread's.
            unsafe { errno.write(77) };
            overflow(0)
        });
        let _ = co.resume(());
    });
    assert!(
        libc::WIFEXITED(status) && libc::WEXITSTATUS(status) == 77,
        "ended with {status:#x}"
    );
}

#[test]
fn is_reported_for_a_limited_number_of_pools() {
    let (_, status) = child(|| {
        let pools: Vec<_> = (0..65)
            .map_while(|_| StackPool::new(StackPoolConfig::new(4096, 1)).ok())
            .collect();
        let taken = pools
            .iter()
            .take_while(|pool| pool.report_overflow().is_ok())
            .count();
        let again = pools[0].report_overflow();
        let full = pools[64].report_overflow();
        drop(pools);
        let freed = pool().report_overflow();
        let right = (taken, again, full, freed)
            == (64, Ok(()), Err(StackError::TooManyReports { limit: 64 }), Ok(()));
        // SAFETY: it ends the child.
        unsafe { libc::_exit(i32::from(!right)) }
    });
    assert_eq!(status, 0);
}
