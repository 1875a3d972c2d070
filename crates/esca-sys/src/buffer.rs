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

enum Repr {
    Static(&'static [u8]),
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

impl Buffer {
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
        Ok(Self(Repr::Vec {
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
        Ok(Self(Repr::Shared {
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
        Ok(Self(Repr::Dyn {
            owner,
            start: range.start,
            end: range.end,
        }))
    }

    /// A vector whose bytes from `start` on are the contents.
    #[inline]
    pub(crate) fn filled(bytes: Vec<u8>, start: usize) -> Self {
        let end = bytes.len();
        Self(Repr::Vec { bytes, start, end })
    }

    #[inline]
    pub(crate) const fn vectored(parts: Vectored) -> Self {
        Self(Repr::Vectored(parts))
    }

    /// Whether the bytes are in several places.
    #[inline]
    pub(crate) const fn is_vectored(&self) -> bool {
        matches!(self.0, Repr::Vectored(_))
    }

    #[inline]
    pub(crate) const fn events(events: Vec<EpollEvent>) -> Self {
        Self(Repr::Events(events))
    }

    /// The bytes; empty for a gathered buffer or for events.
    #[inline]
    #[must_use]
    pub fn as_slice(&self) -> &[u8] {
        match &self.0 {
            Repr::Static(bytes) => bytes,
            Repr::Vec { bytes, start, end } => &bytes[*start..*end],
            Repr::Shared { bytes, start, end } => &bytes[*start..*end],
            // An owner may give other bytes each time it is asked; then there may be fewer of them now.
            Repr::Dyn { owner, start, end } => (**owner).as_ref().get(*start..*end).unwrap_or_default(),
            Repr::Vectored(_) | Repr::Events(_) => &[],
        }
    }

    /// Number of bytes.
    #[inline]
    #[must_use]
    pub fn len(&self) -> usize {
        match &self.0 {
            Repr::Static(bytes) => bytes.len(),
            Repr::Vec { start, end, .. } | Repr::Shared { start, end, .. } | Repr::Dyn { start, end, .. } => {
                end - start
            }
            Repr::Vectored(parts) => parts.len(),
            Repr::Events(_) => 0,
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
            Repr::Vec { start, end, .. } | Repr::Shared { start, end, .. } | Repr::Dyn { start, end, .. } => {
                *start = start.saturating_add(count).min(*end);
            }
            Repr::Vectored(parts) => parts.advance(count),
            Repr::Events(_) => {}
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
            Repr::Vec { bytes, .. } => Ok(bytes),
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
            Repr::Vectored(parts) => Ok(parts),
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
            Repr::Events(events) => Ok(events),
            other => Err(Self(other)),
        }
    }
}

impl fmt::Debug for Buffer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match &self.0 {
            Repr::Static(_) => "static",
            Repr::Vec { .. } => "vec",
            Repr::Shared { .. } | Repr::Dyn { .. } => "shared",
            Repr::Vectored(_) => "vectored",
            Repr::Events(_) => "events",
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
        Self(Repr::Shared { bytes, start: 0, end })
    }
}
