//! What belongs to the entries of a segment beside the table: one slot for each entry, used again and again.

use alloc::boxed::Box;
use core::cell::UnsafeCell;
use core::mem;
use core::ptr::NonNull;

use batch_table::{Call, Outcome};

use crate::descriptor::Owner;
use crate::operation::Payload;
use crate::optimise::Hint;
use crate::{Buffer, Completion, address};

/// Token, memory and open files of one entry.
#[derive(Default)]
pub(crate) struct Slot {
    pub(crate) token: u64,
    pub(crate) payload: Payload,
    pub(crate) hint: Hint,
    pub(crate) owners: [Owner; 2],
}

/// The slots of a table, and two words for each entry that the kernel may write.
pub(crate) struct Slots {
    slots: Box<[Slot]>,
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
            slots: (0..capacity).map(|_| Slot::default()).collect(),
            words: NonNull::from(Box::leak(words)),
        }
    }

    #[inline]
    const fn index(&self, position: u32) -> usize {
        position as usize & (self.slots.len() - 1)
    }

    /// Fills the slot of `position`, and stores the words of the payload where the arguments of `call` will find them.
    #[inline]
    pub(crate) fn put(&mut self, position: u32, slot: Slot, call: &mut Call) {
        if let Payload::Words { words, args } = &slot.payload {
            let place = self.place(position);
            // SAFETY: in bounds by `place`; no call is in flight while the segment is borrowed for recording, so nobody
            // else reads or writes the words.
            unsafe { place.write(*words) };
            for (index, arg) in args.iter().enumerate() {
                if let Some(arg) = *arg {
                    call.args[usize::from(arg)] =
                        address(place.cast_const()) + (index * size_of::<u64>()) as u64;
                }
            }
        }
        let index = self.index(position);
        self.slots[index] = slot;
    }

    /// Where the words of `position` are.
    #[inline]
    fn place(&self, position: u32) -> *mut [u64; 2] {
        let first: *mut UnsafeCell<[u64; 2]> = self.words.as_ptr().cast();
        // SAFETY: the index is below the number of slots, and there are as many words.
        let place = unsafe { first.add(self.index(position)) };
        UnsafeCell::raw_get(place)
    }

    /// What the optimiser has to know about the entry of `position`.
    #[inline]
    pub(crate) fn hint(&self, position: u32) -> Hint {
        self.slots[self.index(position)].hint
    }

    /// Empties the slot of `position` and makes its completion.
    #[inline]
    pub(crate) fn finish(&mut self, position: u32, outcome: Outcome) -> Completion {
        let index = self.index(position);
        let slot = &mut self.slots[index];
        let payload = mem::take(&mut slot.payload);
        slot.owners = Default::default();
        Completion {
            token: slot.token,
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
    #[inline]
    fn finish(self, outcome: Outcome) -> Option<Buffer> {
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
                    mem::forget(file);
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
