//! AArch64, AAPCS64.
//!
//! Procedure Call Standard for the Arm 64-bit Architecture, sections 6.1.1 and 6.1.2: a call preserves
//! x19-x28, x29, sp and the low halves of v8-v15, which are d8-d15. FPCR is callee-saved, too; it is shared
//! between a coroutine and its resumer. x18 belongs to the platform or is a temporary and is never touched here.
//!
//! The layout is that of x86_64; only the saved registers differ.
//!
//! # A suspended coroutine
//!
//! ```text
//!   base ->  +------------------------+  16-byte aligned
//!            | address of the link    |  link + 32
//!            | saved x19              |  link + 24
//!            | saved x29              |  link + 16
//!            | pc inside `entry`      |  link + 8
//!   link ->  | sp of the last resumer |  stale while suspended
//!            +------------------------+
//!            | payload (body, result) |  may be absent
//!            +------------------------+
//!            | frames of the body     |
//!   sp   ->  +------------------------+  pc = label 2 in `suspend`
//! ```
//!
//! # A running coroutine, and its resumer
//!
//! ```text
//!            coroutine's stack                        resumer's stack
//!   base ->  +------------------------+               +------------------------+
//!            | address of the link    |               |                        |
//!            | unset                  |               |                        |
//!            | unset                  |               |                        |
//!            | pc inside `entry`      |               | frame that resumed     |
//!   link ->  | parent sp -------------+------+        +------------------------+ <- CFA, as `entry` tells
//!            +------------------------+      |        | (padding)              |    the unwinder
//!            | payload                |      |        | saved x19              |
//!            +------------------------+      |        +------------------------+
//!            | frames of the body     |      |        | saved x30              |  frame record
//!   sp   ->  |                        |      +----->  | saved x29              |
//!                                                     +------------------------+
//! ```
//!
//! # A fresh coroutine
//!
//! ```text
//!   base ->  +------------------------+
//!            | address of the link    |  link + 32
//!            | unset                  |
//!            | unset                  |
//!            | unset                  |
//!   link ->  | entry function         |  this word becomes the parent sp
//!            +------------------------+
//!            | payload (body)         |
//!   sp   ->  +------------------------+  pc = `entry`
//! ```
//!
//! # Branch target identification
//!
//! `blr` may land only on a `bti c` where the page is guarded, so both of its targets, `entry` and label 2 of
//! `suspend`, begin with one. It is written as `hint #34`, a no-operation on older processors. `ret` is not checked.

use core::arch::{asm, naked_asm};

use crate::raw::{Link, Word};

/// Calls into the coroutine at (`sp`, `pc`); comes back when it suspends or finishes.
///
/// | register | going in           | coming back                |
/// |----------|--------------------|----------------------------|
/// | x0       | value              | value                      |
/// | x1       | signal             | clobbered                  |
/// | x2       | coroutine's sp     | coroutine's new sp         |
/// | x3       | coroutine's pc     | new pc, 0 when finished    |
/// | x5       | coroutine's link   | clobbered                  |
///
/// # Safety
/// - `link` is that of the coroutine.
/// - `sp` and `pc` are what `raw::Context::new`, or the last resume of this coroutine, gave, not resumed since.
#[inline(always)]
pub(crate) unsafe fn resume(
    link: *mut Link,
    sp: *mut u8,
    pc: usize,
    value: Word,
    signal: usize,
) -> (*mut u8, usize, Word) {
    let (new_sp, new_pc, out);
    // SAFETY: `pc` is `entry` or label 2 of `suspend` by the caller's promise. Either pushes the frame record
    // x29, x30, notes sp in the link, leaves sp for the coroutine's stack, and comes back by popping that record and
    // returning to the call, so the stack pointer is balanced. x29 and x19 are restored from this
    // stack; every other register that the ABI preserves is declared as clobbered, and
    // `clobber_abi` counts v8-v15 among them.
    unsafe {
        asm!(
            "str x19, [sp, #-16]!",
            "blr x3",
            "ldr x19, [sp], #16",
            inlateout("x0") value => out,
            inlateout("x1") signal => _,
            inlateout("x2") sp => new_sp,
            inlateout("x3") pc => new_pc,
            inlateout("x5") link => _,
            lateout("x20") _, lateout("x21") _, lateout("x22") _, lateout("x23") _, lateout("x24") _,
            lateout("x25") _, lateout("x26") _, lateout("x27") _, lateout("x28") _,
            clobber_abi("C"),
        );
    }
    (new_sp, new_pc, out)
}

/// Returns to the resumer whose stack pointer is `parent`; comes back when resumed again, with the new parent sp in
/// the link, too.
///
/// | register | leaving            | resumed, at label 2        |
/// |----------|--------------------|----------------------------|
/// | x0       | value              | value                      |
/// | x1       |                    | signal                     |
/// | x2       | set to own sp      | own sp                     |
/// | x3       | set to label 2     | label 2                    |
/// | x4       | parent sp          | set to the new parent sp   |
/// | x5       | link               | link                       |
///
/// # Safety
/// - `link` is that of the coroutine whose stack this code runs on, and `parent` its parent sp.
#[inline(always)]
pub(crate) unsafe fn suspend(link: usize, parent: usize, value: Word) -> (usize, usize, Word, usize) {
    let (same_link, new_parent, out, signal);
    // SAFETY: at `parent` stands the frame record that this resume pushed, with the return address of its
    // call. The stack pointer goes out in x2 and comes back in x2. Own x29 and x19 are kept in the link, of which every
    // resume gives the address, and where nobody else writes: a coroutine is suspended at one place at a time. Every other
    // register that the ABI preserves is declared as clobbered.
    unsafe {
        asm!(
            "stp x29, x19, [x5, #16]",
            "adr x3, 2f",
            "mov x2, sp",
            "mov sp, x4",
            "ldp x29, x30, [sp], #16",
            "ret",
            "2:",
            "hint #34",
            "stp x29, x30, [sp, #-16]!",
            "mov x4, sp",
            "str x4, [x5]",
            "mov sp, x2",
            "ldp x29, x19, [x5, #16]",
            inlateout("x0") value => out,
            lateout("x1") signal,
            inlateout("x4") parent => new_parent,
            inlateout("x5") link => same_link,
            lateout("x20") _, lateout("x21") _, lateout("x22") _, lateout("x23") _, lateout("x24") _,
            lateout("x25") _, lateout("x26") _, lateout("x27") _, lateout("x28") _,
            clobber_abi("C"),
        );
    }
    (same_link, new_parent, out, signal)
}

/// Starts to fetch the cache line at `address`, which may be any: a prefetch never faults.
#[inline(always)]
pub(crate) fn prefetch(address: *const u8) {
    // SAFETY: it changes no register and no memory (Arm Architecture Reference Manual, PRFM).
    unsafe { asm!("prfm pldl1keep, [{}]", in(reg) address, options(readonly, nostack, preserves_flags)) };
}

/// The address of [`entry`].
#[inline(always)]
pub(crate) fn entry_pc() -> usize {
    entry as *const () as usize
}

/// Where a fresh coroutine starts: `resume` called this with x2 = sp, x5 = link record, x0 = value, x1 = signal.
///
/// Calls the entry function as `f(value, link, signal, sp)`; one of three parameters leaves the last register alone. It returns here, and not by a switch of its own, so that
/// the processor's return predictor still pairs that call and the resumer's.
///
/// In the unwind table the frame takes in the resumer's pushes: its caller is the code that holds the
/// `blr` of `resume`, at the stack pointer before x19 was stored, for that code's own table knows
/// of no push. It is marked as a signal frame because debuggers stop at an ordinary frame
/// whose caller has a lower address, as a caller on another stack may.
#[unsafe(naked)]
unsafe extern "C" fn entry() {
    naked_asm!(
        ".cfi_startproc",
        ".cfi_signal_frame",
        // sp: x19, padding.
        ".cfi_def_cfa sp, 16",
        ".cfi_offset x19, -16",
        "hint #34",
        "stp x29, x30, [sp, #-16]!",
        ".cfi_def_cfa sp, 32",
        ".cfi_offset x29, -32",
        ".cfi_offset x30, -24",
        "ldr x9, [x5]",
        "mov x10, sp",
        "adr x11, 2f",
        "stp x10, x11, [x5]",
        "mov x29, x5",
        // CFA = [x29] + 32:
        // DW_CFA_def_cfa_expression, 5 bytes: DW_OP_breg29 0; DW_OP_deref; DW_OP_plus_uconst 32.
        ".cfi_escape 0x0f, 5, 0x8d, 0x00, 0x06, 0x23, 32",
        "mov sp, x2",
        "mov x3, x2",
        "mov x2, x1",
        "mov x1, x29",
        "blr x9",
        "2:",
        "mov x2, x29",
        "mov x3, xzr",
        "ldr x10, [x29]",
        "mov sp, x10",
        ".cfi_def_cfa sp, 32",
        "ldp x29, x30, [sp], #16",
        ".cfi_def_cfa sp, 16",
        ".cfi_restore x29",
        ".cfi_restore x30",
        "ret",
        ".cfi_endproc",
    )
}

/// Whether a guarded control stack checks return addresses on this thread.
///
/// Arm Architecture Reference Manual, CHKFEAT: clears bit 0 of x16 where GCS is enabled; a no-operation on older processors.
#[inline]
pub(crate) fn shadow_stack_enabled() -> bool {
    let features: u64;
    // SAFETY: `hint #40` is CHKFEAT X16, which changes x16 alone.
    unsafe { asm!("mov x16, #1", "hint #40", out("x16") features, options(nomem, nostack)) };
    features == 0
}

/// The floating-point control bits that a call preserves: FPCR. The sticky exception flags are in FPSR.
#[derive(Clone, Copy)]
pub(crate) struct FpControl {
    fpcr: u64,
}

impl FpControl {
    #[inline(always)]
    pub(crate) fn current() -> Self {
        let fpcr;
        // SAFETY: it reads a register.
        unsafe { asm!("mrs {}, fpcr", out(reg) fpcr, options(nomem, nostack, preserves_flags)) };
        Self { fpcr }
    }

    /// Writes the register only where it differs, for a write synchronises.
    #[inline(always)]
    pub(crate) fn restore(self) {
        if Self::current().fpcr != self.fpcr {
            // SAFETY: this value was in force in this context before.
            unsafe { asm!("msr fpcr, {}", in(reg) self.fpcr, options(nostack, preserves_flags)) };
        }
    }
}
