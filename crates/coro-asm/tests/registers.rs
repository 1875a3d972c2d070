//! Every register that a call must preserve holds a canary on both sides of many switches.

mod common;

use core::mem::MaybeUninit;
use core::ptr::NonNull;

use common::pool;
use coro_asm::Stack;
use coro_asm::raw::{self, Context, Link, Word};

#[cfg(target_arch = "x86_64")]
mod canary {
    use core::arch::naked_asm;

    pub(crate) const COUNT: usize = 6;
    pub(crate) const NAMES: [&str; COUNT] = ["rbx", "rbp", "r12", "r13", "r14", "r15"];

    /// Loads the preserved registers from `before`, calls `f(data)` and stores them to `after`.
    #[unsafe(naked)]
    pub(crate) unsafe extern "C" fn around(
        before: *const u64,
        after: *mut u64,
        f: unsafe extern "C" fn(*mut ()),
        data: *mut (),
    ) {
        naked_asm!(
            "push rbx",
            "push rbp",
            "push r12",
            "push r13",
            "push r14",
            "push r15",
            "push rsi",
            "mov rbx, [rdi]",
            "mov rbp, [rdi + 8]",
            "mov r12, [rdi + 16]",
            "mov r13, [rdi + 24]",
            "mov r14, [rdi + 32]",
            "mov r15, [rdi + 40]",
            "mov rdi, rcx",
            "call rdx",
            "pop rsi",
            "mov [rsi], rbx",
            "mov [rsi + 8], rbp",
            "mov [rsi + 16], r12",
            "mov [rsi + 24], r13",
            "mov [rsi + 32], r14",
            "mov [rsi + 40], r15",
            "pop r15",
            "pop r14",
            "pop r13",
            "pop r12",
            "pop rbp",
            "pop rbx",
            "ret",
        )
    }
}

#[cfg(target_arch = "aarch64")]
mod canary {
    use core::arch::naked_asm;

    pub(crate) const COUNT: usize = 19;
    pub(crate) const NAMES: [&str; COUNT] = [
        "x19", "x20", "x21", "x22", "x23", "x24", "x25", "x26", "x27", "x28", "d8", "d9", "d10", "d11",
        "d12", "d13", "d14", "d15", "x29",
    ];

    /// Loads the preserved registers from `before`, calls `f(data)` and stores them to `after`.
    #[unsafe(naked)]
    pub(crate) unsafe extern "C" fn around(
        before: *const u64,
        after: *mut u64,
        f: unsafe extern "C" fn(*mut ()),
        data: *mut (),
    ) {
        naked_asm!(
            "stp x29, x30, [sp, #-176]!",
            "stp x19, x20, [sp, #16]",
            "stp x21, x22, [sp, #32]",
            "stp x23, x24, [sp, #48]",
            "stp x25, x26, [sp, #64]",
            "stp x27, x28, [sp, #80]",
            "stp d8, d9, [sp, #96]",
            "stp d10, d11, [sp, #112]",
            "stp d12, d13, [sp, #128]",
            "stp d14, d15, [sp, #144]",
            "str x1, [sp, #160]",
            "ldp x19, x20, [x0]",
            "ldp x21, x22, [x0, #16]",
            "ldp x23, x24, [x0, #32]",
            "ldp x25, x26, [x0, #48]",
            "ldp x27, x28, [x0, #64]",
            "ldp d8, d9, [x0, #80]",
            "ldp d10, d11, [x0, #96]",
            "ldp d12, d13, [x0, #112]",
            "ldp d14, d15, [x0, #128]",
            "ldr x29, [x0, #144]",
            "mov x0, x3",
            "blr x2",
            "ldr x1, [sp, #160]",
            "stp x19, x20, [x1]",
            "stp x21, x22, [x1, #16]",
            "stp x23, x24, [x1, #32]",
            "stp x25, x26, [x1, #48]",
            "stp x27, x28, [x1, #64]",
            "stp d8, d9, [x1, #80]",
            "stp d10, d11, [x1, #96]",
            "stp d12, d13, [x1, #112]",
            "stp d14, d15, [x1, #128]",
            "str x29, [x1, #144]",
            "ldp x19, x20, [sp, #16]",
            "ldp x21, x22, [sp, #32]",
            "ldp x23, x24, [sp, #48]",
            "ldp x25, x26, [sp, #64]",
            "ldp x27, x28, [sp, #80]",
            "ldp d8, d9, [sp, #96]",
            "ldp d10, d11, [sp, #112]",
            "ldp d12, d13, [sp, #128]",
            "ldp d14, d15, [sp, #144]",
            "ldp x29, x30, [sp], #176",
            "ret",
        )
    }
}

use canary::{COUNT, NAMES, around};

/// Calls `f` with canaries made from `seed` in all preserved registers, and panics with the names of those that it lost.
fn check<F: FnMut()>(side: &str, seed: u64, mut f: F) {
    unsafe extern "C" fn call<F: FnMut()>(data: *mut ()) {
        // SAFETY: `check` passes a pointer to its `f`, which nothing else uses meanwhile.
        unsafe { (*data.cast::<F>())() }
    }
    let before: [u64; COUNT] =
        core::array::from_fn(|i| (seed ^ i as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15) | 0x8000_0001);
    let mut after = [0; COUNT];
    // SAFETY: both arrays have a place for each register, and `call` fits the data.
    unsafe {
        around(
            before.as_ptr(),
            after.as_mut_ptr(),
            call::<F>,
            (&raw mut f).cast(),
        )
    };
    let lost: Vec<_> = (0..COUNT)
        .filter(|&i| before[i] != after[i])
        .map(|i| NAMES[i])
        .collect();
    assert!(
        lost.is_empty(),
        "{side} lost {lost:?} in the switch with seed {seed:#x}"
    );
}

const STOP: usize = 1;

/// Suspends with canaries of its own until it gets the signal to stop.
unsafe extern "C" fn body(_first: Word, link: NonNull<Link>, _signal: usize) -> Word {
    let mut stop = false;
    let mut round = 0;
    while !stop {
        round += 1;
        check("the coroutine", !round, || {
            // SAFETY: this runs on the coroutine's stack, below its entry.
            let (_, signal) = unsafe { raw::suspend(link, Word::uninit()) };
            stop = signal == STOP;
        });
    }
    Word::uninit()
}

/// A round is two switches: a resume, and a suspension or the end.
fn exercise(rounds: u64) {
    let pool = pool();
    let stack = pool.acquire().expect("a stack");
    // SAFETY: the stack is large enough for `body`, and outlives the context.
    let mut context = unsafe { Context::new(stack.base(), body) };
    for round in 0..rounds {
        let signal = if round + 1 == rounds { STOP } else { 0 };
        check("the resumer", round, || {
            // SAFETY: each context is resumed once.
            let (next, _) = unsafe { raw::resume(context, stack.base(), MaybeUninit::uninit(), signal) };
            context = next;
        });
    }
    assert!(context.is_finished());
}

#[test]
fn survive_many_switches() {
    exercise(if cfg!(target_arch = "aarch64") {
        100_000
    } else {
        500_000
    });
}

/// For seconds with `cargo test --config profile.dev.package.coro-asm.opt-level=3 -p coro-asm --features std --test registers
/// -- --ignored`; unoptimised it takes minutes. `CORO_ASM_SWITCHES` in the environment is another number.
#[test]
#[ignore = "minutes long without optimisation"]
fn survive_a_hundred_million_switches() {
    let switches = std::env::var("CORO_ASM_SWITCHES").ok();
    exercise(
        switches.map_or(100_000_000, |number| {
            number.parse::<u64>().expect("a number of switches")
        }) / 2,
    );
}

#[test]
fn survive_the_first_switch_and_the_last() {
    exercise(1 + 1);
}

/// Stores the stack pointer as it is where a call lands.
#[test]
fn the_stack_is_aligned_at_entry() {
    unsafe extern "C" fn entry(_: Word, _: NonNull<Link>, _: usize) -> Word {
        // A 16-byte aligned spill faults or is misplaced if the entry is misaligned; the address shows it.
        #[repr(align(16))]
        struct Aligned(#[expect(dead_code, reason = "only its address matters")] u8);
        let local = core::hint::black_box(Aligned(1));
        let address = core::hint::black_box(&raw const local).addr();
        Word::new(core::ptr::without_provenance_mut(address % 16))
    }
    #[unsafe(naked)]
    unsafe extern "C" fn report(_: Word, _: NonNull<Link>, _: usize) -> Word {
        #[cfg(target_arch = "x86_64")]
        core::arch::naked_asm!("lea rax, [rsp + 8]", "ret");
        #[cfg(target_arch = "aarch64")]
        core::arch::naked_asm!("mov x0, sp", "ret");
    }
    let pool = pool();
    for entry in [entry as raw::Entry, report] {
        for _ in 0..32 {
            let stack = pool.acquire().unwrap();
            // SAFETY: the stack is large enough and outlives the context.
            let context = unsafe { Context::new(stack.base(), entry) };
            // SAFETY: the first resume.
            let (context, word) = unsafe { raw::resume(context, stack.base(), Word::uninit(), 0) };
            assert!(context.is_finished());
            // SAFETY: both entries return a number.
            assert_eq!(unsafe { word.assume_init() }.addr() % 16, 0);
            std::mem::forget(stack);
        }
    }
}
