//! Tells Valgrind which memory is a stack, so that it takes a switch for one.
//!
//! Client requests are instructions that change nothing on a processor and that Valgrind recognises; see `valgrind.h`.

use core::arch::asm;
use core::ptr::NonNull;

const STACK_REGISTER: usize = 0x1501;
const STACK_DEREGISTER: usize = 0x1502;

/// A stack that Valgrind knows, until it is dropped.
#[derive(Debug)]
pub(crate) struct Registered(usize);

impl Registered {
    /// `limit` and `base` are the ends of the stack.
    pub(crate) fn new(limit: NonNull<u8>, base: NonNull<u8>) -> Self {
        Self(request([
            STACK_REGISTER,
            limit.addr().get(),
            base.addr().get() - 1,
            0,
            0,
            0,
        ]))
    }
}

impl Drop for Registered {
    fn drop(&mut self) {
        request([STACK_DEREGISTER, self.0, 0, 0, 0, 0]);
    }
}

/// Returns Valgrind's answer, and 0 without it.
fn request(arguments: [usize; 6]) -> usize {
    let mut result = 0_usize;
    // SAFETY: the rotations add up to a whole turn, and the exchange is with itself; Valgrind reads the arguments.
    #[cfg(target_arch = "x86_64")]
    unsafe {
        asm!(
            "rol rdi, 3",
            "rol rdi, 13",
            "rol rdi, 61",
            "rol rdi, 51",
            "xchg rbx, rbx",
            in("rax") arguments.as_ptr(),
            inlateout("rdx") result,
            options(nostack),
        );
    }
    // SAFETY: as above.
    #[cfg(target_arch = "aarch64")]
    unsafe {
        asm!(
            "ror x12, x12, #3",
            "ror x12, x12, #13",
            "ror x12, x12, #51",
            "ror x12, x12, #61",
            "orr x10, x10, x10",
            inlateout("x3") result,
            in("x4") arguments.as_ptr(),
            options(nostack),
        );
    }
    result
}
