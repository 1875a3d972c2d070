//! The handle of a coroutine.

use core::fmt;
use core::marker::PhantomData;
use core::mem::{ManuallyDrop, forget};
use core::ptr;

use crate::arch::FpControl;
use crate::asan;
use crate::frame::{self, Before};
use crate::raw::{self, Context, Word};
#[cfg(feature = "alloc")]
use crate::signal::ABANDON;
use crate::signal::{RUN, UNWIND};
use crate::stack::Stack;
use crate::state::CoroutineState;
use crate::transfer::{decode, encode};
use crate::unwind;
#[cfg(feature = "alloc")]
use crate::unwind::Payload;
use crate::yielder::Yielder;

/// A function that runs on a stack of its own and can stop in the middle.
///
/// [`resume`](Self::resume) runs it until its body calls [`Yielder::suspend`] or returns. The handle is two words and
/// the stack; the body lies on the stack itself, so nothing is allocated beside it.
///
/// # Panics inside
/// A panic that leaves the body goes on in the resumer with its payload (feature `std`), and the coroutine
/// is complete. Without `std` it aborts.
///
/// # Dropping
/// A complete coroutine only gives its stack back. One that has never run drops its body. A suspended one has live
/// frames: with `std` and `panic = "unwind"` they are unwound, which runs their destructors and
/// costs a panic (about a microsecond), but no panic hook. In all other builds they are left alone and the stack is
/// leaked, for a frame may hold what must not vanish undropped, such as a pinned value.
///
/// A body that catches the unwinding and suspends again is unwound again, at most 64 times; then its stack is leaked.
/// A destructor that suspends while its frame is unwound for a drop aborts, as any panic in a destructor during unwinding does.
///
/// # Threads
/// Neither `Send` nor `Sync`, whatever the types are: frames hold references to thread-local data and values that are not
/// `Send`, and the compiler cannot see into them.
///
/// Nor can it see a reference to a thread-local value that a body holds over a suspension, inside of
/// `std::thread::LocalKey::with`. Such a coroutine must not be resumed or dropped after that value is destroyed, so it must not
/// stand in thread-local storage itself, where the order of destructors is not known.
///
/// ```compile_fail,E0277
/// fn must_be_send<T: Send>() {}
/// must_be_send::<coro_asm::Coroutine<(), (), (), coro_asm::StaticStack>>();
/// ```
pub struct Coroutine<Input, Yield, Return, S: Stack> {
    context: Context,
    stack: ManuallyDrop<S>,
    /// Invariant in all three, and neither `Send` nor `Sync`.
    types: PhantomData<*mut (Input, Yield, Return)>,
}

/// How often a suspended body is unwound before it is given up.
const UNWIND_LIMIT: usize = 64;

impl<Input: 'static, Yield: 'static, Return: 'static, S: Stack> Coroutine<Input, Yield, Return, S> {
    /// Makes a coroutine that will run `body` on `stack`.
    ///
    /// `body` gets the coroutine's yielder and the input of the first [`resume`](Self::resume). It is moved to
    /// the stack; nothing of it runs yet.
    ///
    /// A body that borrows needs [`scope`](crate::scope), since a coroutine may outlive any frame:
    ///
    /// ```compile_fail,E0597
    /// use coro_asm::{Coroutine, StaticStack, Yielder};
    ///
    /// fn lend(stack: StaticStack) -> Coroutine<(), (), usize, StaticStack> {
    ///     let local = String::from("gone when the function returns");
    ///     let borrowed = &local;
    ///     Coroutine::with_stack(stack, move |_: &Yielder<(), ()>, ()| borrowed.len())
    /// }
    /// ```
    ///
    /// and its yielder stays in it:
    ///
    /// ```compile_fail,E0521
    /// use coro_asm::{Coroutine, StaticStack, Yielder};
    ///
    /// fn keep(stack: StaticStack, kept: &'static std::cell::Cell<Option<&'static Yielder<(), ()>>>) {
    ///     let _: Coroutine<(), (), (), _> = Coroutine::with_stack(stack, |yielder, ()| kept.set(Some(yielder)));
    /// }
    /// ```
    ///
    /// # Panics
    /// When `stack` has no room for `body`, its result and 512 bytes of frames; `body` is dropped then, and so is the stack.
    #[inline]
    pub fn with_stack<F>(stack: S, body: F) -> Self
    where
        F: FnOnce(&Yielder<Input, Yield>, Input) -> Return + 'static,
    {
        // SAFETY: the body borrows nothing.
        unsafe { Self::with_stack_unchecked(stack, body) }
    }

    /// Starts over with another body on the same stack, without giving it back in between.
    ///
    /// What is there ends as by a drop: a complete coroutine costs nothing, a body that never ran is dropped, a suspended one
    /// is unwound.
    ///
    /// # Errors
    /// `body`, when the frames of a suspended coroutine cannot be unwound (see [Dropping](Self#dropping)); it stays suspended.
    ///
    /// # Panics
    /// When the stack has no room for `body`, as [`with_stack`](Self::with_stack); and when the old body panics while it
    /// is unwound. The coroutine is complete then.
    #[inline]
    pub fn reset<F>(&mut self, body: F) -> Result<(), F>
    where
        F: FnOnce(&Yielder<Input, Yield>, Input) -> Return + 'static,
    {
        if !self.finish() {
            return Err(body);
        }
        // SAFETY: the coroutine is finished, so its stack is unused and its yielder in place; the body borrows nothing.
        self.context = unsafe { frame::place(&*self.stack, Before::Yielder, body) };
        Ok(())
    }

    /// Starts over with another body, and forgets the frames of a suspended one without running their destructors.
    /// Its deferred cleanups are run.
    ///
    /// Costs as little as [`with_stack`](Self::with_stack), where [`reset`](Self::reset) would unwind.
    ///
    /// # Panics
    /// As [`reset`](Self::reset).
    ///
    /// # Safety
    /// - If the coroutine is suspended, nothing relies on the destructors of its frames: no frame between its body and its
    ///   suspension point holds a pinned value, a scope guard, a lock, or lends anything to someone outside of them.
    pub unsafe fn reset_unchecked<F>(&mut self, body: F)
    where
        F: FnOnce(&Yielder<Input, Yield>, Input) -> Return + 'static,
    {
        self.abandon();
        // SAFETY: the stack's frames will not run any more and may be overwritten, by the caller's promise.
        self.context = unsafe { frame::place(&*self.stack, Before::Unknown, body) };
    }
}

impl<Input, Yield, Return, S: Stack> Coroutine<Input, Yield, Return, S> {
    /// # Safety
    /// - All that `body`, and later values of the three types, refer to lives until the coroutine is complete.
    #[inline(always)]
    pub(crate) unsafe fn with_stack_unchecked<F>(stack: S, body: F) -> Self
    where
        F: FnOnce(&Yielder<Input, Yield>, Input) -> Return,
    {
        // SAFETY: the stack is kept until the coroutine is finished or, like the handle, leaked; the handle is not `Send`.
        let context = unsafe { frame::place(&stack, Before::Unknown, body) };
        Self {
            context,
            stack: ManuallyDrop::new(stack),
            types: PhantomData,
        }
    }

    /// Runs the coroutine until it suspends or completes.
    ///
    /// `input` is what the suspended [`Yielder::suspend`] returns, or the argument of the body the first time.
    ///
    /// # Panics
    /// When the coroutine is complete. When its body panics: the payload is that of the body's panic.
    #[inline(always)]
    pub fn resume(&mut self, input: Input) -> CoroutineState<Yield, Return> {
        if self.context.is_finished() {
            resumed_after_completion();
        }
        let mut input = ManuallyDrop::new(input);
        // SAFETY: the context is not finished and is replaced by what the resume gives, so each is resumed once, by the
        // one thread that can reach this handle. The other side decodes an `Input` when the signal is `RUN`,
        // before it comes back, so `input` lives long enough.
        let (context, word) = unsafe { self.switch(encode(&mut input), RUN) };
        self.context = context;
        if !context.is_finished() {
            // SAFETY: not finished, so the word comes from `suspend`, which encoded a `Yield` in a frame that
            // lives on; it is decoded this one time.
            return CoroutineState::Yielded(unsafe { decode::<Yield>(word) });
        }
        // SAFETY: finished, so the word comes from the coroutine's root, this one time; with `RUN` it is never null.
        match unsafe { frame::take_outcome(word) } {
            Ok(value) => CoroutineState::Complete(value),
            Err(payload) => unwind::propagate(payload),
        }
    }

    /// As [`resume`](Self::resume), but gives the caller's floating-point control bits back to it afterwards: rounding mode,
    /// exception masks, flush to zero and x87 precision. (MXCSR and the x87 control word; FPCR.)
    ///
    /// A coroutine and its resumer share these bits otherwise. That is right as long as nobody changes them, which
    /// Rust code never does; foreign code may, and may call back into a body that suspends meanwhile. A fresh body
    /// begins with the bits of its first resumer. The sticky exception flags are shared in any case.
    ///
    /// Its other half is [`Yielder::suspend_isolated`]. Bits are read twice, and loaded only if they differ.
    ///
    /// # Panics
    /// As [`resume`](Self::resume).
    #[inline(always)]
    pub fn resume_isolated(&mut self, input: Input) -> CoroutineState<Yield, Return> {
        /// Also when the body's panic passes by.
        struct Restore(FpControl);
        impl Drop for Restore {
            fn drop(&mut self) {
                self.0.restore();
            }
        }
        let _restore = Restore(FpControl::current());
        self.resume(input)
    }

    /// Has the processor fetch what a resume of this coroutine needs first, without waiting for it: its control record and the
    /// lowest frame of its body.
    ///
    /// For a scheduler that knows its run queue, such as the events of one `epoll_wait`: while it resumes one coroutine it
    /// prefetches the one that comes some four places later. Worth it where so many are resumed in turn that a stack has
    /// left the caches by the time its turn comes: with bodies that use 512 bytes of their stacks a resume takes a tenth less time
    /// at 10,000 and a sixth less at 100,000. It is a loss where they are few, and where bodies have nothing on their
    /// stacks, which are then touched for this alone.
    ///
    /// Two instructions and a look at the handle, which neither fault nor change anything, whatever state the coroutine is in.
    #[inline(always)]
    pub fn prefetch(&self) {
        // SAFETY: `frame::place` has found room for it.
        let yielder = unsafe { frame::yielder::<Input, Yield>(&*self.stack) };
        raw::prefetch_linked(self.context, yielder.as_ptr().cast());
    }

    /// Whether the body has returned or panicked, so that nothing is left to resume.
    #[inline]
    pub const fn is_complete(&self) -> bool {
        self.context.is_finished()
    }

    /// Whether the body has begun to run.
    #[inline]
    pub fn is_started(&self) -> bool {
        !self.context.is_fresh()
    }

    /// The stack that the coroutine runs on.
    #[inline]
    pub fn stack(&self) -> &S {
        &self.stack
    }

    /// Gives the stack back, for another coroutine. A body that never ran is dropped.
    ///
    /// # Errors
    /// The coroutine itself, if it is suspended: the stack holds its frames.
    ///
    /// # Panics
    /// When the destructor of a body that never ran does.
    #[inline]
    pub fn into_stack(mut self) -> Result<S, Self> {
        if self.context.is_fresh() {
            self.run_to_end();
        }
        if !self.context.is_finished() {
            return Err(self);
        }
        Ok(self.take_stack())
    }

    /// Gives the stack back, and forgets the frames of a suspended coroutine without running their destructors. Its
    /// deferred cleanups are run.
    ///
    /// # Safety
    /// - As for [`reset_unchecked`](Self::reset_unchecked).
    pub unsafe fn into_stack_unchecked(mut self) -> S {
        self.abandon();
        self.take_stack()
    }

    /// Runs the coroutine until it comes back with another context.
    ///
    /// # Safety
    /// - The coroutine is not finished, and its context is replaced by what this gives.
    /// - `value` is an encoded `Input` if `signal` is `RUN`.
    #[inline(always)]
    unsafe fn switch(&self, value: Word, signal: usize) -> (Context, Word) {
        // SAFETY: `frame::place` has found room for it.
        let yielder = unsafe { frame::yielder::<Input, Yield>(&*self.stack) };
        let on_hold = asan::resuming(&*self.stack);
        // SAFETY: this is the link with which the context was made, on the one thread that can reach this handle; the rest is
        // the caller's promise.
        let back = unsafe { raw::resume_linked(self.context, yielder.cast(), value, signal) };
        asan::returned(on_hold);
        back
    }

    fn take_stack(mut self) -> S {
        // SAFETY: `self` is forgotten right below, so the stack has one owner.
        let stack = unsafe { ManuallyDrop::take(&mut self.stack) };
        forget(self);
        stack
    }

    /// Ends the coroutine if that is possible; tells whether it is complete.
    #[inline]
    pub(crate) fn finish(&mut self) -> bool {
        if !self.context.is_finished() && (unwind::AVAILABLE || self.context.is_fresh()) {
            self.run_to_end();
        }
        self.context.is_finished()
    }

    /// Declares a coroutine complete whose frames, if there are any, will never run.
    fn abandon(&mut self) {
        if self.context.is_fresh() {
            self.run_to_end();
        }
        #[cfg(not(feature = "alloc"))]
        {
            self.context = self.context.given_up();
        }
        #[cfg(feature = "alloc")]
        if !self.context.is_finished() {
            // SAFETY: as in `resume`; with this signal nothing is decoded from the word.
            let (context, word) = unsafe { self.switch(Word::new(ptr::null_mut()), ABANDON) };
            self.context = context.given_up();
            // SAFETY: with this signal the word has a value.
            let result = unsafe { word.assume_init() }.cast::<Result<(), Payload>>();
            // SAFETY: it points to the result of the cleanups, in a frame that will not run again.
            if let Err(payload) = unsafe { result.read() } {
                unwind::propagate_from_drop(payload);
            }
        }
    }

    /// Resumes with [`UNWIND`] until the context is finished, or the limit is reached.
    #[cold]
    fn run_to_end(&mut self) {
        for _ in 0..UNWIND_LIMIT {
            // SAFETY: as in `resume`; with this signal nothing is decoded from the word.
            let (context, word) = unsafe { self.switch(Word::new(ptr::null_mut()), UNWIND) };
            self.context = context;
            if context.is_finished() {
                // SAFETY: the root returns a word with a value.
                if unsafe { word.assume_init() }.is_null() {
                    return;
                }
                // SAFETY: the word comes from the coroutine's root, this one time.
                if let Err(payload) = unsafe { frame::take_outcome::<Return>(word) } {
                    unwind::propagate_from_drop(payload);
                }
                return;
            }
            // SAFETY: the word comes from `suspend`, as in `resume`.
            drop(unsafe { decode::<Yield>(word) });
        }
    }

    #[cold]
    #[inline(never)]
    fn drop_unfinished(&mut self) {
        /// Gives the stack back also when a panic of the body passes by.
        struct Release<'a, I, Y, R, S: Stack>(&'a mut Coroutine<I, Y, R, S>);
        impl<I, Y, R, S: Stack> Drop for Release<'_, I, Y, R, S> {
            fn drop(&mut self) {
                if self.0.context.is_finished() {
                    // SAFETY: the handle is being dropped, and this is the only place on this path.
                    unsafe { ManuallyDrop::drop(&mut self.0.stack) };
                }
            }
        }
        let release = Release(self);
        if !release.0.finish() {
            // The frames stay, so the stack must, too.
            ManuallyDrop::new(release).0.abandon();
        }
    }
}

impl<Input, Yield, Return, S: Stack> Drop for Coroutine<Input, Yield, Return, S> {
    #[inline]
    fn drop(&mut self) {
        if self.context.is_finished() {
            // SAFETY: the handle is being dropped and nothing of the coroutine runs any more.
            unsafe { ManuallyDrop::drop(&mut self.stack) };
        } else {
            self.drop_unfinished();
        }
    }
}

impl<Input, Yield, Return, S: Stack> fmt::Debug for Coroutine<Input, Yield, Return, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = if self.context.is_finished() {
            "complete"
        } else if self.context.is_fresh() {
            "fresh"
        } else {
            "suspended"
        };
        f.debug_struct("Coroutine")
            .field("state", &state)
            .field("base", &self.stack.base())
            .finish_non_exhaustive()
    }
}

#[cold]
#[inline(never)]
fn resumed_after_completion() -> ! {
    panic!("cannot resume a coroutine that is complete");
}
