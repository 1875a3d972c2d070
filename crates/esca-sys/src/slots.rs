//! What belongs to the entries of a segment beside the table: one slot for each entry, used again and again.

use alloc::boxed::Box;
use core::cell::UnsafeCell;
use core::mem::{self, MaybeUninit};
use core::ptr::NonNull;

use batch_table::{Call, Outcome};

use crate::descriptor::Owner;
use crate::operation::Payload;
use crate::optimise::Hint;
use crate::{Buffer, Completion, address};

/// Token, memory and open files of one entry.
pub(crate) struct Slot {
    pub(crate) token: u64,
    pub(crate) payload: Payload,
    pub(crate) hint: Hint,
    /// Here only to be dropped with the entry.
    pub(crate) first: Owner,
    pub(crate) second: Owner,
}

/// The slots of a table, and two words for each entry that the kernel may write.
pub(crate) struct Slots {
    /// Initialised from the first [`put`](Self::put) of a position on; from [`finish`](Self::finish) to the next `put`
    /// with nothing in it that would have to be dropped, so that recording can simply overwrite it.
    slots: Box<[MaybeUninit<Slot>]>,
    /// As many as there are slots. Behind a raw pointer because the kernel writes them while references to the slots
    /// are in use.
    words: NonNull<[UnsafeCell<[u64; 2]>]>,
}

// SAFETY: `words` is owned by this value alone, as a box would be.
unsafe impl Send for Slots {}

impl Slots {
    /// Slots for a table of `capacity` entries, a power of two.
    pub(crate) fn new(capacity: u32) -> Self {
        let words: Box<[_]> = (0..capacity).map(|_| UnsafeCell::new([0; 2])).collect();
        Self {
            slots: (0..capacity).map(|_| MaybeUninit::uninit()).collect(),
            words: NonNull::from(Box::leak(words)),
        }
    }

    /// The slot of `position`.
    #[inline]
    fn slot(&self, position: u32) -> &MaybeUninit<Slot> {
        let index = position as usize & (self.slots.len() - 1);
        // SAFETY: there is a power of two of slots, so at least one, and the index is masked to below it. Without a check
        // that could panic the compiler keeps an operation in registers on its way into the slot.
        unsafe { self.slots.get_unchecked(index) }
    }

    /// As [`slot`](Self::slot), to change it.
    #[inline]
    fn slot_mut(&mut self, position: u32) -> &mut MaybeUninit<Slot> {
        let index = position as usize & (self.slots.len() - 1);
        // SAFETY: as in `slot`.
        unsafe { self.slots.get_unchecked_mut(index) }
    }

    /// Fills the slot of `position`, which must be empty (what was in it would be leaked).
    #[inline]
    pub(crate) fn put(&mut self, position: u32, slot: Slot) {
        self.slot_mut(position).write(slot);
    }

    /// Stores the words of a payload where they stay until the entry of `position` is finished, and makes the arguments of
    /// `call` point there.
    #[inline]
    pub(crate) fn put_words(&mut self, position: u32, payload: &Payload, call: &mut Call) {
        let Payload::Words { words, args } = payload else {
            return;
        };
        let place = self.place(position);
        // SAFETY: in bounds by `place`; no call is in flight while the segment is borrowed for recording, so nobody else
        // reads or writes the words.
        unsafe { place.write(*words) };
        for (index, arg) in args.iter().enumerate() {
            if let Some(arg) = arg.and_then(|arg| call.args.get_mut(usize::from(arg))) {
                *arg = address(place.cast_const()) + (index * size_of::<u64>()) as u64;
            }
        }
    }

    /// Where the words of `position` are.
    #[inline]
    fn place(&self, position: u32) -> *mut [u64; 2] {
        let index = position as usize & (self.slots.len() - 1);
        let first: *mut UnsafeCell<[u64; 2]> = self.words.as_ptr().cast();
        // SAFETY: the index is below the number of slots, and there are as many words.
        let place = unsafe { first.add(index) };
        UnsafeCell::raw_get(place)
    }

    /// What the optimiser has to know about the entry of `position`.
    ///
    /// # Safety
    ///
    /// - The slot of `position` has been filled and not been emptied since.
    #[inline]
    pub(crate) unsafe fn hint(&self, position: u32) -> Hint {
        // SAFETY: filled, by the caller's promise.
        unsafe { self.slot(position).assume_init_ref() }.hint
    }

    /// Empties the slot of `position` and makes its completion.
    ///
    /// # Safety
    ///
    /// - The slot of `position` has been filled.
    #[inline(always)]
    pub(crate) unsafe fn finish(&mut self, position: u32, outcome: Outcome) -> Completion {
        // SAFETY: filled, by the caller's promise.
        let slot = unsafe { self.slot_mut(position).assume_init_mut() };
        // Before the payload is moved: then that has to be kept nowhere while these drop.
        slot.first = Owner::default();
        slot.second = Owner::default();
        let (token, payload) = (slot.token, mem::take(&mut slot.payload));
        Completion {
            token,
            result: outcome.result(),
            buffer: payload.finish(outcome),
        }
    }
}

impl Drop for Slots {
    fn drop(&mut self) {
        // SAFETY: made from a box in `new`, and never given away.
        drop(unsafe { Box::from_raw(self.words.as_ptr()) });
    }
}

impl Payload {
    /// The buffer that goes back to the caller.
    #[inline(always)]
    fn finish(self, outcome: Outcome) -> Option<Buffer> {
        if let Self::Buffer(buffer) = self {
            return Some(buffer);
        }
        self.finish_other(outcome)
    }

    #[inline(never)]
    fn finish_other(self, outcome: Outcome) -> Option<Buffer> {
        match self {
            Self::None | Self::Words { .. } => None,
            Self::Buffer(buffer) => Some(buffer),
            Self::Fill(mut bytes) => {
                let start = bytes.len();
                let end = start + received(outcome, bytes.capacity() - start);
                // SAFETY: the call was given the spare capacity of this vector, which nobody has touched since; it
                // returned a number of bytes, so it has written as many from the start of that capacity.
                unsafe { bytes.set_len(end) };
                Some(Buffer::filled(bytes, start))
            }
            Self::FillEvents(mut events) => {
                let len = events.len() + received(outcome, events.capacity() - events.len());
                // SAFETY: as above, with events in place of bytes.
                unsafe { events.set_len(len) };
                Some(Buffer::events(events))
            }
            #[cfg(feature = "std")]
            Self::Close(file) => {
                if outcome.closed() {
                    core::mem::forget(file);
                }
                None
            }
        }
    }
}

/// How many elements a call put into `room` elements.
#[inline]
fn received(outcome: Outcome, room: usize) -> usize {
    let count = outcome.result().into_result().unwrap_or(0);
    usize::try_from(count).unwrap_or(usize::MAX).min(room)
}

/// Whether a `close` that ended so has freed the number.
#[cfg(feature = "std")]
trait Closed {
    fn closed(self) -> bool;
}

#[cfg(feature = "std")]
impl Closed for Outcome {
    #[inline]
    fn closed(self) -> bool {
        use batch_table::Errno;
        match self {
            Self::Canceled => false,
            // Linux frees the number before it reports what went wrong; only a call that was refused as a whole, by a
            // filter or by an executor that does not know it, leaves it open.
            Self::Done(result) => !matches!(
                result.errno(),
                Some(Errno::EPERM | Errno::EACCES | Errno::ENOSYS | Errno::EINVAL | Errno::EOPNOTSUPP)
            ),
        }
    }
}
