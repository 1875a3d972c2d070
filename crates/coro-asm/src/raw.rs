//! The bare switch, for those who build their own coroutine or scheduler on it.
//!
//! A suspended coroutine is a [`Context`]: a stack pointer and the address to go on at. [`resume`] calls
//! into it and gives the next context; [`suspend`] goes back to the call. A word and a signal travel with each
//! switch, in registers. Nothing here allocates, unwinds or touches thread-local storage.
//!
//! # Example
//!
//! ```
//! use core::{mem::MaybeUninit, ptr::NonNull};
//! use coro_asm::raw::{self, Context, Link, Word};
//!
//! unsafe extern "C" fn doubler(first: Word, link: NonNull<Link>, _signal: usize) -> Word {
//!     let mut word = first;
//!     loop {
//!         let number = unsafe { word.assume_init() }.addr();
//!         if number == 0 {
//!             return word;
//!         }
//!         let double = Word::new(core::ptr::without_provenance_mut(number * 2));
//!         (word, _) = unsafe { raw::suspend(link, double) };
//!     }
//! }
//!
//! let mut memory = vec![MaybeUninit::<u128>::uninit(); 4096];
//! let base = NonNull::new(memory.as_mut_ptr_range().end.cast()).unwrap();
//! let number = |n| Word::new(core::ptr::without_provenance_mut(n));
//!
//! let fresh = unsafe { Context::new(base, doubler) };
//! let (suspended, word) = unsafe { raw::resume(fresh, base, number(21), 0) };
//! assert_eq!(unsafe { word.assume_init() }.addr(), 42);
//! let (finished, _) = unsafe { raw::resume(suspended, base, number(0), 0) };
//! assert!(finished.is_finished());
//! ```

use core::cell::Cell;
use core::fmt;
use core::hint::assert_unchecked;
use core::marker::PhantomData;
use core::mem::{MaybeUninit, transmute};
use core::ptr::NonNull;

use crate::arch;

/// What travels with a switch: one register, which may hold anything, a pointer with its provenance included.
pub type Word = MaybeUninit<*mut ()>;

/// The function that a coroutine runs: it gets the word and the signal of the first [`resume`], and what it returns goes
/// to the last one.
///
/// An unwinding panic must not leave it; `extern "C"` makes that an abort.
pub type Entry = unsafe extern "C" fn(value: Word, link: NonNull<Link>, signal: usize) -> Word;

/// An [`Entry`] that gets the address where its frames begin, too.
pub(crate) type Root =
    unsafe extern "C" fn(value: Word, link: NonNull<Link>, signal: usize, top: NonNull<u8>) -> Word;

/// The record that leads from a coroutine to its resumer, at the start of its stack or apart from it.
///
/// It begins with a frame record: the resumer's stack pointer and an address in this crate's code. Behind that a suspended
/// coroutine keeps the registers of which no compiler can be told that a switch changes them. A switch touches no other
/// memory of the coroutine's, so it is best to have all of this in one cache line.
#[repr(C)]
pub struct Link {
    /// An address, for the compiler knows a number again where it does not know a pointer.
    parent: Cell<usize>,
    return_pc: usize,
    /// Written by [`suspend`]'s assembly, and read back by it.
    saved: [Cell<usize>; 2],
    /// Where this record is; exposed. The code that resumes knows that, too, and gives it to the coroutine in a register.
    /// [`suspend`] tells the compiler that the two are one, so that it need not read this again from cold memory.
    address: usize,
    /// Neither `Send` nor `Sync`.
    stacks: PhantomData<*mut u8>,
}

impl Link {
    /// Makes ready what stays the same over all coroutines that have this link one after the other.
    ///
    /// # Safety
    /// - `this` is aligned, and its memory is writable.
    #[inline(always)]
    pub(crate) unsafe fn prepare(this: NonNull<Self>) {
        // SAFETY: the field lies in the record.
        let address = unsafe { &raw mut (*this.as_ptr()).address };
        // SAFETY: it is writable and aligned.
        unsafe { address.write(this.as_ptr().expose_provenance()) };
    }
}

impl fmt::Debug for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Link")
            .field("parent", &self.parent)
            .finish_non_exhaustive()
    }
}

/// A coroutine that does not run: fresh, suspended or finished.
///
/// 16 bytes. It is `Copy` because it is only a note of two registers: to resume one twice is undefined behaviour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Context {
    sp: NonNull<u8>,
    pc: usize,
}

impl Context {
    /// The bytes that a fresh context takes below `base`: a [`Link`], rounded up to 16.
    pub const RESERVED: usize = size_of::<Link>().next_multiple_of(16);

    /// Prepares a stack so that the first [`resume`] calls `entry`.
    ///
    /// Writes a [`Link`], [`Self::RESERVED`] bytes below `base`; memory from `base` upwards is not touched, so data
    /// for `entry` can stand there: it finds it so many bytes behind its link.
    ///
    /// # Safety
    /// - `base` is aligned to 16 bytes.
    /// - The memory below `base` is writable and used by nothing else until the context is finished or
    ///   given up, as far down as `entry` and all that it calls and every signal handler that runs meanwhile may grow.
    /// - All resumes happen on the thread that made the first one.
    #[inline]
    pub unsafe fn new(base: NonNull<u8>, entry: Entry) -> Self {
        // SAFETY: the caller owns the memory below `base`.
        let link = unsafe { link_below(base) };
        // SAFETY: function pointers have one size. The code that calls it passes a fourth argument in a register of its own, which
        // a function of three parameters may find changed (System V AMD64 psABI, section 3.2.3; AAPCS64, section 6.8.2).
        let root = unsafe { transmute::<Entry, Root>(entry) };
        // SAFETY: the place is the caller's.
        unsafe { Link::prepare(link) };
        // SAFETY: the caller's promise; nothing lies between the link and the frames.
        unsafe { Self::with_link(link, link.cast(), root) }
    }

    /// As [`Self::new`], with a link that has been prepared, and frames that begin at `top`, wherever the link is.
    ///
    /// # Safety
    /// - As for [`Self::new`], of `top` instead of `base`.
    /// - `link` has been [prepared](Link::prepare), and its memory is used by nothing else for as long as the stack.
    #[inline(always)]
    pub(crate) unsafe fn with_link(link: NonNull<Link>, top: NonNull<u8>, root: Root) -> Self {
        // SAFETY: the first word of the record is writable and aligned.
        unsafe { link.cast::<Root>().write(root) };
        Self {
            sp: top,
            pc: arch::entry_pc(),
        }
    }

    /// The same as finished, for one that will never be resumed again.
    pub(crate) const fn given_up(self) -> Self {
        Self { sp: self.sp, pc: 0 }
    }

    /// Whether the entry function has returned; such a context must not be resumed.
    #[inline(always)]
    pub const fn is_finished(self) -> bool {
        self.pc == 0
    }

    /// Whether the context has never been resumed.
    #[inline]
    pub fn is_fresh(self) -> bool {
        self.pc == arch::entry_pc()
    }

    /// The stack pointer: where the first frame will begin if fresh, where the [`Link`] stands if finished, else the lowest
    /// word in use.
    #[inline]
    pub const fn stack_pointer(self) -> NonNull<u8> {
        self.sp
    }

    /// The address at which the coroutine goes on, 0 when finished.
    #[inline]
    pub const fn program_counter(self) -> usize {
        self.pc
    }
}

/// Runs a coroutine until it suspends or finishes, and tells with what word.
///
/// # Safety
/// - `context` is not finished, and has not been resumed before.
/// - `base` is the one that its coroutine was prepared with by [`Context::new`].
/// - The contract of [`Context::new`] still holds, and this is the thread of the first resume.
/// - The coroutine can make use of `value` and `signal`, which is between it and the caller.
/// - No frame between the coroutine's entry and its suspension point is skipped by other means (`longjmp`, foreign unwinding).
#[inline(always)]
pub unsafe fn resume(context: Context, base: NonNull<u8>, value: Word, signal: usize) -> (Context, Word) {
    // SAFETY: `Context::new` made a link there.
    let link = unsafe { link_below(base) };
    // SAFETY: the caller's promise.
    unsafe { resume_linked(context, link, value, signal) }
}

/// As [`resume`], of a coroutine with this link.
///
/// # Safety
/// - As for [`resume`], of a context that was made with `link`.
#[inline(always)]
pub(crate) unsafe fn resume_linked(
    context: Context,
    link: NonNull<Link>,
    value: Word,
    signal: usize,
) -> (Context, Word) {
    // SAFETY: the caller gives a context that a switch left or `Context` made, for the first time, and its link.
    let (sp, pc, word) =
        unsafe { arch::resume(link.as_ptr(), context.sp.as_ptr(), context.pc, value, signal) };
    // SAFETY: a stack pointer is an address in the coroutine's stack or that of its link, which are not null.
    let sp = unsafe { NonNull::new_unchecked(sp) };
    (Context { sp, pc }, word)
}

/// Suspends the running coroutine and gives its resumer `value`; returns the word and the signal of the next resume.
///
/// # Safety
/// - `link` is what the coroutine's entry function got, and that coroutine is running: this code runs on
///   its stack, or on that of a coroutine that was resumed (through any number of others) from it.
/// - If a resume never follows, the frames up to here are never run and their destructors are skipped;
///   nothing may rely on those.
#[inline(always)]
pub unsafe fn suspend(link: NonNull<Link>, value: Word) -> (Word, usize) {
    // SAFETY: the record lives as long as the coroutine, and only shared references to it are ever made.
    let link = unsafe { link.as_ref() };
    // SAFETY: the coroutine runs, so its link holds the stack pointer of the resume that it came from, and its own address.
    let (address, parent, word, signal) = unsafe { arch::suspend(link.address, link.parent.get(), value) };
    // SAFETY: the resume that has just come here stored it there, and nothing has run since. Said so that a loop around this
    // keeps it in a register, for the next suspension would wait for the load.
    unsafe { assert_unchecked(link.parent.get() == parent) };
    // SAFETY: a resume passes the address of this coroutine's link, which `Context` has noted in it. Said for the same reason.
    unsafe { assert_unchecked(link.address == address) };
    (word, signal)
}

/// Has the processor fetch the cache lines of a coroutine that a [`resume`] touches first: that of its [`Link`], and that of the
/// lowest frame, which the body will need. Does not wait for them.
///
/// For a scheduler that knows what it will resume next; see [`Coroutine::prefetch`](crate::Coroutine::prefetch) for when it
/// pays. Any `context` and `base` will do, also those of a coroutine that is no more, for nothing is read.
#[inline(always)]
pub fn prefetch(context: Context, base: NonNull<u8>) {
    prefetch_linked(context, base.as_ptr().wrapping_sub(Context::RESERVED).cast());
}

/// As [`prefetch`], of a coroutine with this link.
#[inline(always)]
pub(crate) fn prefetch_linked(context: Context, link: *const Link) {
    arch::prefetch(link.cast());
    arch::prefetch(context.sp.as_ptr());
}

/// The link that [`Context::new`] makes.
///
/// # Safety
/// - The memory below `base` is a stack's.
#[inline(always)]
unsafe fn link_below(base: NonNull<u8>) -> NonNull<Link> {
    // SAFETY: the caller's promise.
    unsafe { base.sub(Context::RESERVED) }.cast()
}

/// Whether this thread runs on a CET shadow stack (x86_64) or a guarded control stack (AArch64).
///
/// The processor keeps a second copy of return addresses there, which does not follow a switch, so that the first
/// return after one traps. The stacks of this crate refuse to be made on such a thread; a [`Stack`](crate::Stack) of your own
/// may ask here.
#[inline]
pub fn shadow_stack_enabled() -> bool {
    arch::shadow_stack_enabled()
}

#[cold]
#[inline(never)]
pub(crate) fn shadow_stack_refused() -> ! {
    panic!("cannot switch stacks while a hardware shadow stack (CET, GCS) is enabled on this thread");
}
