//! Tells AddressSanitizer which stack the program runs on.
//!
//! The interface is LLVM's `sanitizer/common_interface_defs.h`: a switch is announced before it happens, with the ends of the
//! stack that will run, and confirmed after it, on that stack. What is on hold keeps its "fake stack", on which the
//! sanitizer places locals to find uses after their return.
//!
//! A frame of one coroutine that suspends another one around it (by the other's yielder) is taken for a frame of that other one;
//! the interface has no way to ask whose it is.
//!
//! The functions are weak symbols, null in a program that is built without the sanitizer; then nothing happens here.

use crate::stack::Stack;

cfg_if::cfg_if! {
    if #[cfg(feature = "asan")] {
        use core::arch::asm;
        use core::cell::Cell;
        use core::mem::transmute;
        use core::ptr::{self, NonNull};

        type Start = unsafe extern "C" fn(save: *mut *mut (), bottom: *const u8, size: usize);
        type Finish = unsafe extern "C" fn(save: *mut (), bottom: *mut *const u8, size: *mut usize);
        type Unpoison = unsafe extern "C" fn(start: *const u8, size: usize);

        /// The address of a function that need not be there.
        macro_rules! weak {
            ($name:literal) => {{
                let address: usize;
                // SAFETY: it loads the symbol's entry of the global offset table, which the linker makes and never changes.
                #[cfg(target_arch = "x86_64")]
                unsafe {
                    asm!(
                        concat!(".weak ", $name),
                        concat!("mov {}, [rip + ", $name, "@GOTPCREL]"),
                        out(reg) address,
                        options(pure, nomem, nostack, preserves_flags),
                    );
                }
                // SAFETY: as above.
                #[cfg(target_arch = "aarch64")]
                unsafe {
                    asm!(
                        concat!(".weak ", $name),
                        concat!("adrp {0}, :got:", $name),
                        concat!("ldr {0}, [{0}, :got_lo12:", $name, "]"),
                        out(reg) address,
                        options(pure, nomem, nostack, preserves_flags),
                    );
                }
                ptr::with_exposed_provenance::<()>(address)
            }};
        }

        /// What keeps the fake stack of whoever is on hold.
        pub(crate) struct OnHold(*mut ());

        /// The stack of a coroutine's resumer, as the sanitizer told it.
        pub(crate) struct Parent {
            bottom: Cell<*const u8>,
            size: Cell<usize>,
        }

        /// Announces a switch to `stack`; confirm the one back by [`returned`].
        #[inline]
        pub(crate) fn resuming(stack: &impl Stack) -> OnHold {
            let mut save = ptr::null_mut();
            start(&raw mut save, stack.limit().as_ptr(), size(stack));
            OnHold(save)
        }

        /// Confirms the switch back to the resumer.
        #[inline]
        pub(crate) fn returned(on_hold: OnHold) {
            finish(on_hold.0, ptr::null_mut(), ptr::null_mut());
        }

        /// Forgets what frames were on a stack that is about to be used anew; some may have been left without a return.
        pub(crate) fn renewed(stack: &impl Stack) {
            let unpoison = weak!("__asan_unpoison_memory_region");
            if !unpoison.is_null() {
                // SAFETY: the symbol has this type.
                let unpoison = unsafe { transmute::<*const (), Unpoison>(unpoison) };
                // SAFETY: the memory is a stack without frames.
                unsafe { unpoison(stack.limit().as_ptr(), size(stack)) };
            }
        }

        /// Reads a word of a stack, of which the sanitizer may say that it belongs to no frame.
        ///
        /// # Safety
        /// - It is mapped, readable and aligned.
        #[cfg(not(any(miri, coro_asm_threads)))]
        pub(crate) unsafe fn read(word: NonNull<u64>) -> u64 {
            let value;
            // SAFETY: the caller's promise.
            #[cfg(target_arch = "x86_64")]
            unsafe {
                asm!("mov {}, [{}]", out(reg) value, in(reg) word.as_ptr(), options(readonly, nostack, preserves_flags));
            }
            // SAFETY: the caller's promise.
            #[cfg(target_arch = "aarch64")]
            unsafe {
                asm!("ldr {}, [{}]", out(reg) value, in(reg) word.as_ptr(), options(readonly, nostack, preserves_flags));
            }
            value
        }

        fn size(stack: &impl Stack) -> usize {
            stack.base().addr().get() - stack.limit().addr().get()
        }

        impl Parent {
            pub(crate) const fn new() -> Self {
                Self {
                    bottom: Cell::new(ptr::null()),
                    size: Cell::new(0),
                }
            }

            /// Confirms the first switch to a coroutine.
            pub(crate) fn entered(&self) {
                self.resumed(OnHold(ptr::null_mut()));
            }

            /// Announces a switch to the resumer; confirm the one back by [`resumed`](Self::resumed).
            #[inline]
            pub(crate) fn suspending(&self) -> OnHold {
                let mut save = ptr::null_mut();
                start(&raw mut save, self.bottom.get(), self.size.get());
                OnHold(save)
            }

            /// Confirms the switch back to a suspended coroutine.
            #[inline]
            pub(crate) fn resumed(&self, on_hold: OnHold) {
                finish(on_hold.0, self.bottom.as_ptr(), self.size.as_ptr());
            }

            /// Announces the last switch to the resumer.
            pub(crate) fn ending(&self) {
                start(ptr::null_mut(), self.bottom.get(), self.size.get());
            }
        }

        fn start(save: *mut *mut (), bottom: *const u8, size: usize) {
            let start = weak!("__sanitizer_start_switch_fiber");
            if !start.is_null() {
                // SAFETY: the symbol has this type.
                let start = unsafe { transmute::<*const (), Start>(start) };
                // SAFETY: `save` is null or a place for a pointer, and these are the ends of the stack that runs next.
                unsafe { start(save, bottom, size) };
            }
        }

        fn finish(save: *mut (), bottom: *mut *const u8, size: *mut usize) {
            let finish = weak!("__sanitizer_finish_switch_fiber");
            if !finish.is_null() {
                // SAFETY: the symbol has this type.
                let finish = unsafe { transmute::<*const (), Finish>(finish) };
                // SAFETY: `save` is what the start of the switch from this stack gave, or null on a new one, and the others are
                // null or places for the answers.
                unsafe { finish(save, bottom, size) };
            }
        }
    } else {
        pub(crate) struct OnHold;
        pub(crate) struct Parent;

        #[inline(always)]
        pub(crate) fn resuming(_stack: &impl Stack) -> OnHold {
            OnHold
        }

        #[inline(always)]
        pub(crate) fn returned(_on_hold: OnHold) {}

        #[inline(always)]
        pub(crate) fn renewed(_stack: &impl Stack) {}

        #[cfg(all(feature = "std", not(any(miri, coro_asm_threads))))]
        #[inline(always)]
        pub(crate) unsafe fn read(word: core::ptr::NonNull<u64>) -> u64 {
            // SAFETY: the caller's promise; it may be a word of a frame, so the read is volatile.
            unsafe { word.read_volatile() }
        }

        impl Parent {
            pub(crate) const fn new() -> Self {
                Self
            }

            #[inline(always)]
            pub(crate) fn entered(&self) {}

            #[inline(always)]
            pub(crate) fn suspending(&self) -> OnHold {
                OnHold
            }

            #[inline(always)]
            pub(crate) fn resumed(&self, _on_hold: OnHold) {}

            #[inline(always)]
            pub(crate) fn ending(&self) {}
        }
    }
}
