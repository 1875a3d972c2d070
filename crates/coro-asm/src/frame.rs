//! What a coroutine keeps beside its frames, and the function at its root.
//!
//! ```text
//!                                             where the stack has a record apart:
//!
//!   base ->  +------------------------+                  +------------------------+
//!            | deferred cleanups      |                  | deferred cleanups      |
//!            | link                   |  <- the yielder  | link                   |
//!            +------------------------+                  +------------------------+
//!            | slot                   |                   on the stack there is only
//!            +------------------------+        base ->   +------------------------+
//!            | frames                 |                  | slot                   |
//!                                                        +------------------------+
//!                                                        | frames                 |
//! ```
//!
//! The slot holds the body before it runs, and its outcome afterwards. The link comes before it, at a distance from the
//! base that does not depend on the body: a handle, which does not know the body's type, tells each resume where it is.

use core::mem::ManuallyDrop;
use core::ptr::{self, NonNull};

use crate::asan;
#[cfg(feature = "alloc")]
use crate::defer::DeferList;
use crate::raw::{Context, Link, Word};
use crate::signal::RUN;
use crate::stack::{ALIGNMENT, ControlRecord, Stack};
use crate::transfer::decode;
use crate::unwind::{self, Payload};
use crate::yielder::Yielder;

/// The least room for frames that a coroutine is started with, in bytes.
const MIN_ROOM: usize = 512;

#[repr(C)]
union Slot<F, Return> {
    body: ManuallyDrop<F>,
    outcome: ManuallyDrop<Result<Return, Payload>>,
}

impl<F, Return> Slot<F, Return> {
    /// Frames begin below a slot.
    const ALIGNMENT: usize = if align_of::<Self>() > ALIGNMENT {
        align_of::<Self>()
    } else {
        ALIGNMENT
    };

    const SIZE: usize = size_of::<Self>().next_multiple_of(ALIGNMENT);

    /// The slot below `top`, which is aligned to 16 bytes.
    ///
    /// # Safety
    /// - The memory below it reaches down by [`Self::SIZE`] and the alignment, without its least of 16.
    #[inline(always)]
    unsafe fn below(top: NonNull<u8>) -> NonNull<Self> {
        let misalignment = match Self::ALIGNMENT {
            ALIGNMENT => 0, // `top` is.
            alignment => (top.addr().get() - Self::SIZE) % alignment,
        };
        // SAFETY: the caller's promise.
        unsafe { top.sub(Self::SIZE + misalignment) }.cast()
    }
}

/// What the yielder's place holds.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Before {
    /// Anything.
    Unknown,
    /// The yielder of an earlier coroutine of the same types on this stack, which has finished.
    Yielder,
}

/// Moves `body` to the top of `stack` and makes a context that will run it.
///
/// # Panics
/// When there is no room for the body, its outcome and some frames.
///
/// # Safety
/// - The stack is not in use, and `stack` lives until the context is finished or for ever.
/// - All that `body` refers to lives until the context is finished, or will never be touched.
/// - `before` is true.
#[inline(always)]
pub(crate) unsafe fn place<F, Input, Yield, Return, S>(stack: &S, before: Before, body: F) -> Context
where
    S: Stack,
    F: FnOnce(&Yielder<Input, Yield>, Input) -> Return,
{
    let base = stack.base();
    let of_yielder = match stack.record() {
        Some(_) => 0,
        None => yielder_size::<Input, Yield>(),
    };
    let wanted = of_yielder + Slot::<F, Return>::SIZE + (Slot::<F, Return>::ALIGNMENT - ALIGNMENT) + MIN_ROOM;
    if wanted > S::LEAST_ROOM {
        let room = base.addr().get() - stack.limit().addr().get();
        if room < wanted {
            too_small(room, wanted);
        }
    }
    // SAFETY: the room that there is covers this, so it stays inside the stack.
    let yielder = unsafe { yielder::<Input, Yield>(stack) };
    // SAFETY: as above; where the yielder is apart, this is the base itself.
    let top = unsafe { base.sub(of_yielder) };
    asan::renewed(stack);
    if before == Before::Unknown {
        // SAFETY: a field of the yielder's place, of which no reference is made: nothing is there yet.
        let parent = unsafe { &raw mut (*yielder.as_ptr()).parent };
        // SAFETY: the stack or the record is this coroutine's alone and as aligned as a yielder.
        unsafe { parent.write(asan::Parent::new()) };
        #[cfg(feature = "alloc")]
        {
            // SAFETY: as for `parent`.
            let deferred = unsafe { &raw mut (*yielder.as_ptr()).deferred };
            // SAFETY: as for `parent`.
            unsafe { deferred.write(DeferList::default()) };
        }
        // SAFETY: the link is the yielder's first field, so it is as aligned and as writable.
        unsafe { Link::prepare(yielder.cast()) };
    }
    // SAFETY: the room covers a slot with its alignment, too: `wanted` counts both.
    let slot = unsafe { Slot::<F, Return>::below(top) };
    // SAFETY: `below` aligned it for either field of the slot, a body is one of them, and nobody else uses the stack.
    unsafe { slot.cast::<F>().write(body) };
    // SAFETY: the base, the rounded size of a yielder and the slot's place are multiples of 16. The link begins the yielder, whose
    // memory is the stack's or a record's, and so is used by nothing else. The memory below the slot is the stack's, by the
    // caller's promise; a stack is not used by two threads.
    unsafe { Context::with_link(yielder.cast(), slot.cast(), root::<F, Input, Yield, Return>) }
}

/// The bytes that a yielder takes on a stack without a record apart.
const fn yielder_size<Input, Yield>() -> usize {
    size_of::<Yielder<Input, Yield>>().next_multiple_of(ALIGNMENT)
}

/// The place of the yielder of a coroutine on this stack; its link begins it.
///
/// # Safety
/// - The stack has room for it.
#[inline(always)]
pub(crate) unsafe fn yielder<Input, Yield>(stack: &impl Stack) -> NonNull<Yielder<Input, Yield>> {
    const {
        assert!(size_of::<Yielder<Input, Yield>>() == size_of::<ControlRecord>());
        assert!(align_of::<Yielder<Input, Yield>>() == align_of::<ControlRecord>());
    }
    match stack.record() {
        Some(record) => record.cast(),
        // SAFETY: the caller's promise.
        None => unsafe { stack.base().sub(yielder_size::<Input, Yield>()) }.cast(),
    }
}

/// The first function of a coroutine: runs the body and leaves its outcome in the slot.
///
/// Returns a pointer to the outcome, or null if the body was dropped without having run.
///
/// # Safety
/// - `link` is that of a coroutine of these types, whose `slot` holds a body.
/// - `value` is an encoded `Input` if `signal` is `RUN`.
unsafe extern "C" fn root<F, Input, Yield, Return>(
    value: Word,
    link: NonNull<Link>,
    signal: usize,
    slot: NonNull<u8>,
) -> Word
where
    F: FnOnce(&Yielder<Input, Yield>, Input) -> Return,
{
    // SAFETY: a link begins a yielder, which was written by `place` and stays until the coroutine is finished.
    let yielder = unsafe { link.cast::<Yielder<Input, Yield>>().as_ref() };
    yielder.parent.entered();
    // SAFETY: the caller's promise.
    let outcome = unsafe { run::<F, Input, Yield, Return>(value, link, signal, slot.cast()) };
    // In a frame that no one has a pointer to, for with this the sanitizer's own frames go.
    yielder.parent.ending();
    Word::new(outcome)
}

/// What `root` returns, up to the last switch.
///
/// # Safety
/// - As for [`root`].
#[cfg_attr(feature = "asan", inline(never))]
#[cfg_attr(not(feature = "asan"), inline(always))]
unsafe fn run<F, Input, Yield, Return>(
    value: Word,
    link: NonNull<Link>,
    signal: usize,
    slot: NonNull<Slot<F, Return>>,
) -> *mut ()
where
    F: FnOnce(&Yielder<Input, Yield>, Input) -> Return,
{
    // SAFETY: as in `root`.
    let yielder = unsafe { link.cast::<Yielder<Input, Yield>>().as_ref() };
    // SAFETY: the body is at the slot's start, and is read this one time.
    let body = unsafe { slot.cast::<F>().read() };
    let place = slot.cast::<Result<Return, Payload>>();
    if signal == RUN {
        // SAFETY: the caller's promise; the resumer keeps the input until the first switch back.
        let outcome = unwind::catch(|| body(yielder, unsafe { decode::<Input>(value) }));
        // SAFETY: the slot has room and alignment for an outcome, and the body has been moved out of it.
        unsafe { place.write(outcome) };
        #[cfg(feature = "alloc")]
        if !yielder.deferred.is_empty() {
            // SAFETY: the outcome has just been written, and the resumer looks at it only after the last switch.
            unsafe { run_deferred::<Return>(&yielder.deferred, place) };
        }
    } else {
        match unwind::catch(|| drop(body)) {
            Ok(()) => return ptr::null_mut(),
            // SAFETY: as for the outcome of a body that ran.
            Err(payload) => unsafe { place.write(Err(payload)) },
        }
    }
    place.as_ptr().cast()
}

/// Runs the cleanups of a coroutine whose body has ended. A panic in one replaces an outcome without.
///
/// # Safety
/// - `outcome` is written, and nothing else refers to it.
#[cfg(feature = "alloc")]
#[cold]
#[inline(never)]
unsafe extern "C" fn run_deferred<Return>(deferred: &DeferList, outcome: NonNull<Result<Return, Payload>>) {
    if let Err(payload) = deferred.finish() {
        // SAFETY: the caller's promise.
        let outcome = unsafe { &mut *outcome.as_ptr() };
        if outcome.is_ok() {
            *outcome = Err(payload);
        }
    }
}

/// Takes the outcome out of a finished coroutine.
///
/// # Safety
/// - `word` is what its `root` returned, with this type, and is not null; its outcome has not been taken.
#[inline(always)]
pub(crate) unsafe fn take_outcome<Return>(word: Word) -> Result<Return, Payload> {
    // SAFETY: the word is `root`'s, by the caller's promise, and `root` makes its word of a pointer.
    let outcome = unsafe { word.assume_init() };
    // SAFETY: it points to an outcome in stack memory that the caller still holds.
    unsafe { outcome.cast::<Result<Return, Payload>>().read() }
}

#[cold]
#[inline(never)]
fn too_small(room: usize, wanted: usize) -> ! {
    panic!("cannot start a coroutine that needs {wanted} bytes on a stack of {room} bytes");
}
