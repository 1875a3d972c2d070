//! Coroutines that borrow.

use core::fmt;

use crate::coroutine::Coroutine;
use crate::stack::Stack;
use crate::state::CoroutineState;
use crate::unwind;
use crate::yielder::Yielder;

/// A coroutine inside of [`scope`]: it may borrow what lives outside, and ends when the scope does.
pub struct ScopedCoroutine<'scope, Input, Yield, Return, S: Stack> {
    /// Never given out: who exchanged the coroutine itself for that of a longer scope would keep it alive.
    coroutine: &'scope mut Coroutine<Input, Yield, Return, S>,
}

/// Runs `user` with a coroutine whose `body` may borrow from the caller.
///
/// The coroutine itself stays in here and `user` gets a handle that cannot leave, so that forgetting the handle
/// does no harm: when `user` has returned or panicked, the coroutine is ended before `scope` returns. What is complete or has
/// never run costs nothing then, and a suspended body is unwound.
///
/// A value that borrows may be passed in and out as long as the borrow covers the call of `scope`.
///
/// ```
/// # #[cfg(feature = "std")] {
/// use coro_asm::{StackPool, StackPoolConfig, scope};
///
/// let pool = StackPool::new(StackPoolConfig::default())?;
/// let words = vec!["deep".to_string(), "sea".to_string()];
/// let mut longest = 0;
/// scope(
///     pool.acquire()?,
///     |yielder, ()| {
///         for word in &words {
///             longest = longest.max(word.len());
///             yielder.suspend(word.as_str());
///         }
///     },
///     |mut walk| {
///         assert_eq!(walk.resume(()).yielded(), Some("deep"));
///         assert_eq!(walk.resume(()).yielded(), Some("sea"));
///     },
/// );
/// assert_eq!(longest, 4);
/// # }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// The handle cannot leave:
///
/// ```compile_fail,E0521
/// # #[cfg(feature = "std")] fn f(pool: coro_asm::StackPool) {
/// let mut escaped = None;
/// coro_asm::scope(pool.acquire().unwrap(), |_: &coro_asm::Yielder<(), ()>, ()| (), |handle| escaped = Some(handle));
/// # }
/// # #[cfg(not(feature = "std"))] compile_error!("E0521");
/// ```
///
/// # Panics
/// When `user` does. When `stack` is too small, as [`Coroutine::with_stack`]. When the body, or the destructor of a value that
/// it yields, panics while it is unwound; it is ended first.
///
/// # Aborts
/// When the coroutine is suspended at the end and cannot be unwound: without `std` or with `panic = "abort"`, or when its body
/// catches the unwinding 64 times. Frames that borrow must not outlive the scope.
pub fn scope<Input, Yield, Return, S, F, U, T>(stack: S, body: F, user: U) -> T
where
    S: Stack,
    F: FnOnce(&Yielder<Input, Yield>, Input) -> Return,
    U: for<'scope> FnOnce(ScopedCoroutine<'scope, Input, Yield, Return, S>) -> T,
{
    /// Ends the coroutine on every way out.
    struct End<Input, Yield, Return, S: Stack>(Coroutine<Input, Yield, Return, S>);
    impl<Input, Yield, Return, S: Stack> Drop for End<Input, Yield, Return, S> {
        fn drop(&mut self) {
            if !self.0.is_complete() {
                end(&mut self.0);
            }
        }
    }

    // SAFETY: `End` completes the coroutine before this function is left, or the process ends. All that the body and the three
    // types refer to outlives the call of this function. If the thread never comes back here because
    // this frame is itself part of a coroutine that was leaked, then what this frame borrows is never given back
    // either: it lies in that coroutine's leaked stack, or belongs to a scope that this argument covers, too.
    let coroutine = unsafe { Coroutine::with_stack_unchecked(stack, body) };
    let mut end = End(coroutine);
    user(ScopedCoroutine {
        coroutine: &mut end.0,
    })
}

#[cold]
#[inline(never)]
fn end<Input, Yield, Return, S: Stack>(coroutine: &mut Coroutine<Input, Yield, Return, S>) {
    /// The second attempt, after a value that the body yielded while it was unwound has panicked in its destructor. Another
    /// panic in here ends the process.
    struct Insist<'a, I, Y, R, S: Stack>(&'a mut Coroutine<I, Y, R, S>);
    impl<I, Y, R, S: Stack> Drop for Insist<'_, I, Y, R, S> {
        fn drop(&mut self) {
            if !self.0.finish() {
                unwind::abort();
            }
        }
    }
    Insist(coroutine).0.finish();
}

impl<Input, Yield, Return, S: Stack> ScopedCoroutine<'_, Input, Yield, Return, S> {
    /// Runs the coroutine until it suspends or completes, see [`Coroutine::resume`].
    ///
    /// # Panics
    /// As [`Coroutine::resume`].
    #[inline(always)]
    pub fn resume(&mut self, input: Input) -> CoroutineState<Yield, Return> {
        self.coroutine.resume(input)
    }

    /// Has the processor fetch what a resume touches first, see [`Coroutine::prefetch`].
    #[inline(always)]
    pub fn prefetch(&self) {
        self.coroutine.prefetch();
    }

    /// Whether the body has returned or panicked, so that nothing is left to resume.
    #[inline]
    pub fn is_complete(&self) -> bool {
        self.coroutine.is_complete()
    }

    /// Whether the body has begun to run.
    #[inline]
    pub fn is_started(&self) -> bool {
        self.coroutine.is_started()
    }
}

impl<Input, Yield, Return, S: Stack> fmt::Debug for ScopedCoroutine<'_, Input, Yield, Return, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ScopedCoroutine").field(&self.coroutine).finish()
    }
}
