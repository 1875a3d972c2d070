//! What a coroutine keeps at the top of its stack, and the function at its root.
//!
//! ```text
//!   base ->  +------------------------+
//!            | slot                   |  the body before it runs, its outcome afterwards
//!            +------------------------+
//!            | deferred cleanups      |  only with `alloc`
//!            | link                   |  <- the yielder
//!            +------------------------+
//!            | frames                 |
//! ```

use core::mem::{ManuallyDrop, offset_of};
use core::ptr::{self, NonNull};

#[cfg(feature = "alloc")]
use crate::defer::DeferList;
use crate::raw::{Context, Link, Word};
use crate::stack::{ALIGNMENT, Stack};
use crate::transfer::decode;
use crate::unwind::{self, Payload};
use crate::yielder::Yielder;

/// The signal of a resume with an input.
pub(crate) const RUN: usize = 0;
/// The signal of a resume that ends the coroutine; it comes without an input.
pub(crate) const UNWIND: usize = 1;
/// The signal of a resume that has a suspended coroutine run its deferred cleanups and suspend again, for the last time.
#[cfg(feature = "alloc")]
pub(crate) const ABANDON: usize = 2;

/// The least room for frames that a coroutine is started with, in bytes.
const MIN_ROOM: usize = 512;

#[repr(C, align(16))]
struct Frame<F, Input, Yield, Return> {
    /// First, so that a pointer to a link is one to its frame.
    yielder: Yielder<Input, Yield>,
    slot: Slot<F, Return>,
}

#[repr(C)]
union Slot<F, Return> {
    body: ManuallyDrop<F>,
    outcome: ManuallyDrop<Result<Return, Payload>>,
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
    let size = size_of::<Frame<F, Input, Yield, Return>>();
    let alignment = align_of::<Frame<F, Input, Yield, Return>>();
    let wanted = size + (alignment - ALIGNMENT) + MIN_ROOM;
    if room < wanted {
        too_small(room, wanted);
    }
    let misalignment = match alignment {
        ALIGNMENT => 0, // The base is.
        alignment => (base.addr().get() - size) % alignment,
    };
    // SAFETY: `room` covers this, so it stays inside the stack.
    let frame = unsafe { base.sub(size + misalignment) }.cast::<Frame<F, Input, Yield, Return>>();
    #[cfg(feature = "alloc")]
    {
        // SAFETY: the place lies in the frame.
        let deferred = unsafe { &raw mut (*frame.as_ptr()).yielder.deferred };
        // SAFETY: it is aligned and unused.
        unsafe { deferred.write(DeferList::default()) };
    }
    // SAFETY: the place lies in the frame.
    let slot = unsafe { &raw mut (*frame.as_ptr()).slot };
    // SAFETY: it is aligned and unused, and a body fits.
    unsafe { slot.cast::<F>().write(body) };
    // SAFETY: the end of a link lies within the yielder.
    let above_link = unsafe { frame.cast::<u8>().add(Context::RESERVED) };
    // SAFETY: the frame's alignment and the link's size are multiples of 16. The memory below is the stack's, by the
    // caller's promise; a stack is not used by two threads.
    unsafe { Context::new(above_link, root::<F, Input, Yield, Return>) }
}

/// The first function of a coroutine: runs the body and leaves its outcome in the slot.
///
/// Returns a pointer to the outcome, or null if the body was dropped without having run.
///
/// # Safety
/// - `link` is that of a frame of these types, which holds a body.
/// - `value` is an encoded `Input` if `signal` is `RUN`.
unsafe extern "C" fn root<F, Input, Yield, Return>(value: Word, link: NonNull<Link>, signal: usize) -> Word
where
    F: FnOnce(&Yielder<Input, Yield>, Input) -> Return,
{
    // SAFETY: the slot lies in the frame that the link begins.
    let slot = unsafe { link.byte_add(offset_of!(Frame<F, Input, Yield, Return>, slot)) };
    // SAFETY: the body is at the slot's start, and is read this one time.
    let body = unsafe { slot.cast::<F>().read() };
    let place = slot.cast::<Result<Return, Payload>>();
    if signal == RUN {
        // SAFETY: the yielder is the frame's first field, was written by `place`, and stays until the coroutine is finished.
        let yielder = unsafe { link.cast::<Yielder<Input, Yield>>().as_ref() };
        // SAFETY: the caller's promise; the resumer keeps the input until the first switch back.
        let outcome = unwind::catch(|| body(yielder, unsafe { decode::<Input>(value) }));
        // SAFETY: the slot has room and alignment for an outcome, and the body has been moved out of it.
        unsafe { place.write(outcome) };
        #[cfg(feature = "alloc")]
        if !yielder.deferred.is_empty() {
            // SAFETY: the outcome has just been written.
            return unsafe { run_deferred::<Return>(&yielder.deferred, place) };
        }
    } else {
        match unwind::catch(|| drop(body)) {
            Ok(()) => return Word::new(ptr::null_mut()),
            // SAFETY: as above.
            Err(payload) => unsafe { place.write(Err(payload)) },
        }
    }
    Word::new(place.as_ptr().cast())
}

/// Runs the cleanups of a coroutine whose body has ended. A panic in one replaces an outcome without.
///
/// # Safety
/// - `outcome` is written, and nothing else refers to it.
#[cfg(feature = "alloc")]
#[cold]
#[inline(never)]
unsafe extern "C" fn run_deferred<Return>(
    deferred: &DeferList,
    outcome: NonNull<Result<Return, Payload>>,
) -> Word {
    if let Err(payload) = deferred.finish() {
        // SAFETY: the caller's promise.
        let outcome = unsafe { &mut *outcome.as_ptr() };
        if outcome.is_ok() {
            *outcome = Err(payload);
        }
    }
    Word::new(outcome.as_ptr().cast())
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
