//! A table: header and entries, looked at from either side.

#[cfg(not(loom))]
use core::ptr::NonNull;
#[cfg(not(loom))]
use core::slice;

use crate::abi::{Entry, Header};
#[cfg(not(loom))]
use crate::abi::{HEADER_SIZE, MAX_CAPACITY};
use crate::layout::{Features, LayoutError, table_size};
use crate::{ExecutorView, ProducerView};

/// A table of entries that two sides share.
///
/// Positions are counters that run freely through all of `u32`; the entry of a position is the counter modulo the
/// capacity, so no position is out of range and a batch may run over the end of the table.
#[derive(Clone, Copy, Debug)]
pub struct Table<'a> {
    entries: &'a [Entry],
    features: Features,
}

impl<'a> Table<'a> {
    /// Makes a table of a header and entries, both owned by this side so far: writes the header.
    ///
    /// # Errors
    ///
    /// [`LayoutError::Capacity`] where the number of entries is not a power of two in `1..=4096`,
    /// [`LayoutError::Features`] where `features` has unknown bits.
    pub fn new(header: &Header, entries: &'a [Entry], features: Features) -> Result<Self, LayoutError> {
        let capacity = u32::try_from(entries.len()).map_err(|_| LayoutError::Capacity(u32::MAX))?;
        header.write(capacity, features)?;
        Ok(Self { entries, features })
    }

    /// Takes a table that the other side made: the header is read once, checked, and never looked at again.
    ///
    /// # Errors
    ///
    /// What the header says wrong, and [`LayoutError::TooSmall`] where it promises more entries than there are.
    pub fn attach(header: &Header, entries: &'a [Entry]) -> Result<Self, LayoutError> {
        let (capacity, features) = header.read()?;
        let needed = table_size(capacity)?;
        let Some(entries) = entries.get(..capacity as usize) else {
            return Err(LayoutError::TooSmall {
                needed,
                available: size_of_val(entries) + size_of::<Header>(),
            });
        };
        Ok(Self { entries, features })
    }

    /// The same table again, for a side that keeps what the header said where the other side cannot write: entries and
    /// features are those of a table that [`new`](Self::new) or [`attach`](Self::attach) gave before, and the shared
    /// header is not looked at.
    ///
    /// # Errors
    ///
    /// [`LayoutError::Capacity`] where the number of entries is not a power of two in `1..=4096`,
    /// [`LayoutError::Features`] where `features` has unknown bits.
    pub fn resume(entries: &'a [Entry], features: Features) -> Result<Self, LayoutError> {
        let capacity = u32::try_from(entries.len()).map_err(|_| LayoutError::Capacity(u32::MAX))?;
        table_size(capacity)?;
        if !Features::KNOWN.contains(features) {
            return Err(LayoutError::Features(
                features.to_raw() & !Features::KNOWN.to_raw(),
            ));
        }
        Ok(Self { entries, features })
    }

    /// Makes a table in raw memory. The entries are left as they are: fresh (zero) memory is a table of empty entries.
    ///
    /// # Errors
    ///
    /// [`LayoutError::Capacity`], [`LayoutError::Features`], [`LayoutError::Misaligned`] or [`LayoutError::TooSmall`].
    ///
    /// # Safety
    ///
    /// - `memory` points to `len` bytes that are initialised and may be read and written for all of `'a`.
    /// - Until the end of `'a` this program touches them through atomic operations only, of the width that the fields
    ///   have. Another process or the kernel may write there at any moment.
    #[cfg(not(loom))]
    pub unsafe fn init_raw(
        memory: NonNull<u8>,
        len: usize,
        capacity: u32,
        features: Features,
    ) -> Result<Self, LayoutError> {
        let needed = table_size(capacity)?;
        if len < needed {
            return Err(LayoutError::TooSmall {
                needed,
                available: len,
            });
        }
        // SAFETY: what this function asks of its caller is what `split` asks of its own; `len` is at least
        // `table_size(capacity)`.
        let (header, entries) = unsafe { split(memory, capacity) }?;
        Self::new(header, entries, features)
    }

    /// Takes a table in raw memory that the other side made.
    ///
    /// # Errors
    ///
    /// What the header says wrong, [`LayoutError::Misaligned`] or [`LayoutError::TooSmall`].
    ///
    /// # Safety
    ///
    /// As for [`init_raw`](Self::init_raw).
    #[cfg(not(loom))]
    pub unsafe fn attach_raw(memory: NonNull<u8>, len: usize) -> Result<Self, LayoutError> {
        let needed = table_size(1)?;
        if len < needed {
            return Err(LayoutError::TooSmall {
                needed,
                available: len,
            });
        }
        let fitting = (len - HEADER_SIZE as usize) / size_of::<Entry>();
        let fitting = u32::try_from(fitting).unwrap_or(u32::MAX).min(MAX_CAPACITY);
        // SAFETY: what this function asks of its caller is what `split` asks of its own; `len` holds the header and
        // `fitting` entries by the division above.
        let (header, entries) = unsafe { split(memory, fitting) }?;
        Self::attach(header, entries)
    }

    /// Number of entries: a power of two.
    #[inline]
    #[must_use]
    #[expect(
        clippy::cast_possible_truncation,
        reason = "at most 4096 entries, checked when the table was made"
    )]
    pub const fn capacity(&self) -> u32 {
        self.entries.len() as u32
    }

    /// What the entries may use.
    #[inline]
    #[must_use]
    pub const fn features(&self) -> Features {
        self.features
    }

    /// The side that fills entries and takes results.
    #[inline]
    #[must_use]
    pub const fn producer(&self) -> ProducerView<'a> {
        ProducerView::new(*self)
    }

    /// The side that runs entries.
    #[inline]
    #[must_use]
    pub const fn executor(&self) -> ExecutorView<'a> {
        ExecutorView::new(*self)
    }

    /// The entry of a position.
    #[inline]
    pub(crate) fn entry(&self, position: u32) -> &'a Entry {
        let index = position as usize & (self.entries.len() - 1);
        // SAFETY: every constructor makes sure that the number of entries is a power of two, so at least one, and `index`
        // is masked to below it.
        unsafe { self.entries.get_unchecked(index) }
    }
}

/// Header and entries in raw memory.
///
/// # Safety
///
/// - `memory` points to at least `HEADER_SIZE + capacity * ENTRY_SIZE` initialised bytes, good for reads and writes for
///   `'a`, touched by this program through atomics only.
#[cfg(not(loom))]
unsafe fn split<'a>(memory: NonNull<u8>, capacity: u32) -> Result<(&'a Header, &'a [Entry]), LayoutError> {
    if !memory.cast::<Header>().is_aligned() {
        return Err(LayoutError::Misaligned);
    }
    // SAFETY: aligned (checked), in bounds and live by the caller's promise; the type consists of atomics, so any bit
    // pattern is a value and shared writes are no data race.
    let header = unsafe { memory.cast::<Header>().as_ref() };
    // SAFETY: the header's size is inside the memory by the caller's promise.
    let first = unsafe { memory.add(HEADER_SIZE as usize) }.cast::<Entry>();
    // SAFETY: 64 bytes after an address aligned to 64, so aligned; `capacity` entries are in bounds and live by the
    // caller's promise; atomics as above.
    let entries = unsafe { slice::from_raw_parts(first.as_ptr(), capacity as usize) };
    Ok((header, entries))
}
