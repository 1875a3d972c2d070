//! Panics at the edges of a coroutine.
//!
//! No panic unwinds through a switch: it is caught at the root of the coroutine, travels as a value, and goes on in the
//! resumer. With `std` and `panic = "unwind"` a suspended coroutine is taken down by a panic of our own that
//! starts at its suspension point; it runs the destructors, and no panic hook.

cfg_if::cfg_if! {
    if #[cfg(feature = "std")] {
        use alloc::boxed::Box;
        use core::any::Any;
        use core::panic::AssertUnwindSafe;

        /// What a coroutine ended with instead of a value.
        pub(crate) type Payload = Box<dyn Any + Send>;

        /// The payload that takes a suspended coroutine down.
        struct ForcedUnwind;

        /// Whether [`force`] unwinds.
        pub(crate) const AVAILABLE: bool = cfg!(panic = "unwind");

        /// Runs the body of a coroutine.
        #[inline(always)]
        pub(crate) fn catch<R>(body: impl FnOnce() -> R) -> Result<R, Payload> {
            std::panic::catch_unwind(AssertUnwindSafe(body))
        }

        /// Starts the unwinding of the coroutine that calls this.
        #[cold]
        #[inline(never)]
        pub(crate) fn force() -> ! {
            std::panic::resume_unwind(Box::new(ForcedUnwind))
        }

        /// Goes on with a coroutine's panic in its resumer.
        #[cold]
        #[inline(never)]
        pub(crate) fn propagate(payload: Payload) -> ! {
            std::panic::resume_unwind(payload)
        }

        /// Goes on with a coroutine's panic in the destructor of its handle, unless it is the forced one
        /// or a second panic would end the process.
        #[cold]
        pub(crate) fn propagate_from_drop(payload: Payload) {
            if !payload.is::<ForcedUnwind>() && !std::thread::panicking() {
                std::panic::resume_unwind(payload);
            }
        }
    } else {
        use core::convert::Infallible;

        pub(crate) type Payload = Infallible;

        pub(crate) const AVAILABLE: bool = false;

        #[inline(always)]
        #[expect(clippy::unnecessary_wraps, reason = "with `std` the same call can fail")]
        pub(crate) fn catch<R>(body: impl FnOnce() -> R) -> Result<R, Payload> {
            Ok(body())
        }

        pub(crate) fn propagate(payload: Payload) -> ! {
            match payload {}
        }

        pub(crate) fn propagate_from_drop(payload: Payload) {
            match payload {}
        }
    }
}

/// Ends the process, because a coroutine that borrows is still suspended at the end of its scope.
#[cold]
#[inline(never)]
pub(crate) extern "C" fn abort() -> ! {
    // A panic that would leave an `extern "C"` function aborts, which is the one way to abort without `std`.
    panic!("a scoped coroutine is still suspended at the end of its scope and cannot be unwound");
}
