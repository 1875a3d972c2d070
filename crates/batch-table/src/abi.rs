//! The two structures that both sides of a table see, and the proof of their layout.
//!
//! `include/batch_table.h` says the same in C, and `tests/layout.txt` as plain text; a test compares the three.

use crate::sync::{AtomicI64, AtomicU16, AtomicU32, AtomicU64};

/// First four bytes of a table: `ESCA` in ASCII, read as a little-endian number.
pub const MAGIC: u32 = u32::from_le_bytes(*b"ESCA");
/// Version of the layout. A change that an older reader would misread raises it.
pub const VERSION: u16 = 1;
/// Size of [`Header`] in bytes, and the offset of the first entry.
pub const HEADER_SIZE: u32 = 64;
/// Size of [`Entry`] in bytes: one cache line.
pub const ENTRY_SIZE: u16 = 64;
/// Largest number of entries that a table may have (256 KiB of entries).
pub const MAX_CAPACITY: u32 = 4096;

/// What a table says about itself: written once, before the other side looks at it.
///
/// Every field is atomic because the other side may be hostile and write at any moment: a reader copies what it needs
/// once, checks the copy and never looks again.
#[derive(Debug, Default)]
#[repr(C, align(64))]
pub struct Header {
    pub(crate) magic: AtomicU32,
    pub(crate) version: AtomicU16,
    pub(crate) entry_size: AtomicU16,
    pub(crate) capacity: AtomicU32,
    pub(crate) entries_offset: AtomicU32,
    pub(crate) features: AtomicU64,
    /// Refused unless zero, so that a later version may give them a meaning.
    pub(crate) reserved: [AtomicU64; 5],
}

/// One system call and, later, its result.
///
/// The default is an empty entry: all zero, as fresh pages of memory are.
#[derive(Debug, Default)]
#[repr(C, align(64))]
pub struct Entry {
    pub(crate) nr: AtomicU32,
    pub(crate) flags: AtomicU16,
    pub(crate) state: AtomicU16,
    pub(crate) result: AtomicI64,
    pub(crate) args: [AtomicU64; 6],
}

// The model checker's atomics are larger than the machine's; the layout is a promise of every other build.
#[cfg(not(loom))]
mod proof {
    use core::mem::{align_of, offset_of, size_of};

    use super::{ENTRY_SIZE, Entry, HEADER_SIZE, Header};

    const _: () = assert!(size_of::<Header>() == HEADER_SIZE as usize);
    const _: () = assert!(align_of::<Header>() == 64);
    const _: () = assert!(offset_of!(Header, magic) == 0);
    const _: () = assert!(offset_of!(Header, version) == 4);
    const _: () = assert!(offset_of!(Header, entry_size) == 6);
    const _: () = assert!(offset_of!(Header, capacity) == 8);
    const _: () = assert!(offset_of!(Header, entries_offset) == 12);
    const _: () = assert!(offset_of!(Header, features) == 16);
    const _: () = assert!(offset_of!(Header, reserved) == 24);

    const _: () = assert!(size_of::<Entry>() == ENTRY_SIZE as usize);
    const _: () = assert!(align_of::<Entry>() == 64);
    const _: () = assert!(offset_of!(Entry, nr) == 0);
    const _: () = assert!(offset_of!(Entry, flags) == 4);
    const _: () = assert!(offset_of!(Entry, state) == 6);
    const _: () = assert!(offset_of!(Entry, result) == 8);
    const _: () = assert!(offset_of!(Entry, args) == 16);
}

#[cfg(test)]
#[cfg(not(loom))]
mod tests {
    use alloc::string::String;
    use core::fmt::Write as _;
    use core::mem::{offset_of, size_of};

    use super::{Entry, Header, MAGIC, MAX_CAPACITY, VERSION};

    /// Offsets and sizes as text, one line a field.
    fn describe() -> String {
        let mut text = String::new();
        let mut line = |name: &str, offset: usize, size: usize| {
            writeln!(text, "{name:<24} offset {offset:>2} size {size:>2}").unwrap();
        };
        line("header", 0, size_of::<Header>());
        line("header.magic", offset_of!(Header, magic), 4);
        line("header.version", offset_of!(Header, version), 2);
        line("header.entry_size", offset_of!(Header, entry_size), 2);
        line("header.capacity", offset_of!(Header, capacity), 4);
        line("header.entries_offset", offset_of!(Header, entries_offset), 4);
        line("header.features", offset_of!(Header, features), 8);
        line("header.reserved", offset_of!(Header, reserved), 40);
        line("entry", 0, size_of::<Entry>());
        line("entry.nr", offset_of!(Entry, nr), 4);
        line("entry.flags", offset_of!(Entry, flags), 2);
        line("entry.state", offset_of!(Entry, state), 2);
        line("entry.result", offset_of!(Entry, result), 8);
        line("entry.args", offset_of!(Entry, args), 48);
        writeln!(
            text,
            "magic {MAGIC:#010x} version {VERSION} max_capacity {MAX_CAPACITY}"
        )
        .unwrap();
        text
    }

    #[test]
    fn layout_is_the_golden_text() {
        let golden = include_str!("../tests/layout.txt");
        assert_eq!(
            describe(),
            golden,
            "the layout is an ABI: a change needs a new version"
        );
    }

    #[test]
    fn fresh_memory_is_an_empty_entry() {
        let entry = Entry::default();
        assert_eq!(entry.state.into_inner(), 0);
        assert_eq!(entry.nr.into_inner(), 0);
    }
}
