//! Functions that need something done before them, and nothing else: they are jumped to with every argument in its place, so
//! variadic ones work, and `vfork`, whose child returns into the caller's frame.

use core::ffi::c_void;

use libc::c_int;

use super::Real;
use crate::life;
use crate::queue::{known, offer, thread};

/// What has to be done before a call.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Before {
    /// It may wait, or tell somebody something: what this thread has queued is run.
    Flush,
    /// The same, and this thread may not come back.
    Last,
    /// The process is about to become another one or two: what any thread has queued is run.
    FlushAll,
    /// A child is about to share the descriptors.
    Fork,
    /// The program ends.
    End,
    /// It makes a descriptor.
    Number,
    /// Its first argument is a descriptor that it uses in ways that the shim does not see.
    Descriptor,
}

/// A function, and what has to be done before it.
#[derive(Debug)]
pub(crate) struct Target {
    real: Real,
    before: Before,
}

impl Target {
    pub(crate) const fn new(name: &'static str, before: Before) -> Self {
        Self {
            real: Real::new(name),
            before,
        }
    }
}

/// Does what has to be done, and returns where to go on.
pub(crate) extern "C" fn prepare(target: &'static Target, first: c_int) -> *mut c_void {
    thread::forget_drained();
    match target.before {
        Before::Flush => offer::unknown(),
        Before::Last => offer::last_words(),
        Before::FlushAll => offer::everything(),
        Before::Fork => life::before_fork(),
        Before::End => life::end(),
        Before::Number => offer::numbers(),
        Before::Descriptor => known::shared(first),
    }
    target.real.get()
}

/// Defines functions of libc that do something before they are jumped to.
macro_rules! trampolines {
    ($($before:ident: $($name:ident)*;)*) => {
        $($(
            trampolines!(@one $before $name);
        )*)*
    };
    (@one $before:ident $name:ident) => {
        #[unsafe(no_mangle)]
        #[unsafe(naked)]
        unsafe extern "C" fn $name() {
            static TARGET: $crate::shim::trampoline::Target = $crate::shim::trampoline::Target::new(
                concat!(stringify!($name), "\0"),
                $crate::shim::trampoline::Before::$before,
            );
            // System V AMD64 ABI, section 3.2.3: integer arguments are in rdi, rsi, rdx, rcx, r8 and r9, al says how many vector
            // registers a variadic call uses. All are kept over the call of `prepare`; none of these functions takes floating
            // point numbers. At entry rsp is 8 off a multiple of 16, so rbp and eight words align it.
            #[cfg(target_arch = "x86_64")]
            core::arch::naked_asm!(
                "push rbp",
                "mov rbp, rsp",
                "sub rsp, 64",
                "mov [rsp], rdi",
                "mov [rsp + 8], rsi",
                "mov [rsp + 16], rdx",
                "mov [rsp + 24], rcx",
                "mov [rsp + 32], r8",
                "mov [rsp + 40], r9",
                "mov [rsp + 48], rax",
                "mov rsi, rdi",
                "lea rdi, [rip + {target}]",
                "call {prepare}",
                "mov r11, rax",
                "mov rdi, [rsp]",
                "mov rsi, [rsp + 8]",
                "mov rdx, [rsp + 16]",
                "mov rcx, [rsp + 24]",
                "mov r8, [rsp + 32]",
                "mov r9, [rsp + 40]",
                "mov rax, [rsp + 48]",
                "leave",
                "jmp r11",
                target = sym TARGET,
                prepare = sym $crate::shim::trampoline::prepare,
            );
            // AAPCS64, section 6.8.2: integer arguments are in x0 to x7, x8 is the address of a large result.
            #[cfg(target_arch = "aarch64")]
            core::arch::naked_asm!(
                "hint #34",
                "stp x29, x30, [sp, #-96]!",
                "mov x29, sp",
                "stp x0, x1, [sp, #16]",
                "stp x2, x3, [sp, #32]",
                "stp x4, x5, [sp, #48]",
                "stp x6, x7, [sp, #64]",
                "str x8, [sp, #80]",
                "mov x1, x0",
                "adrp x0, {target}",
                "add x0, x0, :lo12:{target}",
                "bl {prepare}",
                "mov x16, x0",
                "ldp x0, x1, [sp, #16]",
                "ldp x2, x3, [sp, #32]",
                "ldp x4, x5, [sp, #48]",
                "ldp x6, x7, [sp, #64]",
                "ldr x8, [sp, #80]",
                "ldp x29, x30, [sp], #96",
                "br x16",
                target = sym TARGET,
                prepare = sym $crate::shim::trampoline::prepare,
            );
        }
    };
}
pub(crate) use trampolines;
