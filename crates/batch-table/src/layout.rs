//! The header: how a table says what it is, and how it is refused.

use core::fmt;

use crate::abi::{ENTRY_SIZE, HEADER_SIZE, Header, MAGIC, MAX_CAPACITY, VERSION};
use crate::sync::Ordering;

/// What the entries of a table may use beyond the plain format.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
#[repr(transparent)]
pub struct Features(u64);

impl Features {
    /// Nothing beyond the plain format.
    pub const NONE: Self = Self(0);
    /// Entries may carry [`EntryFlags::LINK`](crate::EntryFlags::LINK).
    pub const LINK: Self = Self(1);
    /// The last entry of a batch may block (`epoll_pwait`).
    pub const LAST_MAY_BLOCK: Self = Self(2);
    /// Every bit with a meaning.
    pub const KNOWN: Self = Self(Self::LINK.0 | Self::LAST_MAY_BLOCK.0);

    /// The features for a number found in a header.
    #[must_use]
    pub const fn from_raw(raw: u64) -> Self {
        Self(raw)
    }

    /// The number that stands in the header.
    #[must_use]
    pub const fn to_raw(self) -> u64 {
        self.0
    }

    /// Whether all bits of `other` are set.
    #[must_use]
    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// The bits of both.
    #[must_use]
    pub const fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

/// Why a piece of memory is not a table that this version can use.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum LayoutError {
    /// The capacity is not a power of two in `1..=4096`.
    Capacity(u32),
    /// The memory holds fewer bytes than the capacity needs.
    TooSmall {
        /// Bytes needed.
        needed: usize,
        /// Bytes there.
        available: usize,
    },
    /// The address is not a multiple of 64.
    Misaligned,
    /// The first four bytes are not [`MAGIC`].
    Magic(u32),
    /// The version is not [`VERSION`].
    Version(u16),
    /// The size of an entry is not [`ENTRY_SIZE`].
    EntrySize(u16),
    /// The entries do not follow the header.
    EntriesOffset(u32),
    /// Feature bits that are not known.
    Features(u64),
    /// A reserved field is not zero.
    Reserved,
}

impl fmt::Display for LayoutError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Capacity(capacity) => {
                write!(
                    f,
                    "table capacity {capacity} is not a power of two between 1 and {MAX_CAPACITY}"
                )
            }
            Self::TooSmall { needed, available } => {
                write!(
                    f,
                    "table memory holds {available} bytes where {needed} are needed"
                )
            }
            Self::Misaligned => f.write_str("table memory does not start at a multiple of 64"),
            Self::Magic(magic) => write!(f, "table starts with {magic:#010x} instead of {MAGIC:#010x}"),
            Self::Version(version) => write!(f, "table has version {version}, this side knows {VERSION}"),
            Self::EntrySize(size) => write!(f, "table has entries of {size} bytes instead of {ENTRY_SIZE}"),
            Self::EntriesOffset(offset) => {
                write!(
                    f,
                    "table has its entries at offset {offset} instead of {HEADER_SIZE}"
                )
            }
            Self::Features(bits) => write!(
                f,
                "table uses feature bits {bits:#x} that this side does not know"
            ),
            Self::Reserved => f.write_str("table header has a reserved field that is not zero"),
        }
    }
}

impl core::error::Error for LayoutError {}

/// Bytes that a table of `capacity` entries takes, header included.
///
/// # Errors
///
/// [`LayoutError::Capacity`] unless `capacity` is a power of two in `1..=4096`.
pub const fn table_size(capacity: u32) -> Result<usize, LayoutError> {
    if !capacity.is_power_of_two() || capacity > MAX_CAPACITY {
        return Err(LayoutError::Capacity(capacity));
    }
    Ok(HEADER_SIZE as usize + capacity as usize * ENTRY_SIZE as usize)
}

impl Header {
    /// Fills in a header for a table of `capacity` entries. Nobody else may be looking yet.
    ///
    /// # Errors
    ///
    /// [`LayoutError::Capacity`] or [`LayoutError::Features`]; the header is left as it was.
    pub fn write(&self, capacity: u32, features: Features) -> Result<(), LayoutError> {
        table_size(capacity)?;
        if !Features::KNOWN.contains(features) {
            return Err(LayoutError::Features(features.0 & !Features::KNOWN.0));
        }
        self.magic.store(MAGIC, Ordering::Relaxed);
        self.version.store(VERSION, Ordering::Relaxed);
        self.entry_size.store(ENTRY_SIZE, Ordering::Relaxed);
        self.capacity.store(capacity, Ordering::Relaxed);
        self.entries_offset.store(HEADER_SIZE, Ordering::Relaxed);
        self.features.store(features.0, Ordering::Relaxed);
        for word in &self.reserved {
            word.store(0, Ordering::Relaxed);
        }
        Ok(())
    }

    /// Reads each field once and checks what was read: capacity and features.
    ///
    /// # Errors
    ///
    /// The first field that this version cannot take.
    pub fn read(&self) -> Result<(u32, Features), LayoutError> {
        let magic = self.magic.load(Ordering::Relaxed);
        if magic != MAGIC {
            return Err(LayoutError::Magic(magic));
        }
        let version = self.version.load(Ordering::Relaxed);
        if version != VERSION {
            return Err(LayoutError::Version(version));
        }
        let entry_size = self.entry_size.load(Ordering::Relaxed);
        if entry_size != ENTRY_SIZE {
            return Err(LayoutError::EntrySize(entry_size));
        }
        let offset = self.entries_offset.load(Ordering::Relaxed);
        if offset != HEADER_SIZE {
            return Err(LayoutError::EntriesOffset(offset));
        }
        let features = Features(self.features.load(Ordering::Relaxed));
        if !Features::KNOWN.contains(features) {
            return Err(LayoutError::Features(features.0 & !Features::KNOWN.0));
        }
        for word in &self.reserved {
            if word.load(Ordering::Relaxed) != 0 {
                return Err(LayoutError::Reserved);
            }
        }
        let capacity = self.capacity.load(Ordering::Relaxed);
        table_size(capacity)?;
        Ok((capacity, features))
    }
}
