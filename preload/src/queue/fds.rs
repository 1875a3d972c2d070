//! What is known about each descriptor.
//!
//! Nothing may be deferred on a descriptor but what this process itself made, by a call that the shim saw, and has shared
//! with nobody since. So nobody else can change its mode, or write to it behind the queue's back.

use core::sync::atomic::{AtomicI32, AtomicU16, AtomicU32, Ordering};

/// Descriptors from this number on are passed through.
pub(crate) const LIMIT: usize = 1 << 16;

/// A TCP socket that this process made and has not shared.
pub(crate) const TCP: u32 = 1;
/// The same for a stream socket of the Unix domain.
pub(crate) const UNIX: u32 = 1 << 1;
/// `O_NONBLOCK` is set.
pub(crate) const NONBLOCK: u32 = 1 << 2;
/// Was accepted, or has moved bytes: a send does not fail because it is not connected.
pub(crate) const CONNECTED: u32 = 1 << 3;
/// What a connection accepted here is: a TCP socket.
pub(crate) const ACCEPTS_TCP: u32 = 1 << 4;
/// The same, a stream socket of the Unix domain.
pub(crate) const ACCEPTS_UNIX: u32 = 1 << 5;
/// The same, neither.
pub(crate) const ACCEPTS_OTHER: u32 = 1 << 6;
/// Entries for it are in the owner's segment.
pub(crate) const QUEUED: u32 = 1 << 7;
/// Bytes that were promised, but that the kernel has not taken yet.
pub(crate) const REMAINDER: u32 = 1 << 8;
/// An error waits to be reported.
pub(crate) const LATCHED: u32 = 1 << 9;
/// Nothing is deferred on it any more.
pub(crate) const SYNCHRONOUS: u32 = 1 << 10;
/// `TCP_CORK` is known to be off.
pub(crate) const UNCORKED: u32 = 1 << 11;
/// A regular file, or a file that never waits.
pub(crate) const NEVER_WAITS: u32 = 1 << 12;
/// A read found nothing while sends were queued.
pub(crate) const READ_PAST: u32 = 1 << 13;
/// An epoll instance watches what arrives, and says so as long as there is something.
pub(crate) const LEVEL: u32 = 1 << 14;

/// A call on it has something to see to first.
pub(crate) const ATTENTION: u32 = QUEUED | REMAINDER | LATCHED;
/// The thread with its work: the index of the segment.
const OWNER_SHIFT: u32 = 16;

/// A descriptor.
#[derive(Debug)]
pub(crate) struct Fd {
    word: AtomicU32,
    /// Bytes of the send buffer that may still be promised, as the kernel counts them.
    room: AtomicI32,
    latch: AtomicU16,
    /// The turn of a thread in which it was last sent on, or 0.
    sent: AtomicU16,
    /// The epoll instance that it was added to and 1, or [`SEVERAL`].
    epoll: AtomicU16,
    /// The number of the batch that it was last put into: a note of whoever runs its owner's records.
    batch: AtomicU16,
}

/// Added to more than one epoll instance, or to one with a number that is not kept.
pub(crate) const SEVERAL: u32 = MANY as u32;
const MANY: u16 = u16::MAX;

/// What became of a try to own a descriptor.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Claim {
    /// It is this segment's.
    Owned,
    /// Another segment has entries for it.
    Other(usize),
    /// Nothing may be deferred on it.
    No,
}

impl Fd {
    #[cfg(test)]
    pub(crate) const fn new() -> Self {
        Self {
            word: AtomicU32::new(0),
            room: AtomicI32::new(0),
            latch: AtomicU16::new(0),
            sent: AtomicU16::new(0),
            epoll: AtomicU16::new(0),
            batch: AtomicU16::new(0),
        }
    }

    #[inline]
    pub(crate) fn word(&self) -> u32 {
        self.word.load(Ordering::Acquire)
    }

    #[inline]
    pub(crate) fn set(&self, bits: u32) {
        self.word.fetch_or(bits, Ordering::AcqRel);
    }

    #[inline]
    pub(crate) fn clear(&self, bits: u32) {
        self.word.fetch_and(!bits, Ordering::AcqRel);
    }

    /// Forgets everything: the number is closed, or means another file now.
    #[inline]
    pub(crate) fn reset(&self, bits: u32) {
        self.room.store(0, Ordering::Relaxed);
        self.latch.store(0, Ordering::Relaxed);
        self.sent.store(0, Ordering::Relaxed);
        self.epoll.store(0, Ordering::Relaxed);
        self.word.store(bits, Ordering::Release);
    }

    /// The number is about to be closed. Which epoll instance it is in stays known: should data be left, it is taken out.
    #[inline]
    pub(crate) fn close(&self) {
        self.word.store(0, Ordering::Release);
    }

    /// Whether a send may be deferred.
    #[inline]
    pub(crate) const fn is_deferrable(word: u32) -> bool {
        word & (TCP | UNIX) != 0
            && word & (NONBLOCK | CONNECTED) == NONBLOCK | CONNECTED
            && word & (REMAINDER | LATCHED | SYNCHRONOUS) == 0
    }

    /// Index of the segment with its entries.
    #[inline]
    pub(crate) const fn owner(word: u32) -> usize {
        (word >> OWNER_SHIFT) as usize
    }

    /// Makes the segment of this index the owner, unless another one has entries.
    #[inline]
    pub(crate) fn claim(&self, index: usize) -> Claim {
        let mut word = self.word();
        loop {
            if word & QUEUED != 0 {
                return if Self::owner(word) == index {
                    Claim::Owned
                } else {
                    Claim::Other(Self::owner(word))
                };
            }
            if !Self::is_deferrable(word) {
                return Claim::No;
            }
            let kept = word & ((1 << OWNER_SHIFT) - 1);
            // Fits: a registry has fewer than 2^16 segments.
            let owned = kept | QUEUED | u32::try_from(index).unwrap_or(0) << OWNER_SHIFT;
            match self
                .word
                .compare_exchange(word, owned, Ordering::AcqRel, Ordering::Acquire)
            {
                Ok(_) => return Claim::Owned,
                Err(now) => word = now,
            }
        }
    }

    /// Notes that the segment of this index has no entries for it.
    #[inline]
    pub(crate) fn release(&self, index: usize) {
        let mut word = self.word();
        while word & QUEUED != 0 && Self::owner(word) == index {
            match self.word.compare_exchange(
                word,
                word & !(QUEUED | READ_PAST),
                Ordering::AcqRel,
                Ordering::Acquire,
            ) {
                Ok(_) => return,
                Err(now) => word = now,
            }
        }
    }

    #[inline]
    pub(crate) fn room(&self) -> i32 {
        self.room.load(Ordering::Relaxed)
    }

    #[inline]
    pub(crate) fn set_room(&self, bytes: i32) {
        self.room.store(bytes, Ordering::Relaxed);
    }

    /// Two threads at once may lose one of both, which makes a promise come back short at worst.
    #[inline]
    pub(crate) fn use_room(&self, bytes: i32) {
        self.set_room(self.room().saturating_sub(bytes));
    }

    /// Keeps an error for the next call.
    pub(crate) fn latch(&self, errno: i32) {
        // The kernel's numbers end at 4095.
        self.latch
            .store(u16::try_from(errno).unwrap_or(0), Ordering::Relaxed);
        self.set(LATCHED | SYNCHRONOUS);
    }

    /// Takes the error that was kept.
    pub(crate) fn take_latch(&self) -> Option<i32> {
        let errno = self.latch.swap(0, Ordering::Relaxed);
        self.clear(LATCHED);
        (errno != 0).then_some(errno.into())
    }

    /// The turn in which it was last sent on, or 0.
    #[inline]
    pub(crate) fn sent(&self) -> u16 {
        self.sent.load(Ordering::Relaxed)
    }

    #[inline]
    pub(crate) fn set_sent(&self, turn: u16) {
        self.sent.store(turn, Ordering::Relaxed);
    }

    /// Notes that it was added to an epoll instance.
    pub(crate) fn added_to(&self, epoll: i32) {
        let mark = u16::try_from(epoll.wrapping_add(1)).unwrap_or(MANY);
        let before = self.epoll.load(Ordering::Relaxed);
        let after = if before == 0 || before == mark { mark } else { MANY };
        self.epoll.store(after, Ordering::Relaxed);
    }

    /// The epoll instance and 1, 0 for none, or [`SEVERAL`].
    pub(crate) fn epoll(&self) -> u32 {
        self.epoll.load(Ordering::Relaxed).into()
    }

    #[inline]
    pub(crate) fn batch(&self) -> u16 {
        self.batch.load(Ordering::Relaxed)
    }

    #[inline]
    pub(crate) fn set_batch(&self, number: u16) {
        self.batch.store(number, Ordering::Relaxed);
    }
}
