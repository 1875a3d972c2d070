//! x86_64, System V ABI.
//!
//! System V Application Binary Interface, AMD64 Architecture Processor Supplement, section 3.2.1: a call
//! preserves rbx, rbp, r12-r15 and rsp. MXCSR control bits and the x87 control word are callee-saved, too;
//! they are shared between a coroutine and its resumer.
//!
//! # A suspended coroutine
//!
//! ```text
//!   base ->  +------------------------+  16-byte aligned
//!            | address of the link    |  link + 32
//!            | saved rbp              |  link + 24
//!            | saved rbx              |  link + 16
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
//!   link ->  | parent sp -------------+------+        +------------------------+ <- CFA of that frame's
//!            +------------------------+      |        | saved rbx              |    code, as `entry` tells
//!            | payload                |      |        | pc after the call      |    the unwinder
//!            +------------------------+      +----->  | saved rbp              |
//!            | pc inside `entry`      |               +------------------------+
//!            | frames of the body     |
//!   rsp  ->  |                        |
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

use core::arch::{asm, naked_asm};

use crate::raw::{Link, Word};

/// Calls into the coroutine at (`sp`, `pc`); comes back when it suspends or finishes.
///
/// | register | going in           | coming back                |
/// |----------|--------------------|----------------------------|
/// | rdx      | coroutine's sp     | coroutine's new sp         |
/// | rcx      | coroutine's pc     | new pc, 0 when finished    |
/// | rdi      | value              | value                      |
/// | rsi      | signal             | clobbered                  |
/// | r8       | coroutine's link   | clobbered                  |
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
    // SAFETY: `pc` is `entry` or label 2 of `suspend` by the caller's promise. Either pushes rbp, notes rsp in the link, leaves
    // rsp for the coroutine's stack, and comes back by popping that rbp and returning to the call, so
    // the stack pointer is balanced. rbx and rbp are restored from this stack; every other
    // register that the ABI preserves is declared as clobbered.
    unsafe {
        asm!(
            "push rbx",
            "call rcx",
            "pop rbx",
            inlateout("rdx") sp => new_sp,
            inlateout("rcx") pc => new_pc,
            inlateout("rdi") value => out,
            inlateout("rsi") signal => _,
            inlateout("r8") link => _,
            lateout("r12") _, lateout("r13") _, lateout("r14") _, lateout("r15") _,
            clobber_abi("sysv64"),
        );
    }
    (new_sp, new_pc, out)
}

/// Returns to the resumer whose stack pointer is `parent`; comes back when resumed again, with the new parent sp in
/// the link, too.
///
/// | register | leaving            | resumed, at label 2        |
/// |----------|--------------------|----------------------------|
/// | rax      | parent sp          | set to the new parent sp   |
/// | rdx      | set to own sp      | own sp                     |
/// | rcx      | set to label 2     | label 2                    |
/// | rdi      | value              | value                      |
/// | rsi      |                    | signal                     |
/// | r8       | link               | link                       |
///
/// # Safety
/// - `link` is that of the coroutine whose stack this code runs on, and `parent` its parent sp.
#[inline(always)]
pub(crate) unsafe fn suspend(link: usize, parent: usize, value: Word) -> (usize, usize, Word, usize) {
    let (same_link, new_parent, out, signal);
    // SAFETY: at `parent` stand the rbp that this resume pushed and the return address of its call.
    // The stack pointer goes out in rdx and comes back in rdx. Own rbx and rbp are kept in the link, of which every resume
    // gives the address, and where nobody else writes: a coroutine is suspended at one place at a time. Every other register
    // that the ABI preserves is declared as clobbered.
    unsafe {
        asm!(
            "mov [r8 + 16], rbx",
            "mov [r8 + 24], rbp",
            "lea rcx, [rip + 2f]",
            "mov rdx, rsp",
            "mov rsp, rax",
            "pop rbp",
            "ret",
            "2:",
            "push rbp",
            "mov [r8], rsp",
            "mov rax, rsp",
            "mov rsp, rdx",
            "mov rbx, [r8 + 16]",
            "mov rbp, [r8 + 24]",
            inlateout("rax") parent => new_parent,
            inlateout("rdi") value => out,
            lateout("rsi") signal,
            inlateout("r8") link => same_link,
            lateout("r12") _, lateout("r13") _, lateout("r14") _, lateout("r15") _,
            clobber_abi("sysv64"),
        );
    }
    (same_link, new_parent, out, signal)
}

/// Starts to fetch the cache line at `address`, which may be any: a prefetch never faults.
#[inline(always)]
pub(crate) fn prefetch(address: *const u8) {
    // SAFETY: it changes no register and no memory (Intel SDM volume 2, PREFETCHh).
    unsafe { asm!("prefetcht0 [{}]", in(reg) address, options(readonly, nostack, preserves_flags)) };
}

/// The address of [`entry`].
#[inline(always)]
pub(crate) fn entry_pc() -> usize {
    entry as *const () as usize
}

/// Where a fresh coroutine starts: `resume` called this with rdx = sp, r8 = link record, rdi = value, rsi = signal.
///
/// Calls the entry function as `f(value, link, signal, sp)`; one of three parameters leaves the last register alone. It returns here, and not by a switch of its own, so that
/// the processor's return predictor still pairs that call and the resumer's.
///
/// In the unwind table the frame takes in the resumer's pushes: its caller is the code that holds the
/// `call` of `resume`, at the stack pointer before `push rbx`, for that code's own table knows of
/// no push. It is marked as a signal frame because debuggers stop at an ordinary frame
/// whose caller has a lower address, as a caller on another stack may.
#[unsafe(naked)]
unsafe extern "C" fn entry() {
    naked_asm!(
        ".cfi_startproc",
        ".cfi_signal_frame",
        // rsp: return address, rbx.
        ".cfi_def_cfa rsp, 16",
        ".cfi_offset rip, -16",
        ".cfi_offset rbx, -8",
        "push rbp",
        ".cfi_adjust_cfa_offset 8",
        ".cfi_offset rip, -16",
        ".cfi_offset rbp, -24",
        "mov rax, [r8]",
        "mov [r8], rsp",
        "lea rcx, [rip + 2f]",
        "mov [r8 + 8], rcx",
        "mov rbp, r8",
        // CFA = [rbp] + 24:
        // DW_CFA_def_cfa_expression, 5 bytes: DW_OP_breg6 (rbp) 0; DW_OP_deref; DW_OP_plus_uconst 24.
        ".cfi_escape 0x0f, 5, 0x76, 0x00, 0x06, 0x23, 24",
        "mov rsp, rdx",
        "mov rcx, rdx",
        "mov rdx, rsi",
        "mov rsi, rbp",
        "call rax",
        "2:",
        "mov rdi, rax",
        "mov rdx, rbp",
        "xor ecx, ecx",
        "mov rsp, [rbp]",
        ".cfi_def_cfa rsp, 24",
        "pop rbp",
        ".cfi_def_cfa rsp, 16",
        ".cfi_restore rbp",
        "ret",
        ".cfi_endproc",
    )
}

/// Whether a CET shadow stack checks return addresses on this thread.
///
/// Intel SDM volume 2, RDSSPQ: a no-operation that leaves its operand alone where shadow stacks are off.
#[inline]
pub(crate) fn shadow_stack_enabled() -> bool {
    let ssp: u64;
    // SAFETY: rdsspq rax reads a register at most. It is encoded by hand (F3 REX.W 0F 1E /1) because it lies in the
    // space of hinted no-operations, which every x86_64 processor runs.
    unsafe {
        asm!("xor eax, eax", ".byte 0xf3, 0x48, 0x0f, 0x1e, 0xc8", out("rax") ssp, options(nomem, nostack));
    }
    ssp != 0
}

/// The floating-point control bits that a call preserves: MXCSR 6-15 and the x87 control word.
#[derive(Clone, Copy)]
pub(crate) struct FpControl {
    mxcsr: u32,
    x87: u16,
}

/// MXCSR bits 0-5 are sticky exception flags, which belong to whoever looks at them.
const MXCSR_CONTROL: u32 = 0xffc0;

impl FpControl {
    #[inline(always)]
    pub(crate) fn current() -> Self {
        let mut control = Self { mxcsr: 0, x87: 0 };
        // SAFETY: it stores 4 bytes to a place of that size.
        unsafe { asm!("stmxcsr [{}]", in(reg) &raw mut control.mxcsr, options(nostack, preserves_flags)) };
        // SAFETY: it stores 2 bytes to a place of that size.
        unsafe { asm!("fnstcw [{}]", in(reg) &raw mut control.x87, options(nostack, preserves_flags)) };
        control
    }

    /// Loads these control bits where they differ from the present ones, for a load costs tens of nanoseconds when the
    /// sticky flags differ, which most floating-point operations see to.
    #[inline(always)]
    pub(crate) fn restore(self) {
        let now = Self::current();
        if (now.mxcsr ^ self.mxcsr) & MXCSR_CONTROL != 0 {
            let mxcsr = self.mxcsr & MXCSR_CONTROL | now.mxcsr & !MXCSR_CONTROL;
            // SAFETY: these control bits were in force in this context before.
            unsafe { asm!("ldmxcsr [{}]", in(reg) &raw const mxcsr, options(nostack, preserves_flags)) };
        }
        if now.x87 != self.x87 {
            // SAFETY: as above.
            unsafe { asm!("fldcw [{}]", in(reg) &raw const self.x87, options(nostack, preserves_flags)) };
        }
    }
}
