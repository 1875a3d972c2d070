//! Memory that belongs to an entry until its completion is taken.

use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;
use core::ops::Range;

use crate::{EpollEvent, Vectored};

/// Bytes that an entry owns: they can neither move nor be freed while the kernel may look at them.
///
/// It comes back in the [`Completion`](crate::Completion), so that a pool can use the memory again.
pub struct Buffer(Repr);

/// Apart from what has to be freed, so that dropping the other kind is one comparison.
enum Repr {
    Static(&'static [u8]),
    Owned(Owned),
}

enum Owned {
    Vec {
        bytes: Vec<u8>,
        start: usize,
        end: usize,
    },
    Shared {
        bytes: Arc<[u8]>,
        start: usize,
        end: usize,
    },
    Dyn {
        owner: Arc<dyn AsRef<[u8]> + Send + Sync>,
        start: usize,
        end: usize,
    },
    Vectored(Vectored),
    Events(Vec<EpollEvent>),
}

/// The range of a buffer reaches beyond its bytes. The bytes are given back.
pub struct RangeError<T> {
    /// The memory.
    pub memory: T,
    /// The range that was asked for.
    pub range: Range<usize>,
    /// The number of bytes there are.
    pub len: usize,
}

impl<T> fmt::Display for RangeError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "range {}..{} does not lie in a buffer of {} bytes",
            self.range.start, self.range.end, self.len
        )
    }
}

impl<T> fmt::Debug for RangeError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RangeError")
            .field("range", &self.range)
            .field("len", &self.len)
            .finish_non_exhaustive()
    }
}

impl<T> core::error::Error for RangeError<T> {}

const fn fits(range: &Range<usize>, len: usize) -> bool {
    range.start <= range.end && range.end <= len
}

impl Owned {
    #[inline]
    fn as_slice(&self) -> &[u8] {
        match self {
            Self::Vec { bytes, start, end } => &bytes[*start..*end],
            Self::Shared { bytes, start, end } => &bytes[*start..*end],
            // An owner may give other bytes each time it is asked; then there may be fewer of them now.
            Self::Dyn { owner, start, end } => (**owner).as_ref().get(*start..*end).unwrap_or_default(),
            Self::Vectored(_) | Self::Events(_) => &[],
        }
    }

    #[inline]
    const fn len(&self) -> usize {
        match self {
            Self::Vec { start, end, .. } | Self::Shared { start, end, .. } | Self::Dyn { start, end, .. } => {
                *end - *start
            }
            Self::Vectored(parts) => parts.len(),
            Self::Events(_) => 0,
        }
    }

    fn advance(&mut self, count: usize) {
        match self {
            Self::Vec { start, end, .. } | Self::Shared { start, end, .. } | Self::Dyn { start, end, .. } => {
                *start = start.saturating_add(count).min(*end);
            }
            Self::Vectored(parts) => parts.advance(count),
            Self::Events(_) => {}
        }
    }
}

impl Buffer {
    #[inline]
    const fn owned(owned: Owned) -> Self {
        Self(Repr::Owned(owned))
    }

    /// A part of a vector.
    ///
    /// # Errors
    ///
    /// [`RangeError`] with the vector where the range is not inside it.
    #[inline]
    pub fn from_vec(bytes: Vec<u8>, range: Range<usize>) -> Result<Self, RangeError<Vec<u8>>> {
        if !fits(&range, bytes.len()) {
            return Err(RangeError {
                len: bytes.len(),
                memory: bytes,
                range,
            });
        }
        Ok(Self::owned(Owned::Vec {
            bytes,
            start: range.start,
            end: range.end,
        }))
    }

    /// A part of a shared slice.
    ///
    /// # Errors
    ///
    /// [`RangeError`] with the slice where the range is not inside it.
    #[inline]
    pub fn from_shared(bytes: Arc<[u8]>, range: Range<usize>) -> Result<Self, RangeError<Arc<[u8]>>> {
        if !fits(&range, bytes.len()) {
            return Err(RangeError {
                len: bytes.len(),
                memory: bytes,
                range,
            });
        }
        Ok(Self::owned(Owned::Shared {
            bytes,
            start: range.start,
            end: range.end,
        }))
    }

    /// A part of the bytes of anything that is shared, for instance a mapped file or an entry of a cache.
    ///
    /// # Errors
    ///
    /// [`RangeError`] with the owner where the range is not inside its bytes.
    pub fn from_owner(
        owner: Arc<dyn AsRef<[u8]> + Send + Sync>,
        range: Range<usize>,
    ) -> Result<Self, RangeError<Arc<dyn AsRef<[u8]> + Send + Sync>>> {
        let len = (*owner).as_ref().len();
        if !fits(&range, len) {
            return Err(RangeError {
                memory: owner,
                range,
                len,
            });
        }
        Ok(Self::owned(Owned::Dyn {
            owner,
            start: range.start,
            end: range.end,
        }))
    }

    /// A vector whose bytes from `start` on are the contents.
    #[inline]
    pub(crate) fn filled(bytes: Vec<u8>, start: usize) -> Self {
        let end = bytes.len();
        Self::owned(Owned::Vec { bytes, start, end })
    }

    #[inline]
    pub(crate) const fn vectored(parts: Vectored) -> Self {
        Self::owned(Owned::Vectored(parts))
    }

    /// Whether the bytes are in several places.
    #[inline]
    pub(crate) const fn is_vectored(&self) -> bool {
        matches!(self.0, Repr::Owned(Owned::Vectored(_)))
    }

    #[inline]
    pub(crate) const fn events(events: Vec<EpollEvent>) -> Self {
        Self::owned(Owned::Events(events))
    }

    /// The bytes; empty for a gathered buffer or for events.
    #[inline]
    #[must_use]
    pub fn as_slice(&self) -> &[u8] {
        match &self.0 {
            Repr::Static(bytes) => bytes,
            Repr::Owned(owned) => owned.as_slice(),
        }
    }

    /// Number of bytes.
    #[inline]
    #[must_use]
    pub fn len(&self) -> usize {
        match &self.0 {
            Repr::Static(bytes) => bytes.len(),
            Repr::Owned(owned) => owned.len(),
        }
    }

    /// Whether there are no bytes.
    #[inline]
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Drops the first `count` bytes, all of them where there are fewer: what is left after a short send. A gathered
    /// buffer is advanced over its parts; events are left alone.
    pub fn advance(&mut self, count: usize) {
        match &mut self.0 {
            Repr::Static(bytes) => *bytes = bytes.get(count..).unwrap_or_default(),
            Repr::Owned(owned) => owned.advance(count),
        }
    }

    /// The vector, if the bytes are in one; it is whole, without the range.
    ///
    /// # Errors
    ///
    /// The buffer itself where it is not a vector.
    #[inline]
    pub fn into_vec(self) -> Result<Vec<u8>, Self> {
        match self.0 {
            Repr::Owned(Owned::Vec { bytes, .. }) => Ok(bytes),
            other => Err(Self(other)),
        }
    }

    /// The parts of a gathered buffer.
    ///
    /// # Errors
    ///
    /// The buffer itself where it is not gathered.
    pub fn into_vectored(self) -> Result<Vectored, Self> {
        match self.0 {
            Repr::Owned(Owned::Vectored(parts)) => Ok(parts),
            other => Err(Self(other)),
        }
    }

    /// The events of an `epoll_wait`.
    ///
    /// # Errors
    ///
    /// The buffer itself where it does not hold events.
    pub fn into_events(self) -> Result<Vec<EpollEvent>, Self> {
        match self.0 {
            Repr::Owned(Owned::Events(events)) => Ok(events),
            other => Err(Self(other)),
        }
    }
}

impl fmt::Debug for Buffer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match &self.0 {
            Repr::Static(_) => "static",
            Repr::Owned(Owned::Vec { .. }) => "vec",
            Repr::Owned(Owned::Shared { .. } | Owned::Dyn { .. }) => "shared",
            Repr::Owned(Owned::Vectored(_)) => "vectored",
            Repr::Owned(Owned::Events(_)) => "events",
        };
        f.debug_struct("Buffer")
            .field("kind", &kind)
            .field("len", &self.len())
            .finish()
    }
}

impl Default for Buffer {
    /// No bytes.
    #[inline]
    fn default() -> Self {
        Self(Repr::Static(&[]))
    }
}

impl AsRef<[u8]> for Buffer {
    #[inline]
    fn as_ref(&self) -> &[u8] {
        self.as_slice()
    }
}

impl From<Vec<u8>> for Buffer {
    #[inline]
    fn from(bytes: Vec<u8>) -> Self {
        Self::filled(bytes, 0)
    }
}

impl From<Box<[u8]>> for Buffer {
    #[inline]
    fn from(bytes: Box<[u8]>) -> Self {
        Self::filled(bytes.into_vec(), 0)
    }
}

impl From<&'static [u8]> for Buffer {
    #[inline]
    fn from(bytes: &'static [u8]) -> Self {
        Self(Repr::Static(bytes))
    }
}

impl<const N: usize> From<&'static [u8; N]> for Buffer {
    #[inline]
    fn from(bytes: &'static [u8; N]) -> Self {
        Self(Repr::Static(bytes))
    }
}

impl From<&'static str> for Buffer {
    #[inline]
    fn from(text: &'static str) -> Self {
        Self(Repr::Static(text.as_bytes()))
    }
}

impl From<Arc<[u8]>> for Buffer {
    #[inline]
    fn from(bytes: Arc<[u8]>) -> Self {
        let end = bytes.len();
        Self::owned(Owned::Shared { bytes, start: 0, end })
    }
}
