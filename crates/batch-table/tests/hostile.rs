//! A table whose memory the other side fills with anything: every pattern is either understood or refused, nothing
//! panics and nothing outside the table is touched.
#![cfg(not(loom))]
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::ptr::NonNull;

use batch_table::{
    Call, Chain, Errno, Features, LayoutError, MAX_CAPACITY, Outcome, State, Step, SysResult, Table,
    table_size,
};
use proptest::prelude::*;

/// Memory aligned as a table wants it, with a guard behind it that must keep its value.
#[repr(C, align(4096))]
struct Memory {
    bytes: [u8; 64 + 64 * 8],
    guard: [u8; 64],
}

impl Memory {
    fn new() -> Box<Self> {
        Box::new(Self {
            bytes: [0; 64 + 64 * 8],
            guard: [0xa5; 64],
        })
    }

    fn pointer(&mut self) -> NonNull<u8> {
        NonNull::from(&mut self.bytes).cast()
    }

    fn init(&mut self) -> Table<'_> {
        let (pointer, len) = (self.pointer(), self.bytes.len());
        // SAFETY: the bytes are owned, initialised, and borrowed for the life of the table.
        unsafe { Table::init_raw(pointer, len, 8, Features::KNOWN) }.unwrap()
    }

    fn attach(&mut self) -> Result<Table<'_>, LayoutError> {
        let (pointer, len) = (self.pointer(), self.bytes.len());
        // SAFETY: as in `init`.
        unsafe { Table::attach_raw(pointer, len) }
    }
}

fn put(memory: &mut Memory, offset: usize, value: &[u8]) {
    memory.bytes[offset..offset + value.len()].copy_from_slice(value);
}

#[test]
fn a_good_header_is_taken_and_each_wrong_field_is_named() {
    let mut memory = Memory::new();
    assert_eq!(memory.attach().unwrap_err(), LayoutError::Magic(0));
    memory.init();
    assert_eq!(memory.attach().unwrap().capacity(), 8);
    assert_eq!(memory.attach().unwrap().features(), Features::KNOWN);

    let cases: [(usize, &[u8], LayoutError); 9] = [
        (0, b"ASCE", LayoutError::Magic(u32::from_le_bytes(*b"ASCE"))),
        (4, &2_u16.to_ne_bytes(), LayoutError::Version(2)),
        (6, &128_u16.to_ne_bytes(), LayoutError::EntrySize(128)),
        (8, &12_u32.to_ne_bytes(), LayoutError::Capacity(12)),
        (8, &0_u32.to_ne_bytes(), LayoutError::Capacity(0)),
        (8, &8192_u32.to_ne_bytes(), LayoutError::Capacity(8192)),
        (
            8,
            &16_u32.to_ne_bytes(),
            LayoutError::TooSmall {
                needed: 64 + 64 * 16,
                available: 64 + 64 * 8,
            },
        ),
        (16, &4_u64.to_ne_bytes(), LayoutError::Features(4)),
        (56, &1_u64.to_ne_bytes(), LayoutError::Reserved),
    ];
    for (offset, bytes, error) in cases {
        memory.init();
        put(&mut memory, offset, bytes);
        assert_eq!(memory.attach().unwrap_err(), error);
    }
    memory.init();
    put(&mut memory, 12, &128_u32.to_ne_bytes());
    assert_eq!(memory.attach().unwrap_err(), LayoutError::EntriesOffset(128));
}

#[test]
fn memory_that_cannot_hold_a_table_is_refused() {
    let mut memory = Memory::new();
    let pointer = memory.pointer();
    // SAFETY: one byte into the array is still inside it.
    let odd = unsafe { pointer.add(1) };
    // SAFETY: owned memory, never looked at through another path while the table lives.
    let misaligned = unsafe { Table::init_raw(odd, 512, 4, Features::NONE) };
    assert_eq!(misaligned.unwrap_err(), LayoutError::Misaligned);
    // SAFETY: as above.
    let short = unsafe { Table::init_raw(pointer, 127, 1, Features::NONE) };
    assert_eq!(
        short.unwrap_err(),
        LayoutError::TooSmall {
            needed: 128,
            available: 127
        }
    );
    // SAFETY: as above.
    let short = unsafe { Table::attach_raw(pointer, 127) };
    assert_eq!(
        short.unwrap_err(),
        LayoutError::TooSmall {
            needed: 128,
            available: 127
        }
    );
    // SAFETY: as above.
    let unknown = unsafe { Table::init_raw(pointer, 512, 1, Features::from_raw(8)) };
    assert_eq!(unknown.unwrap_err(), LayoutError::Features(8));
    for capacity in [0, 3, MAX_CAPACITY + 1, MAX_CAPACITY * 2, u32::MAX] {
        assert_eq!(table_size(capacity), Err(LayoutError::Capacity(capacity)));
    }
    assert_eq!(table_size(MAX_CAPACITY), Ok(64 + 4096 * 64));
}

#[test]
fn every_state_and_every_flag_pattern_is_handled() {
    let mut memory = Memory::new();
    for raw in 0..=u16::MAX {
        memory.init();
        put(&mut memory, 64 + 6, &raw.to_ne_bytes());
        let table = memory.attach().unwrap();
        assert_eq!(table.executor().fetch(0).is_some(), raw == State::Ready.to_raw());
        assert_eq!(table.producer().outcome(0).is_some(), raw == 2 || raw == 3);
        assert_eq!(table.producer().publish(0, &Call::default()).is_ok(), raw == 0);
    }
    for raw in 0..=u16::MAX {
        memory.init();
        put(&mut memory, 64 + 4, &raw.to_ne_bytes());
        put(&mut memory, 64 + 6, &State::Ready.to_raw().to_ne_bytes());
        let table = memory.attach().unwrap();
        let mut ran = false;
        let done = table.executor().walk(0, 1, &mut Chain::new(), |_, _| {
            ran = true;
            Step::Done(SysResult::from_raw(7))
        });
        assert_eq!(done, 1);
        assert_eq!(ran, raw <= 1, "a call with unknown flags must not run");
        let expected = if raw <= 1 {
            SysResult::from_raw(7)
        } else {
            SysResult::from_errno(Errno::EINVAL)
        };
        assert_eq!(table.producer().take(0), Some(Outcome::Done(expected)));
    }
}

proptest! {
    #[test]
    fn any_memory_is_walked_within_bounds(
        bytes in proptest::collection::vec(any::<u8>(), 64 * 8),
        states in proptest::collection::vec(0_u16..6, 8),
        first: u32,
        count in prop_oneof![0_u32..20, any::<u32>()],
        stop_at in 0_u32..12,
    ) {
        let mut memory = Memory::new();
        memory.init();
        put(&mut memory, 64, &bytes);
        for (index, state) in states.iter().enumerate() {
            put(&mut memory, 64 + 64 * index + 6, &state.to_ne_bytes());
        }
        let before = memory.bytes;
        let table = memory.attach().unwrap();
        let mut calls = 0;
        let done = table.executor().walk(first, count, &mut Chain::new(), |position, call| {
            let at = 64 + 64 * (position as usize % 8);
            assert_eq!(call.nr.to_ne_bytes(), before[at..at + 4], "the copy is the entry");
            for (index, word) in call.args.iter().enumerate() {
                let at = at + 16 + 8 * index;
                assert_eq!(word.to_ne_bytes(), before[at..at + 8]);
            }
            calls += 1;
            if calls > stop_at { Step::Stop } else { Step::Done(SysResult::from_raw(0)) }
        });
        prop_assert!(done <= count.min(8));
        for offset in 0..8_u32 {
            let position = first.wrapping_add(offset);
            let was = states[position as usize % 8];
            let is = table.producer().state(position).map(State::to_raw);
            if offset < done && was == 1 {
                prop_assert!(matches!(is, Some(2 | 3)), "a finished entry belongs to the producer");
            } else {
                prop_assert_eq!(is, State::from_raw(was).map(State::to_raw), "the rest is untouched");
            }
        }
        prop_assert_eq!(memory.guard, [0xa5; 64]);
    }

    #[test]
    fn any_header_is_read_without_a_panic(bytes: [u8; 64]) {
        let mut memory = Memory::new();
        put(&mut memory, 0, &bytes);
        if let Ok(table) = memory.attach() {
            prop_assert!(table.capacity() <= 8);
        }
    }
}
