//! A thread's own words, at a fixed distance from its thread pointer.
//!
//! `thread_local!` in a shared library asks the dynamic linker for the place at every access, for such a library may come at any
//! time. This one is there from the start, so the distance is known when the program begins, and is read from the global
//! offset table: the initial exec model (U. Drepper, ELF Handling For Thread-Local Storage, section 4.3). Where it is opened
//! later all the same, it takes these few words from those that the C library keeps for the purpose.

use core::arch::{asm, global_asm};
use core::cell::Cell;

use crate::queue::company::Company;
use crate::queue::segment::Segment;

/// State of a thread, zeros at first. Without a destructor, so that a signal handler may look at any time.
#[derive(Debug)]
pub(super) struct Me {
    pub(super) segment: Cell<*const Segment>,
    /// The last wait for events returned some.
    pub(super) open: Cell<bool>,
    /// This thread is putting a record together; a handler that interrupts it must not.
    pub(super) recording: Cell<bool>,
    /// There is no segment for this thread.
    pub(super) refused: Cell<bool>,
    pub(super) company: Company,
    /// The epoll instance with the last events and 1, or 0.
    pub(super) source: Cell<i32>,
    /// The descriptor of the last read and 1, where that got all there was; 0 when anything else was done since.
    pub(super) drained: Cell<i32>,
}

global_asm!(
    ".pushsection .tbss.esca_preload,\"awT\",@nobits",
    ".p2align 4",
    ".globl esca_preload_thread",
    ".hidden esca_preload_thread",
    ".type esca_preload_thread, @object",
    ".size esca_preload_thread, {size}",
    "esca_preload_thread:",
    ".zero {size}",
    ".popsection",
    size = const size_of::<Me>(),
);

const _: () = assert!(align_of::<Me>() <= 16, "the words are aligned to 16 bytes");

/// Calls `body` with the words of this thread, all zeros at first.
#[inline(always)]
#[expect(clippy::inline_always, reason = "two instructions")]
pub(super) fn with<R>(body: impl FnOnce(&Me) -> R) -> R {
    let place: *const Me;
    #[cfg(target_arch = "x86_64")]
    // SAFETY: the word at fs:0 is the thread pointer (ELF Handling For TLS, section 3.4.6), and the linker has put the words'
    // distance from it into the global offset table. Both are read only, and stay what they are while the thread lives.
    unsafe {
        asm!(
            "mov {place}, qword ptr fs:[0]",
            "add {place}, qword ptr [rip + esca_preload_thread@GOTTPOFF]",
            place = out(reg) place,
            options(pure, readonly, nostack),
        );
    }
    #[cfg(target_arch = "aarch64")]
    // SAFETY: as above; the thread pointer is tpidr_el0 (ELF for the Arm 64-bit Architecture, section 4.8.2).
    unsafe {
        asm!(
            "mrs {thread}, tpidr_el0",
            "adrp {place}, :gottprel:esca_preload_thread",
            "ldr {place}, [{place}, :gottprel_lo12:esca_preload_thread]",
            "add {place}, {place}, {thread}",
            place = out(reg) place,
            thread = out(reg) _,
            options(pure, readonly, nostack, preserves_flags),
        );
    }
    // SAFETY: this thread's own words: aligned and of the type's size (see above), zeroed when the thread began, for which
    // zeros are a value in each field (null, false, 0), and live as long as the thread. They are made of cells, no reference
    // to them leaves this thread (the type is not `Sync`) or this call.
    body(unsafe { &*place })
}

#[cfg(test)]
mod tests {
    use super::with;

    #[test]
    fn each_thread_has_its_own() {
        let place = || with(|me| core::ptr::from_ref(me).addr());
        let mine = place();
        assert_eq!(place(), mine);
        let other = std::thread::spawn(move || (place(), place())).join();
        let (first, second) = other.unwrap_or_default();
        assert_eq!(first, second);
        assert_ne!(first, mine);
        assert_eq!(mine % align_of::<super::Me>(), 0);
    }
}
