//! A thread's queue: records of deferred calls, and an arena with copies of what they send.
//!
//! Its own thread appends, with nothing but a compare-and-swap at the end: a record counts from then on. Whoever flushes it (its
//! thread, a signal handler on it, another thread) takes all that counts by setting a bit in the same word, and bumps the
//! generation when done. So an append that was overtaken by a flush notices, and starts anew; nothing needs a lock that a signal
//! handler could find taken by the code it interrupted.

use core::cell::UnsafeCell;
use core::sync::atomic::{AtomicPtr, AtomicU32, AtomicU64, Ordering};

use crate::queue::batch::Batch;
use crate::queue::record::Record;
use crate::sys;

/// Records of a segment.
pub(crate) const RECORDS: usize = 1024;
/// Bytes of its arena.
pub(crate) const ARENA: usize = 512 << 10;

/// The word that everything hangs on.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct State(u64);

const COUNT: u64 = 0xffff;
const FLUSHING: u64 = 1 << 16;
/// A thread has it.
const TAKEN: u64 = 1 << 17;

impl State {
    /// Number of records.
    #[inline]
    pub(crate) const fn count(self) -> usize {
        (self.0 & COUNT) as usize
    }

    #[inline]
    pub(crate) const fn is_flushing(self) -> bool {
        self.0 & FLUSHING != 0
    }

    #[inline]
    pub(crate) const fn is_taken(self) -> bool {
        self.0 & TAKEN != 0
    }

    /// How often it was flushed.
    #[inline]
    pub(crate) const fn generation(self) -> u64 {
        self.0 >> 32
    }
}

/// A queue. Its first part is zeroed in a forked child: no records, no thread, no batch.
#[repr(C, align(4096))]
#[derive(Debug)]
pub(crate) struct Segment {
    state: AtomicU64,
    index: AtomicU32,
    batch: AtomicPtr<Batch>,
    /// Entries up to the count are written by no one and read by who set `FLUSHING`; those behind it are the thread's own.
    records: [UnsafeCell<core::mem::MaybeUninit<Record>>; RECORDS],
}

// SAFETY: the records are handed over by the state, as the comment at the field says; all else is atomic.
unsafe impl Sync for Segment {}

/// The right to run the records of a segment.
#[derive(Debug)]
pub(crate) struct Flushing<'s> {
    segment: &'s Segment,
    state: State,
    mask: sys::SignalMask,
}

impl Segment {
    /// A new segment, of the thread that asks.
    pub(crate) fn map() -> Option<&'static Self> {
        let start = sys::map(size_of::<Self>() + ARENA)?;
        // SAFETY: whole pages at the start of the mapping made above: the type is a multiple of the page in size.
        if !unsafe { sys::wipe_on_fork(start.as_ptr(), size_of::<Self>()) } {
            // SAFETY: the mapping made above, which nothing uses.
            unsafe { sys::unmap(start.as_ptr(), size_of::<Self>() + ARENA) };
            return None;
        }
        // SAFETY: page-aligned, large enough, never unmapped from here on, and all zeros is a value of each field (atomics, a
        // null pointer, bytes that need not be initialised).
        let segment: &'static Self = unsafe { start.cast().as_ref() };
        segment.state.store(TAKEN, Ordering::Release);
        Some(segment)
    }

    /// Gives it its place in the registry.
    pub(crate) fn name(&self, index: usize) {
        self.index
            .store(u32::try_from(index).unwrap_or(u32::MAX), Ordering::Relaxed);
    }

    pub(crate) fn index(&self) -> usize {
        self.index.load(Ordering::Relaxed) as usize
    }

    /// Takes a segment that no thread has.
    pub(crate) fn take_over(&self) -> bool {
        let state = self.state();
        !state.is_taken()
            && !state.is_flushing()
            && self
                .state
                .compare_exchange(state.0, state.0 | TAKEN, Ordering::AcqRel, Ordering::Acquire)
                .is_ok()
    }

    /// The thread ends and leaves it, flushed.
    pub(crate) fn leave(&self) {
        let batch = self.batch.swap(core::ptr::null_mut(), Ordering::AcqRel);
        if !batch.is_null() {
            // SAFETY: set by `set_batch` from a box, and swapped out, so nobody else frees it. Nobody uses it: that needs
            // the right to flush, and a segment without records is never flushed.
            drop(unsafe { Box::from_raw(batch) });
        }
        self.state.fetch_and(!TAKEN, Ordering::AcqRel);
    }

    #[inline]
    pub(crate) fn state(&self) -> State {
        State(self.state.load(Ordering::Acquire))
    }

    /// Whether this is still what the thread took, and not a copy that a fork has emptied.
    #[inline]
    pub(crate) fn is_alive(&self) -> bool {
        self.state().is_taken()
    }

    pub(crate) fn set_batch(&self, batch: Box<Batch>) {
        self.batch.store(Box::into_raw(batch), Ordering::Release);
    }

    /// Start of the arena.
    #[inline]
    pub(crate) fn arena(&self) -> *mut u8 {
        let start: *const Self = self;
        start.expose_provenance();
        // The arena is in the same mapping, behind the segment, but not in the reference's provenance.
        core::ptr::with_exposed_provenance_mut(start.addr() + size_of::<Self>())
    }

    /// Where the bytes of the next record go, in a state that this thread has just read.
    #[inline]
    pub(crate) fn end(&self, state: State) -> usize {
        match state.count() {
            0 => 0,
            count => self.get(count - 1).map_or(0, |record| record.end()),
        }
    }

    /// The record at an index below the count. To be called by the thread itself, or with the right to flush.
    #[inline]
    fn get(&self, index: usize) -> Option<Record> {
        let place = self.records.get(index)?;
        // SAFETY: below the count, so written and counted by the thread itself before (`append`), or, with the right to
        // flush, made visible by the acquiring load of the state; nobody writes it while it counts.
        let record = unsafe { place.get().read_volatile() };
        // SAFETY: initialised: it counts.
        Some(unsafe { record.assume_init() })
    }

    /// Appends a record, if the state is still this one. To be called by the thread that has the segment, not from a handler
    /// that interrupted it here.
    #[inline]
    pub(crate) fn append(&self, state: State, record: Record) -> bool {
        let Some(place) = self.records.get(state.count()) else {
            return false;
        };
        // SAFETY: at or behind the count in every state that can be the current one (a flush only lowers it, and nobody else
        // appends), so nobody reads it.
        unsafe { place.get().write_volatile(core::mem::MaybeUninit::new(record)) };
        self.state
            .compare_exchange(state.0, state.0 + 1, Ordering::SeqCst, Ordering::Acquire)
            .is_ok()
    }

    /// Waits for the right to flush; `None` where there is nothing (any more), unless the right is wanted all the same. Signals
    /// are blocked until it is given back.
    pub(crate) fn begin(&self, always: bool) -> Option<Flushing<'_>> {
        if self.state().count() == 0 && !always {
            return None;
        }
        let mask = sys::block_signals();
        let mut turns = 0;
        loop {
            let state = self.state();
            if state.is_flushing() {
                pause(&mut turns);
                continue;
            }
            if state.count() == 0 && !always {
                sys::restore_signals(mask);
                return None;
            }
            let flushing = state.0 | FLUSHING;
            if self
                .state
                .compare_exchange(state.0, flushing, Ordering::AcqRel, Ordering::Acquire)
                .is_ok()
            {
                let state = State(flushing);
                return Some(Flushing {
                    segment: self,
                    state,
                    mask,
                });
            }
        }
    }

    /// Waits until nobody flushes it.
    pub(crate) fn wait(&self) {
        let mut turns = 0;
        while self.state().is_flushing() {
            pause(&mut turns);
        }
    }
}

/// Another thread flushes: that ends soon, as it never waits.
fn pause(turns: &mut u32) {
    *turns += 1;
    if *turns < 100 {
        core::hint::spin_loop();
    } else {
        sys::sleep_ns(20_000);
    }
}

impl<'s> Flushing<'s> {
    pub(crate) fn count(&self) -> usize {
        self.state.count()
    }

    pub(crate) fn segment(&self) -> &'s Segment {
        self.segment
    }

    /// The record at an index below the count.
    #[inline]
    pub(crate) fn record(&self, index: usize) -> Option<Record> {
        if index < self.count() {
            self.segment.get(index)
        } else {
            None
        }
    }

    /// What runs the records.
    pub(crate) fn batch(&mut self) -> Option<&mut Batch> {
        let batch = self.segment.batch.load(Ordering::Acquire);
        // SAFETY: null or a box that `leave` alone frees, which needs a segment without records, while this one has some. The
        // right to flush is one thread's at a time, and the borrow of it makes the reference the only one.
        unsafe { batch.as_mut() }
    }

    /// Gives the right back; the segment is empty.
    pub(crate) fn end(self) {
        let generation = self.state.generation().wrapping_add(1);
        self.segment
            .state
            .store(generation << 32 | self.state.0 & TAKEN, Ordering::SeqCst);
        sys::restore_signals(self.mask);
    }
}
