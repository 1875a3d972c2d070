//! Descriptors of entries, and what keeps them open.

#[cfg(feature = "std")]
use alloc::sync::Arc;
#[cfg(feature = "std")]
use std::os::fd::{AsRawFd, OwnedFd};

/// A file descriptor that stays open while an entry uses it.
///
/// A number alone is not enough: between recording and running an entry the file could be closed and the number given to
/// another file, so that the entry acts on the wrong one.
#[derive(Clone, Debug)]
pub struct Descriptor {
    pub(crate) fd: i32,
    pub(crate) stream: bool,
    pub(crate) owner: Owner,
}

/// What keeps a descriptor open; nothing for raw numbers.
#[derive(Clone, Debug, Default)]
pub(crate) struct Owner {
    #[cfg(feature = "std")]
    _shared: Option<Arc<OwnedFd>>,
}

impl Descriptor {
    /// A descriptor that its entries share; it is closed when the last of them and the last clone are gone.
    #[cfg(feature = "std")]
    #[inline]
    #[must_use]
    pub fn shared(file: Arc<OwnedFd>) -> Self {
        Self {
            fd: file.as_raw_fd(),
            stream: false,
            owner: Owner { _shared: Some(file) },
        }
    }

    /// A bare number.
    ///
    /// # Safety
    ///
    /// - The number stays open and means the same file until the completion of every entry that uses it has been taken,
    ///   or the segment has been dropped. (A number that is open nowhere is allowed as long as it stays so: entries fail
    ///   with `EBADF`.)
    #[inline]
    #[must_use]
    pub const unsafe fn raw(fd: i32) -> Self {
        Self {
            fd,
            stream: false,
            owner: Owner {
                #[cfg(feature = "std")]
                _shared: None,
            },
        }
    }

    /// The number.
    #[inline]
    #[must_use]
    pub const fn as_raw(&self) -> i32 {
        self.fd
    }

    /// Declares that this is a TCP socket, so that the optimiser may merge sends on it. It trusts the declaration.
    ///
    /// Nothing unsound follows from a wrong one; but a datagram socket would lose its message boundaries.
    #[inline]
    #[must_use]
    pub const fn assume_tcp(mut self) -> Self {
        self.stream = true;
        self
    }

    /// Whether the optimiser may merge sends on this descriptor.
    #[inline]
    #[must_use]
    pub const fn is_tcp(&self) -> bool {
        self.stream
    }
}

#[cfg(feature = "std")]
impl From<OwnedFd> for Descriptor {
    fn from(file: OwnedFd) -> Self {
        Self::shared(Arc::new(file))
    }
}

#[cfg(feature = "std")]
impl From<Arc<OwnedFd>> for Descriptor {
    #[inline]
    fn from(file: Arc<OwnedFd>) -> Self {
        Self::shared(file)
    }
}
