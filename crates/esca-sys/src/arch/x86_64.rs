//! System V AMD64 ABI, appendix A.2.1 "Calling Conventions" of the Linux kernel.
//!
//! | register | in | out |
//! |---|---|---|
//! | rax | number | result |
//! | rdi, rsi, rdx, r10, r8, r9 | arguments 0 to 5 | unchanged |
//! | rcx, r11 | - | destroyed (return address and flags of `syscall`) |

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
    // SAFETY: the kernel preserves every register but rax, rcx and r11 (all named here) and the flags, and touches no
    // user stack below rsp. What the call itself does is the caller's promise; memory it may reach is covered
    // because `nomem` and `readonly` are not given.
    unsafe {
        asm!(
            "syscall",
            inlateout("rax") u64::from(nr) => result,
            in("rdi") args[0],
            in("rsi") args[1],
            in("rdx") args[2],
            in("r10") args[3],
            in("r8") args[4],
            in("r9") args[5],
            lateout("rcx") _,
            lateout("r11") _,
            options(nostack, preserves_flags),
        );
    }
    result
}
