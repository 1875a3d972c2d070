//! The typed coroutine over the raw switch.

use core::fmt;
use core::marker::PhantomData;
use core::mem::{ManuallyDrop, forget};
use core::ptr::{self, NonNull};

use crate::raw::{self, Context, Link, Word};
use crate::stack::Stack;
use crate::transfer::{decode, encode};
use crate::unwind::{self, Payload};

/// How a [`Coroutine::resume`] ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CoroutineState<Yield, Return> {
    /// The coroutine suspended with this value and can be resumed.
    Yielded(Yield),
    /// The coroutine's body returned this value.
    Complete(Return),
}

impl<Yield, Return> CoroutineState<Yield, Return> {
    /// The yielded value, if it is one.
    #[inline]
    pub fn yielded(self) -> Option<Yield> {
        match self {
            Self::Yielded(value) => Some(value),
            Self::Complete(_) => None,
        }
    }

    /// The return value, if it is one.
    #[inline]
    pub fn complete(self) -> Option<Return> {
        match self {
            Self::Yielded(_) => None,
            Self::Complete(value) => Some(value),
        }
    }
}

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

/// The body's side of a [`Coroutine`]: what it suspends itself by.
#[repr(transparent)]
pub struct Yielder<Input, Yield> {
    link: Link,
    types: PhantomData<*mut (Input, Yield)>,
}

/// What stands at the very top of a coroutine's stack, above its link: first the body, in the end its outcome.
#[repr(C, align(16))]
union Slot<F, Return> {
    body: ManuallyDrop<F>,
    outcome: ManuallyDrop<Result<Return, Payload>>,
}

/// Signals of a resume to the body.
const RUN: usize = 0;
const UNWIND: usize = 1;

/// How often a suspended body is unwound before its stack is given up.
const UNWIND_LIMIT: usize = 64;

/// The least room for frames that a coroutine is started with, in bytes.
const MIN_FRAME_ROOM: usize = 512;

impl<Input: 'static, Yield: 'static, Return: 'static, S: Stack> Coroutine<Input, Yield, Return, S> {
    /// Makes a coroutine that will run `body` on `stack`.
    ///
    /// `body` gets the coroutine's yielder and the input of the first [`resume`](Self::resume). It is moved to
    /// the stack; nothing of it runs yet.
    ///
    /// # Panics
    /// When `stack` has no room for `body`, its result and 512 bytes of frames; `body` is dropped then, and so is the stack.
    #[inline]
    pub fn with_stack<F>(stack: S, body: F) -> Self
    where
        F: FnOnce(&Yielder<Input, Yield>, Input) -> Return + 'static,
    {
        let base = stack.base();
        let room = base.addr().get() - stack.limit().addr().get();
        let wanted = size_of::<Slot<F, Return>>() + align_of::<Slot<F, Return>>();
        if room < wanted + Context::RESERVED + MIN_FRAME_ROOM {
            stack_too_small(room, wanted + Context::RESERVED + MIN_FRAME_ROOM);
        }
        let offset = size_of::<Slot<F, Return>>();
        // The base itself is aligned to 16 bytes.
        let misalignment = match align_of::<Slot<F, Return>>() {
            ..=16 => 0,
            alignment => (base.addr().get() - offset) % alignment,
        };
        // SAFETY: `room` covers the slot with its alignment, so this stays inside the stack's memory.
        let slot = unsafe { base.sub(offset + misalignment) };
        // SAFETY: it is aligned by construction, lies in memory that the stack owns, and `Slot` is at least as
        // large and as aligned as the body at its start.
        unsafe { slot.cast::<F>().write(body) };
        // SAFETY: the slot's alignment is a multiple of 16. The memory below belongs to `stack`, which this handle
        // keeps until the context is finished or never resumed again; the handle is not `Send`.
        let context = unsafe { Context::new(slot, root::<F, Input, Yield, Return>) };
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
        // one thread that can reach this handle. `root` and `suspend` decode an `Input` when the signal is `RUN`,
        // before they come back, so `input` lives long enough.
        let (context, word) = unsafe { raw::resume(self.context, encode(&mut input), RUN) };
        self.context = context;
        if context.is_finished() {
            // SAFETY: the body was run, so `root` returned a pointer to its outcome.
            return CoroutineState::Complete(unsafe { take_result(word) });
        }
        // SAFETY: not finished, so the word comes from `suspend`, which encoded a `Yield` in a frame that
        // lives on; it is decoded this one time.
        CoroutineState::Yielded(unsafe { decode::<Yield>(word) })
    }
}

impl<Input, Yield, Return, S: Stack> Coroutine<Input, Yield, Return, S> {
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

    /// Gives the stack back, for another coroutine.
    ///
    /// # Errors
    /// The coroutine itself, if it is suspended: the stack holds its frames.
    pub fn into_stack(mut self) -> Result<S, Self> {
        if self.context.is_fresh() {
            self.run_to_end();
        }
        if !self.context.is_finished() {
            return Err(self);
        }
        // SAFETY: `self` is forgotten right below, so the stack has one owner.
        let stack = unsafe { ManuallyDrop::take(&mut self.stack) };
        forget(self);
        Ok(stack)
    }

    /// Resumes with [`UNWIND`] until the context is finished, or the limit is reached.
    fn run_to_end(&mut self) {
        for _ in 0..UNWIND_LIMIT {
            // SAFETY: as in `resume`; with this signal nothing is decoded from the word.
            let (context, word) = unsafe { raw::resume(self.context, Word::new(ptr::null_mut()), UNWIND) };
            self.context = context;
            if !context.is_finished() {
                // SAFETY: the word comes from `suspend`, as in `resume`.
                drop(unsafe { decode::<Yield>(word) });
                continue;
            }
            // SAFETY: `root` returns a word with a value, null if there is no outcome.
            let outcome = unsafe { word.assume_init() };
            if !outcome.is_null() {
                // SAFETY: else it points to the outcome, which no one has taken.
                match unsafe { outcome.cast::<Result<Return, Payload>>().read() } {
                    Ok(value) => drop(value),
                    Err(payload) => unwind::propagate_from_drop(payload),
                }
            }
            return;
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
        if unwind::AVAILABLE || release.0.context.is_fresh() {
            release.0.run_to_end();
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

impl<Input, Yield> Yielder<Input, Yield> {
    /// Suspends the coroutine: its [`resume`](Coroutine::resume) returns `value`, and this returns the next resume's input.
    ///
    /// Inlined down to the switch. The processor predicts a return from a frame that was
    /// entered before a switch wrongly, so call chains between a loop and its `suspend` are best inlined, too.
    ///
    /// When the coroutine is dropped instead of resumed, this unwinds (see [`Coroutine`]) or never returns.
    #[inline(always)]
    pub fn suspend(&self, value: Yield) -> Input {
        let mut value = ManuallyDrop::new(value);
        // SAFETY: a yielder is only ever reached by reference from the body that `root` lent it to, so the
        // coroutine has been started and has not finished; and it runs: it is not `Sync`, so the caller is on its thread, and
        // whatever runs there while the coroutine is suspended cannot hold a reference into a body's frames unless it was
        // resumed from that body. `value` stays in this frame until the resumer has decoded it. A context
        // that is never resumed keeps its stack for ever, by the contract of `Stack`.
        let (word, signal) = unsafe { raw::suspend(NonNull::from(&self.link), encode(&mut value)) };
        #[cfg(feature = "std")]
        if signal != RUN {
            unwind::force();
        }
        #[cfg(not(feature = "std"))]
        let _ = signal;
        // SAFETY: `RUN` comes from `Coroutine::resume` alone, which encoded an `Input` that it keeps.
        unsafe { decode::<Input>(word) }
    }
}

impl<Input, Yield> fmt::Debug for Yielder<Input, Yield> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Yielder").finish_non_exhaustive()
    }
}

/// The first frame of a coroutine: runs the body and leaves its outcome in the slot.
///
/// Returns a pointer to the outcome, or null if the body was dropped without having run.
///
/// # Safety
/// - `link` stands right below a `Slot<F, Return>` that holds a body.
/// - `value` is an encoded `Input` if `signal` is `RUN`.
unsafe extern "C" fn root<F, Input, Yield, Return>(value: Word, link: NonNull<Link>, signal: usize) -> Word
where
    F: FnOnce(&Yielder<Input, Yield>, Input) -> Return,
{
    // SAFETY: the slot begins where the link ends.
    let slot = unsafe { link.add(1) };
    // SAFETY: the body is at the slot's start, and is read this one time.
    let body = unsafe { slot.cast::<F>().read() };
    let outcome = if signal == RUN {
        // SAFETY: `Yielder` is a transparent wrapper of `Link`, which stays until the coroutine is finished.
        let yielder = unsafe { link.cast::<Yielder<Input, Yield>>().as_ref() };
        // SAFETY: the caller's promise; the resumer keeps the input until the first switch back.
        unwind::catch(|| body(yielder, unsafe { decode::<Input>(value) }))
    } else {
        match unwind::catch(|| drop(body)) {
            Ok(()) => return Word::new(ptr::null_mut()),
            Err(payload) => Err(payload),
        }
    };
    let place = slot.cast::<Result<Return, Payload>>();
    // SAFETY: the slot has room and alignment for an outcome, and the body has been moved out of it.
    unsafe { place.write(outcome) };
    Word::new(place.as_ptr().cast())
}

/// # Safety
/// - `word` is what `root` returned for a body that was run, and its outcome has not been taken.
#[inline(always)]
unsafe fn take_result<Return>(word: Word) -> Return {
    // SAFETY: `root` gave a pointer.
    let outcome = unsafe { word.assume_init() };
    // SAFETY: it points to an outcome, in stack memory that the caller still holds.
    match unsafe { outcome.cast::<Result<Return, Payload>>().read() } {
        Ok(value) => value,
        Err(payload) => unwind::propagate(payload),
    }
}

#[cold]
#[inline(never)]
fn resumed_after_completion() -> ! {
    panic!("cannot resume a coroutine that is complete");
}

#[cold]
#[inline(never)]
fn stack_too_small(room: usize, wanted: usize) -> ! {
    panic!("cannot start a coroutine that needs {wanted} bytes on a stack of {room} bytes");
}
