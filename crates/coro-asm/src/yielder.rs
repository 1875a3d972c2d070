//! The body's side of a coroutine.

use core::fmt;
use core::marker::PhantomData;
use core::mem::ManuallyDrop;
use core::ptr::NonNull;

use crate::arch::FpControl;
use crate::asan;
#[cfg(feature = "alloc")]
use crate::defer::{DeferList, Deferred};
#[cfg(feature = "alloc")]
use crate::raw::Word;
use crate::raw::{self, Link};
#[cfg(feature = "alloc")]
use crate::signal::ABANDON;
use crate::signal::RUN;
#[cfg(feature = "std")]
use crate::signal::UNWIND;
use crate::transfer::{decode, encode};
#[cfg(feature = "std")]
use crate::unwind;

/// What the body of a [`Coroutine`](crate::Coroutine) suspends itself by.
#[repr(C)]
pub struct Yielder<Input, Yield> {
    /// First, so that a pointer to a yielder is one to its link.
    link: Link,
    #[cfg(feature = "alloc")]
    pub(crate) deferred: DeferList,
    pub(crate) parent: asan::Parent,
    types: PhantomData<*mut (Input, Yield)>,
}

impl<Input, Yield> Yielder<Input, Yield> {
    /// Suspends the coroutine: its [`resume`](crate::Coroutine::resume) returns `value`, and this returns the next resume's
    /// input.
    ///
    /// Inlined down to the switch. The processor predicts a return from a frame that was
    /// entered before a switch wrongly, so call chains between a loop and its `suspend` are best inlined, too.
    ///
    /// When the coroutine is dropped instead of resumed, this unwinds (see [`Coroutine`](crate::Coroutine)) or never returns.
    #[inline(always)]
    pub fn suspend(&self, value: Yield) -> Input {
        let mut value = ManuallyDrop::new(value);
        let on_hold = self.parent.suspending();
        // SAFETY: a yielder is only ever reached by reference from the body that it was lent to, so the
        // coroutine has been started and has not finished; and it runs: it is not `Sync`, so the caller is on its thread, and
        // whatever runs there while the coroutine is suspended cannot hold a reference into a body's frames unless it was
        // resumed from that body. `value` stays in this frame until the resumer has decoded it. A context
        // that is never resumed keeps its stack for ever, by the contract of `Stack`.
        let (word, signal) = unsafe { raw::suspend(NonNull::from(&self.link), encode(&mut value)) };
        self.parent.resumed(on_hold);
        #[cfg(feature = "alloc")]
        if signal != RUN {
            self.interrupted(signal);
        }
        #[cfg(not(feature = "alloc"))]
        debug_assert_eq!(signal, RUN);
        // SAFETY: `RUN` comes from `Coroutine::resume` alone, which encoded an `Input` that it keeps.
        unsafe { decode::<Input>(word) }
    }

    /// As [`suspend`](Self::suspend), but gives the body's floating-point control bits back to it afterwards, see
    /// [`Coroutine::resume_isolated`](crate::Coroutine::resume_isolated).
    #[inline(always)]
    pub fn suspend_isolated(&self, value: Yield) -> Input {
        let control = FpControl::current();
        let input = self.suspend(value);
        control.restore();
        input
    }
}

#[cfg(feature = "alloc")]
impl<Input, Yield> Yielder<Input, Yield> {
    /// Does what a resume without an input asks for.
    #[cold]
    #[inline(never)]
    fn interrupted(&self, signal: usize) -> ! {
        #[cfg(feature = "std")]
        if signal == UNWIND {
            unwind::force();
        }
        debug_assert_eq!(signal, ABANDON);
        let mut result = self.deferred.finish();
        // Not the last switch for the sanitizer, which would take the result away with the frames.
        let _on_hold = self.parent.suspending();
        loop {
            // SAFETY: as in `suspend`; the resumer takes the result and does not resume again.
            unsafe { raw::suspend(NonNull::from(&self.link), Word::new((&raw mut result).cast())) };
        }
    }

    /// Leaves `cleanup` to be run when the coroutine ends, whichever way: it returns, it panics, it is dropped or reset, and
    /// also where dropping it cannot run destructors.
    ///
    /// Cleanups run in reverse order, after the frames of the body are gone. A panic in one does not keep the others
    /// from running; it goes on in the resumer unless the body panicked itself.
    ///
    /// A value with a destructor does the same for one frame; this is for functions that acquire something for the rest of
    /// the coroutine's life. One allocation each, constant time.
    pub fn defer(&self, cleanup: impl FnOnce() + 'static) -> Deferred<'_> {
        self.deferred.push(cleanup)
    }

    /// Drops a deferred cleanup without running it. Tells whether it was still there, which that of another coroutine never is.
    ///
    /// Logarithmic in the number of cleanups.
    #[expect(clippy::needless_pass_by_value, reason = "a deferral can be taken back once")]
    pub fn disarm(&self, deferred: Deferred<'_>) -> bool {
        self.deferred.remove(&deferred)
    }

    /// Runs `f`, then all the cleanups that were deferred meanwhile, also when `f` unwinds.
    ///
    /// For a coroutine that serves many requests, each with cleanups of its own.
    ///
    /// # Panics
    /// When `f` does, or else when a cleanup does, after all of them have run.
    pub fn defer_scope<T>(&self, f: impl FnOnce() -> T) -> T {
        self.deferred.scope(f)
    }
}

impl<Input, Yield> fmt::Debug for Yielder<Input, Yield> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Yielder").finish_non_exhaustive()
    }
}
