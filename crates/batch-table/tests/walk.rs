//! What a batch means: order, chains, stopping and going on, running over the end of the table.
#![cfg(not(loom))]
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use batch_table::{
    Call, Chain, Entry, EntryFlags, Errno, Features, Header, Outcome, Step, SysResult, Table, nr,
};
use proptest::prelude::*;

fn entries<const N: usize>() -> [Entry; N] {
    std::array::from_fn(|_| Entry::default())
}

fn call(nr: u32, linked: bool) -> Call {
    let flags = if linked {
        EntryFlags::LINK
    } else {
        EntryFlags::NONE
    };
    Call {
        nr,
        flags,
        args: [0; 6],
    }
}

const FAIL: SysResult = SysResult::from_errno(Errno::EIO);
const OK: SysResult = SysResult::from_raw(0);

#[test]
fn a_batch_may_run_over_the_end_of_the_table_and_of_the_counter() {
    let (header, entries) = (Header::default(), entries::<4>());
    let table = Table::new(&header, &entries, Features::LINK).unwrap();
    for first in [0, 3, u32::MAX - 1] {
        for offset in 0..4 {
            table
                .producer()
                .publish(first.wrapping_add(offset), &call(1000 + offset, false))
                .unwrap();
        }
        assert!(
            table.producer().publish(first, &call(0, false)).is_err(),
            "a full table takes no more"
        );
        let mut seen = Vec::new();
        let done = table.executor().walk(first, 4, &mut Chain::new(), |_, call| {
            seen.push(call.nr);
            Step::Done(SysResult::from_raw(i64::from(call.nr) << 32))
        });
        assert_eq!((done, seen), (4, vec![1000, 1001, 1002, 1003]));
        for offset in 0..4 {
            let outcome = table.producer().take(first.wrapping_add(offset));
            assert_eq!(
                outcome,
                Some(Outcome::Done(SysResult::from_raw(i64::from(1000 + offset) << 32)))
            );
        }
    }
}

#[test]
fn a_walk_that_stopped_goes_on_inside_its_chain() {
    let (header, entries) = (Header::default(), entries::<4>());
    let table = Table::new(&header, &entries, Features::LINK).unwrap();
    table.producer().publish(0, &call(1, true)).unwrap();
    table.producer().publish(1, &call(2, true)).unwrap();
    table.producer().publish(2, &call(3, false)).unwrap();
    let mut chain = Chain::new();
    assert_eq!(
        table
            .executor()
            .walk(0, 3, &mut chain, |_, _| Step::DoneThenStop(FAIL)),
        1
    );
    assert_eq!(
        table
            .executor()
            .walk(1, 2, &mut chain, |_, _| unreachable!("the chain is broken")),
        2
    );
    assert_eq!(table.producer().take(0), Some(Outcome::Done(FAIL)));
    assert_eq!(table.producer().take(1), Some(Outcome::Canceled));
    assert_eq!(table.producer().take(2), Some(Outcome::Canceled));
    assert_eq!(table.producer().take(2), None);
}

#[test]
fn stop_leaves_the_entry_ready() {
    let (header, entries) = (Header::default(), entries::<1>());
    let table = Table::new(&header, &entries, Features::NONE).unwrap();
    table.producer().publish(0, &call(1, false)).unwrap();
    assert_eq!(
        table.executor().walk(0, 1, &mut Chain::new(), |_, _| Step::Stop),
        0
    );
    assert_eq!(table.producer().take(0), None);
    assert!(table.producer().withdraw(0));
    assert!(!table.producer().withdraw(0));
    assert_eq!(
        table
            .executor()
            .walk(0, 1, &mut Chain::new(), |_, _| unreachable!("withdrawn")),
        1
    );
    assert_eq!(table.producer().take(0), Some(Outcome::Canceled));
}

/// The meaning of chains said in the plainest way: split into chains, each runs until its first break.
fn model(batch: &[(bool, u64, SysResult)]) -> Vec<Outcome> {
    batch
        .split_inclusive(|(linked, _, _)| !linked)
        .flat_map(|chain| {
            let broke = chain
                .iter()
                .position(|&(_, asked, result)| match result.into_result() {
                    Ok(moved) => moved < asked,
                    Err(_) => true,
                });
            chain
                .iter()
                .enumerate()
                .map(move |(index, &(_, _, result))| match broke {
                    Some(broke) if index > broke => Outcome::Canceled,
                    _ => Outcome::Done(result),
                })
        })
        .collect()
}

fn any_result() -> impl Strategy<Value = SysResult> {
    prop_oneof![
        (0_i64..4).prop_map(SysResult::from_raw),
        (-4095_i64..=-1).prop_map(SysResult::from_raw),
        any::<i64>().prop_map(SysResult::from_raw),
    ]
}

proptest! {
    #[test]
    fn walk_equals_the_model(
        batch in proptest::collection::vec((any::<bool>(), 0_u64..4, any_result()), 0..=16),
        first: u32,
        turns in proptest::collection::vec(1_u32..5, 1..4),
    ) {
        let (header, entries) = (Header::default(), entries::<16>());
        let table = Table::new(&header, &entries, Features::LINK).unwrap();
        for (offset, &(linked, asked, _)) in (0..).zip(&batch) {
            let mut sent = call(nr::native::SENDTO, linked);
            sent.args[2] = asked;
            table.producer().publish(first.wrapping_add(offset), &sent).unwrap();
        }
        // The walk is interrupted behind every `turns` entries and taken up again.
        let len = u32::try_from(batch.len()).unwrap();
        let mut chain = Chain::new();
        let mut done = 0;
        let mut turns = turns.iter().cycle();
        while done < len {
            let mut left = *turns.next().unwrap();
            done += table.executor().walk(first.wrapping_add(done), len - done, &mut chain, |position, _| {
                let result = batch[position.wrapping_sub(first) as usize].2;
                left -= 1;
                if left == 0 { Step::DoneThenStop(result) } else { Step::Done(result) }
            });
        }
        let outcomes: Vec<_> =
            (0..len).map(|offset| table.producer().take(first.wrapping_add(offset)).unwrap()).collect();
        prop_assert_eq!(outcomes, model(&batch));
    }
}

#[test]
fn the_model_knows_what_a_break_is() {
    let batch = [(true, 4, SysResult::from_raw(3)), (false, 0, OK), (false, 0, OK)];
    assert_eq!(
        model(&batch),
        [
            Outcome::Done(SysResult::from_raw(3)),
            Outcome::Canceled,
            Outcome::Done(OK)
        ]
    );
}
