//! The hand-over of entries between two threads, in every interleaving that the memory model allows.
//!
//! `RUSTFLAGS="--cfg loom" cargo test -p batch-table --test loom --release`
#![cfg(loom)]
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use batch_table::{Call, Chain, Entry, EntryFlags, Errno, Features, Header, Outcome, Step, SysResult, Table};
use loom::sync::Arc;
use loom::thread;

struct Shared<const N: usize> {
    header: Header,
    entries: [Entry; N],
}

impl<const N: usize> Shared<N> {
    fn new() -> Arc<Self> {
        let shared = Self {
            header: Header::default(),
            entries: std::array::from_fn(|_| Entry::default()),
        };
        shared
            .header
            .write(u32::try_from(N).unwrap(), Features::LINK)
            .unwrap();
        Arc::new(shared)
    }

    fn table(&self) -> Table<'_> {
        Table::attach(&self.header, &self.entries).unwrap()
    }
}

fn call(value: u64, flags: EntryFlags) -> Call {
    Call {
        nr: u32::try_from(value).unwrap(),
        flags,
        args: [value; 6],
    }
}

/// The executor looks while the producer still fills: it sees an entry whole or not at all, and the producer sees the
/// result that belongs to it.
#[test]
fn an_entry_is_seen_whole_or_not_at_all() {
    loom::model(|| {
        let shared = Shared::<1>::new();
        let other = Arc::clone(&shared);
        let executor = thread::spawn(move || {
            let table = other.table();
            if let Some(seen) = table.executor().fetch(0) {
                assert_eq!(seen, call(7, EntryFlags::LINK));
                table
                    .executor()
                    .complete(0, SysResult::from_raw(seen.args[5].cast_signed() + 1));
                return true;
            }
            false
        });
        let table = shared.table();
        table.producer().publish(0, &call(7, EntryFlags::LINK)).unwrap();
        let early = table.producer().take(0);
        let ran = executor.join().unwrap();
        let outcome = early.or_else(|| table.producer().take(0));
        assert_eq!(outcome, ran.then_some(Outcome::Done(SysResult::from_raw(8))));
    });
}

/// An entry that is used again never shows the executor a mix of the old call and the new.
#[test]
fn a_reused_entry_is_never_mixed() {
    loom::model(|| {
        let shared = Shared::<1>::new();
        shared
            .table()
            .producer()
            .publish(0, &call(1, EntryFlags::NONE))
            .unwrap();
        let other = Arc::clone(&shared);
        let executor = thread::spawn(move || {
            let table = other.table();
            for _ in 0..2 {
                if let Some(seen) = table.executor().fetch(0) {
                    assert_eq!(seen, call(u64::from(seen.nr), EntryFlags::NONE));
                    table.executor().complete(0, SysResult::from_raw(seen.nr.into()));
                }
            }
        });
        let table = shared.table();
        let first = table.producer().take(0);
        if first.is_some() {
            assert_eq!(first, Some(Outcome::Done(SysResult::from_raw(1))));
            table.producer().publish(0, &call(2, EntryFlags::NONE)).unwrap();
        }
        executor.join().unwrap();
        if let Some(outcome) = table.producer().take(0) {
            let expected = if first.is_some() { 2 } else { 1 };
            assert_eq!(outcome, Outcome::Done(SysResult::from_raw(expected)));
        }
    });
}

/// A chain whose head fails: the producer, polling from the other side, sees the failure and the cancellation and never a
/// run of the second entry.
#[test]
fn a_broken_chain_is_seen_broken() {
    loom::model(|| {
        let shared = Shared::<2>::new();
        let table = shared.table();
        table.producer().publish(0, &call(1, EntryFlags::LINK)).unwrap();
        table.producer().publish(1, &call(2, EntryFlags::NONE)).unwrap();
        let other = Arc::clone(&shared);
        let executor = thread::spawn(move || {
            let done = other.table().executor().walk(0, 2, &mut Chain::new(), |_, seen| {
                assert_eq!(seen.nr, 1, "the second entry must not run");
                Step::Done(SysResult::from_errno(Errno::EPIPE))
            });
            assert_eq!(done, 2);
        });
        // Whoever sees the second entry finished sees the first one finished too.
        if let Some(second) = table.producer().outcome(1) {
            assert_eq!(second, Outcome::Canceled);
            assert!(table.producer().outcome(0).is_some());
        }
        executor.join().unwrap();
        assert_eq!(
            table.producer().take(0),
            Some(Outcome::Done(SysResult::from_errno(Errno::EPIPE)))
        );
        assert_eq!(table.producer().take(1), Some(Outcome::Canceled));
    });
}

/// Taking an entry back races with running it: exactly one of the two happens.
#[test]
fn withdrawing_and_finishing_exclude_each_other_for_the_producer() {
    loom::model(|| {
        let shared = Shared::<1>::new();
        let table = shared.table();
        table.producer().publish(0, &call(3, EntryFlags::NONE)).unwrap();
        assert!(table.producer().withdraw(0));
        let other = Arc::clone(&shared);
        let executor = thread::spawn(move || assert_eq!(other.table().executor().fetch(0), None));
        assert_eq!(table.producer().outcome(0), Some(Outcome::Canceled));
        executor.join().unwrap();
    });
}
