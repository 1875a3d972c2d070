//! Linux on AArch64: `arch/arm64/kernel/entry.S` and `syscall(2)`.
//!
//! | register | in | out |
//! |---|---|---|
//! | x8 | number | unchanged |
//! | x0 to x5 | arguments 0 to 5 | x0: result, the others unchanged |

use core::arch::asm;

/// Makes one system call and returns what the kernel returned.
///
/// # Safety
///
/// - The call with these arguments must be sound to make: what it reads and writes through pointers must be valid for
///   that, and what it does to the process must not break what other code relies on.
#[inline]
pub(crate) unsafe fn syscall6(nr: u32, args: &[u64; 6]) -> i64 {
    let result: i64;
    // SAFETY: the kernel preserves every register but x0 and touches no user stack. What the call itself does is the
    // caller's promise; memory it may reach is covered because `nomem` and `readonly` are not given.
    unsafe {
        asm!(
            "svc #0",
            in("x8") u64::from(nr),
            inlateout("x0") args[0] => result,
            in("x1") args[1],
            in("x2") args[2],
            in("x3") args[3],
            in("x4") args[4],
            in("x5") args[5],
            options(nostack, preserves_flags),
        );
    }
    result
}
