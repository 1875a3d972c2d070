//! What a coroutine keeps at the top of its stack, and the function at its root.
//!
//! ```text
//!   base ->  +------------------------+
//!            | deferred cleanups      |  only with `alloc`
//!            | link                   |  <- the yielder
//!            +------------------------+
//!            | slot                   |  the body before it runs, its outcome afterwards
//!            +------------------------+
//!            | frames                 |
//! ```
//!
//! The link comes first, at a distance from the base that does not depend on the body: a handle, which does not
//! know the body's type, tells each resume where it is.

use core::mem::ManuallyDrop;
use core::ptr::{self, NonNull};

use crate::asan;
#[cfg(feature = "alloc")]
use crate::defer::DeferList;
use crate::raw::{Context, Link, Word};
use crate::signal::RUN;
use crate::stack::{ALIGNMENT, Stack};
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

    /// The slot below a link.
    ///
    /// # Safety
    /// - The memory below the link reaches down by [`Self::SIZE`] and the alignment, without its least of 16.
    #[inline(always)]
    unsafe fn below(link: NonNull<Link>) -> NonNull<Self> {
        let misalignment = match Self::ALIGNMENT {
            ALIGNMENT => 0, // A link is.
            alignment => (link.addr().get() - Self::SIZE) % alignment,
        };
        // SAFETY: the caller's promise.
        unsafe { link.cast::<u8>().sub(Self::SIZE + misalignment) }.cast()
    }
}

/// Moves `body` to the top of `stack` and makes a context that will run it.
///
/// # Panics
/// When there is no room for the body, its outcome and some frames.
///
/// # Safety
/// - The stack is not in use, and `stack` lives until the context is finished or for ever.
/// - All that `body` refers to lives until the context is finished, or will never be touched.
#[inline(always)]
pub(crate) unsafe fn place<F, Input, Yield, Return>(stack: &impl Stack, body: F) -> Context
where
    F: FnOnce(&Yielder<Input, Yield>, Input) -> Return,
{
    let base = stack.base();
    let room = base.addr().get() - stack.limit().addr().get();
    let overhead = size_of::<Yielder<Input, Yield>>() + Slot::<F, Return>::SIZE;
    let wanted = overhead + (Slot::<F, Return>::ALIGNMENT - ALIGNMENT) + MIN_ROOM;
    if room < wanted {
        too_small(room, wanted);
    }
    // SAFETY: `room` covers this, so it stays inside the stack.
    let yielder = unsafe { base.cast::<Yielder<Input, Yield>>().sub(1) };
    asan::renewed(stack);
    // SAFETY: the place lies in the yielder.
    let parent = unsafe { &raw mut (*yielder.as_ptr()).parent };
    // SAFETY: it is aligned and unused.
    unsafe { parent.write(asan::Parent::new()) };
    #[cfg(feature = "alloc")]
    {
        // SAFETY: the place lies in the yielder.
        let deferred = unsafe { &raw mut (*yielder.as_ptr()).deferred };
        // SAFETY: it is aligned and unused.
        unsafe { deferred.write(DeferList::default()) };
    }
    // SAFETY: `room` covers this, too.
    let slot = unsafe { Slot::<F, Return>::below(yielder.cast()) };
    // SAFETY: it is aligned and unused, and a body fits.
    unsafe { slot.cast::<F>().write(body) };
    // SAFETY: the yielder that belongs there has its place.
    let link_base = unsafe { link_base::<Input, Yield>(base) };
    // SAFETY: the base, the sizes of a yielder and a link, and the slot's place are multiples of 16, and the slot is below
    // the link. The memory below is the stack's, by the caller's promise; a stack is not used by two threads.
    unsafe { Context::with_frames_below(slot.cast(), link_base, root::<F, Input, Yield, Return>) }
}

/// The end of the link on a stack with this base.
///
/// # Safety
/// - [`place`] has prepared, or is preparing, that stack for these types.
#[inline(always)]
pub(crate) unsafe fn link_base<Input, Yield>(base: NonNull<u8>) -> NonNull<u8> {
    // SAFETY: a yielder ends at the base, and a link begins it.
    unsafe { base.sub(size_of::<Yielder<Input, Yield>>() - Context::RESERVED) }
}

/// The first function of a coroutine: runs the body and leaves its outcome in the slot.
///
/// Returns a pointer to the outcome, or null if the body was dropped without having run.
///
/// # Safety
/// - `link` is that of a coroutine of these types, whose slot holds a body.
/// - `value` is an encoded `Input` if `signal` is `RUN`.
unsafe extern "C" fn root<F, Input, Yield, Return>(value: Word, link: NonNull<Link>, signal: usize) -> Word
where
    F: FnOnce(&Yielder<Input, Yield>, Input) -> Return,
{
    // SAFETY: a link begins a yielder, which was written by `place` and stays until the coroutine is finished.
    let yielder = unsafe { link.cast::<Yielder<Input, Yield>>().as_ref() };
    yielder.parent.entered();
    // SAFETY: the caller's promise.
    let outcome = unsafe { run::<F, Input, Yield, Return>(value, link, signal) };
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
unsafe fn run<F, Input, Yield, Return>(value: Word, link: NonNull<Link>, signal: usize) -> *mut ()
where
    F: FnOnce(&Yielder<Input, Yield>, Input) -> Return,
{
    // SAFETY: as in `root`.
    let yielder = unsafe { link.cast::<Yielder<Input, Yield>>().as_ref() };
    // SAFETY: `place` has made it there.
    let slot = unsafe { Slot::<F, Return>::below(link) };
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
            // SAFETY: the outcome has just been written.
            unsafe { run_deferred::<Return>(&yielder.deferred, place) };
        }
    } else {
        match unwind::catch(|| drop(body)) {
            Ok(()) => return ptr::null_mut(),
            // SAFETY: as above.
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
    // SAFETY: `root` returns a word with a value.
    let outcome = unsafe { word.assume_init() };
    // SAFETY: it points to an outcome in stack memory that the caller still holds.
    unsafe { outcome.cast::<Result<Return, Payload>>().read() }
}

#[cold]
#[inline(never)]
fn too_small(room: usize, wanted: usize) -> ! {
    panic!("cannot start a coroutine that needs {wanted} bytes on a stack of {room} bytes");
}
