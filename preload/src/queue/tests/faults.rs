//! A kernel that takes less than it could, or than it said.

use core::sync::atomic::{AtomicU8, AtomicU32, Ordering};
use std::cell::RefCell;
use std::sync::{Mutex, PoisonError};

use batch_table::{Errno, Table};
use esca_sys::{AnyExecutor, Executor, Uring};
use libc::c_long;

/// How the kernel is while a test runs.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[repr(u8)]
pub(crate) enum Kernel {
    Real,
    /// It says that every send buffer has room, so promises come back short as they do when memory runs out.
    Lying,
    /// The same, and batches go through a ring, however small they are.
    LyingRing,
    /// The same, and sends are refused, cut and interrupted at random.
    Scripted,
}

static KERNEL: AtomicU8 = AtomicU8::new(Kernel::Real as u8);
static RANDOM: AtomicU32 = AtomicU32::new(1);

fn is(kernel: Kernel) -> bool {
    KERNEL.load(Ordering::SeqCst) == kernel as u8
}

/// Runs `body` with this kernel; one after the other, for there is one shim in a process.
pub(crate) fn with<R>(kernel: Kernel, body: impl FnOnce() -> R) -> R {
    static ONE: Mutex<()> = Mutex::new(());
    let one = ONE.lock().unwrap_or_else(PoisonError::into_inner);
    KERNEL.store(kernel as u8, Ordering::SeqCst);
    let result = body();
    KERNEL.store(Kernel::Real as u8, Ordering::SeqCst);
    drop(one);
    result
}

/// Whether a send buffer is to be taken for endless.
pub(crate) fn lies() -> bool {
    !is(Kernel::Real)
}

/// Changes a call that the shim is about to make, or says that it fails.
pub(crate) fn intercept(nr: c_long, args: &mut [u64; 6]) -> Option<Errno> {
    if nr != libc::SYS_sendto || !is(Kernel::Scripted) {
        return None;
    }
    let random = RANDOM.load(Ordering::Relaxed);
    RANDOM.store(
        random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223),
        Ordering::Relaxed,
    );
    match random >> 28 {
        0 | 1 => Some(Errno::EAGAIN),
        2 => Some(Errno::EINTR),
        3 => Some(Errno::ENOBUFS),
        4 => Some(Errno::ENOMEM),
        5..9 => {
            args[2] = 1 + u64::from(random >> 8) % args[2].max(1);
            None
        }
        _ => None,
    }
}

/// Runs entries as the executor does that the test asks for: how many ran.
///
/// # Safety
///
/// - As for [`Executor::run`].
pub(crate) unsafe fn run(executor: &mut AnyExecutor, table: &Table<'_>, first: u32, count: u32) -> u32 {
    thread_local! {
        static RING: RefCell<Option<Uring>> = const { RefCell::new(None) };
    }
    if is(Kernel::Scripted) {
        // One by one, through `intercept`.
        return 0;
    }
    if !is(Kernel::LyingRing) {
        // SAFETY: the caller promises what `Executor::run` asks for.
        return unsafe { executor.run(table, first, count) }.unwrap_or(0);
    }
    RING.with_borrow_mut(|ring| {
        let ring = ring.get_or_insert_with(|| {
            let mut ring = Uring::new().expect("a test that asks for a ring has looked for one");
            ring.set_break_even(1);
            ring
        });
        // SAFETY: as above; the entries are the same, whoever runs them.
        unsafe { ring.run(table, first, count) }.unwrap_or(0)
    })
}
