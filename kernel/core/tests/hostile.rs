//! The walk while another thread rewrites every field of the table.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::ptr::NonNull;
use std::sync::atomic::{AtomicBool, AtomicU16, AtomicU32, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use batch_table::device::{ALLOWED, flush_argument};
use batch_table::{Call, Features, Table};
use esca_kernel::{Host, Verdict, flush, is_allowed};

const ENTRIES: usize = 32;

/// A table's memory with a guard behind it.
#[repr(C, align(4096))]
struct Memory {
    header: [AtomicU64; 8],
    entries: [[AtomicU64; 8]; ENTRIES],
    guard: [AtomicU64; 8],
}

/// Looks at each call for what a torn or second reading would show.
#[derive(Default)]
struct Judge {
    calls: u64,
    turn: u32,
}

/// Every argument of an entry is the same number, and its upper half says which entry writes it.
fn stamp(entry: usize, value: u64) -> u64 {
    (entry as u64) << 32 | value & 0xffff_ffff
}

impl Host for Judge {
    fn check(&mut self) -> Verdict {
        self.turn = self.turn.wrapping_add(1);
        if self.turn.is_multiple_of(257) {
            Verdict::Signal
        } else {
            Verdict::Go
        }
    }

    fn may_wait(&mut self, _: &Call) -> bool {
        self.turn.is_multiple_of(3)
    }

    fn call(&mut self, call: &Call) -> i64 {
        assert!(is_allowed(call.nr), "{}", call.nr);
        assert!(call.flags.to_raw() <= 1);
        let owner = call.args[0] >> 32;
        assert!(owner < ENTRIES as u64, "words come whole");
        assert!(
            call.args.iter().all(|word| word >> 32 == owner),
            "and from one entry; they may be of different ages, as the copy is taken word by word"
        );
        self.calls += 1;
        // What acts on the copy sees one value, however often it looks.
        let before = std::hint::black_box(*call);
        if self.turn.is_multiple_of(64) {
            thread::yield_now();
        }
        assert_eq!(before, *call);
        i64::from(self.turn % 600) - 520
    }
}

#[test]
fn a_writer_in_mid_walk_changes_nothing_but_its_own_entries() {
    let memory = Box::new(Memory {
        header: Default::default(),
        entries: Default::default(),
        guard: std::array::from_fn(|_| AtomicU64::new(0x5a5a)),
    });
    for (index, entry) in memory.entries.iter().enumerate() {
        for word in &entry[2..] {
            word.store(stamp(index, 0), Ordering::Relaxed);
        }
    }
    let start = NonNull::from(&*memory).cast::<u8>();
    let length = 64 + 64 * ENTRIES;
    // SAFETY: header and entries, initialised, and touched through atomics only while the table lives. Different widths
    // are what a hostile process would use.
    let table =
        unsafe { Table::init_raw(start, length, u32::try_from(ENTRIES).unwrap(), Features::KNOWN) }.unwrap();
    let stop = AtomicBool::new(false);
    let mut judge = Judge::default();
    thread::scope(|scope| {
        for seed in [1_u64, 0x9e37_79b9] {
            let (memory, stop) = (&memory, &stop);
            scope.spawn(move || rewrite(memory, seed, stop));
        }
        let started = Instant::now();
        let mut first = 0;
        // On a busy machine until there was something to see.
        let running = |calls: u64| match started.elapsed() {
            elapsed if elapsed < Duration::from_secs(2) => true,
            elapsed => calls < 1000 && elapsed < Duration::from_secs(60),
        };
        while running(judge.calls) {
            let argument = flush_argument(first, u32::try_from(ENTRIES).unwrap(), table.capacity());
            let finished = flush(&table, argument, &mut judge).unwrap();
            assert!(finished as usize <= ENTRIES);
            first = first.wrapping_add(finished.max(1));
        }
        stop.store(true, Ordering::Relaxed);
    });
    assert!(
        memory
            .guard
            .iter()
            .all(|word| word.load(Ordering::Relaxed) == 0x5a5a)
    );
    assert!(judge.calls >= 1000, "{} calls", judge.calls);
}

fn rewrite(memory: &Memory, seed: u64, stop: &AtomicBool) {
    let mut state = seed;
    let mut next = move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    while !stop.load(Ordering::Relaxed) {
        let random = next();
        let index = random as usize % ENTRIES;
        let entry = &memory.entries[index];
        match random >> 20 & 7 {
            0 => {
                let nr = if random >> 24 & 1 == 0 {
                    ALLOWED[random as usize >> 25 & 15]
                } else {
                    (random >> 25) as u32
                };
                // SAFETY: the first four bytes of an entry; atomics may be shared.
                let field = unsafe { AtomicU32::from_ptr(entry[0].as_ptr().cast()) };
                field.store(nr, Ordering::Relaxed);
            }
            1 => half(entry, 4).store((random >> 24 & 3) as u16, Ordering::Relaxed),
            2..=4 => half(entry, 6).store(u16::from(random >> 24 & 3 != 0), Ordering::Release),
            5 => entry[1].store(next(), Ordering::Relaxed),
            6 => memory.header[random as usize >> 24 & 7].store(next(), Ordering::Relaxed),
            _ => {
                let value = stamp(index, next());
                for word in &entry[2..] {
                    word.store(value, Ordering::Relaxed);
                }
            }
        }
    }
}

/// The two bytes at `offset` of an entry.
fn half(entry: &[AtomicU64; 8], offset: usize) -> &AtomicU16 {
    let first = entry[0].as_ptr().cast::<u8>();
    // SAFETY: inside the entry's first eight bytes.
    let field = unsafe { first.add(offset) };
    // SAFETY: an even offset of an aligned entry; atomics may be shared.
    unsafe { AtomicU16::from_ptr(field.cast()) }
}
