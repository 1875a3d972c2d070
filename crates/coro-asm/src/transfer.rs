//! Values cross the switch in one register: in itself if small enough, else as a pointer.

use core::mem::{ManuallyDrop, MaybeUninit};

use crate::raw::Word;

const fn fits<T>() -> bool {
    size_of::<T>() <= size_of::<Word>()
}

/// Packs `value` for the other side, which unpacks it by [`decode`].
///
/// The word may point at `value`, so `value` must stay where it is until the other side has run `decode`.
#[inline(always)]
pub(crate) fn encode<T>(value: &mut ManuallyDrop<T>) -> Word {
    if fits::<T>() {
        let mut word = Word::uninit();
        // SAFETY: `T` is no larger than `Word`, both are valid for that many bytes, and a local does not overlap `value`.
        unsafe {
            word.as_mut_ptr()
                .cast::<MaybeUninit<u8>>()
                .copy_from_nonoverlapping((&raw const *value).cast(), size_of::<T>())
        };
        word
    } else {
        Word::new((&raw mut *value).cast())
    }
}

/// Takes out the value that [`encode`] packed.
///
/// # Safety
/// - `word` comes from `encode::<T>`, whose argument has neither moved nor been dropped.
/// - Each word is decoded at most once.
#[inline(always)]
pub(crate) unsafe fn decode<T>(word: Word) -> T {
    if fits::<T>() {
        // SAFETY: `encode` copied a valid `T` to the start of the word; alignment is not needed.
        unsafe { (&raw const word).cast::<T>().read_unaligned() }
    } else {
        // SAFETY: `encode` stored a pointer in every byte of the word.
        let pointer = unsafe { word.assume_init() };
        // SAFETY: it points at a live, aligned `T` by the caller's promise, and no one else reads that again.
        unsafe { pointer.cast::<T>().read() }
    }
}
