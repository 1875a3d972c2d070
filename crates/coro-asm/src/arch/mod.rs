//! The context switch, one file for each architecture.
//!
//! Every file gives the same six things, and `raw` gives them names and contracts:
//!
//! - `resume(link, sp, pc, value, signal) -> (sp, pc, value)`: calls into a coroutine;
//! - `suspend(link, parent, value) -> (link, parent, value, signal)`: returns to the resumer;
//! - `prefetch(address)`: a hint to the cache;
//! - `entry_pc`: the address of the code at which a fresh coroutine starts and a finished one ends;
//! - `shadow_stack_enabled`: whether the processor keeps return addresses that a switch would falsify;
//! - `FpControl`: the floating-point control bits, for those who want them switched, too.
//!
//! # How the two sides are linked
//!
//! A coroutine's stack begins with a link record. Its first word holds the stack pointer of
//! whoever resumed it last, and at that address stands an ordinary frame record: the resumer's frame
//! pointer and the address to return to. So the link record begins as a frame record, too, and the chain of
//! frame pointers runs from the coroutine into its resumer without a single store for that purpose alone. The unwind
//! table of `entry` follows the same word.
//!
//! The resumer's side gives the link's address, although the coroutine has it, too: what the coroutine has lies on its
//! stack, and where that is cold, a store to an address that comes from there keeps the processor from going ahead
//! with the next coroutine meanwhile.
//!
//! # What is saved
//!
//! Registers that the compiler can be told about are declared as clobbered, so it keeps only what is live
//! at that point. Only those which LLVM reserves for itself are saved by hand: a resumer's on its stack, which is warm; a
//! coroutine's in its link, so that a switch to one that has gone cold waits for one cache line of its stack and not two.

cfg_if::cfg_if! {
    if #[cfg(any(miri, coro_asm_threads))] {
        #[cfg(not(feature = "std"))]
        compile_error!("under Miri, coro-asm needs its feature `std`: each coroutine is a thread there");
        #[cfg(feature = "std")]
        mod threads;
        #[cfg(feature = "std")]
        pub(crate) use threads::{FpControl, entry_pc, prefetch, resume, shadow_stack_enabled, suspend};
    } else if #[cfg(all(target_arch = "x86_64", not(windows)))] {
        mod x86_64;
        pub(crate) use x86_64::{FpControl, entry_pc, prefetch, resume, shadow_stack_enabled, suspend};
    } else if #[cfg(all(target_arch = "aarch64", not(windows)))] {
        mod aarch64;
        pub(crate) use aarch64::{FpControl, entry_pc, prefetch, resume, shadow_stack_enabled, suspend};
    } else {
        compile_error!(
            "coro-asm switches stacks on x86_64 (System V ABI) and AArch64 (AAPCS64) only; \
             this target is neither, and there is no portable fallback"
        );
    }
}
