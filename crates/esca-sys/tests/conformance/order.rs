//! Order: on one file, between files, of completions.

use esca_sys::{Executor, MsgFlags, Operation, Segment};

use crate::support::{drain, ok, results, run, shared, unix_pair};

pub(crate) fn sends_on_one_file_keep_their_order<X: Executor>(make: impl Fn() -> X) {
    let (left, right) = unix_pair();
    let mut segment = Segment::new(make(), 128).unwrap();
    let mut expected = Vec::new();
    for index in 0..100_u64 {
        let text = format!("<{index}>").into_bytes();
        expected.extend_from_slice(&text);
        segment
            .push(Operation::send(shared(&left), text, MsgFlags::NOSIGNAL), index)
            .unwrap();
    }
    assert_eq!(segment.pending(), 100);
    let completions = run(&mut segment);
    assert!(completions.iter().all(|completion| completion.result.is_ok()));
    assert_eq!(drain(&right), expected);
}

pub(crate) fn files_do_not_wait_for_each_other<X: Executor>(make: impl Fn() -> X) {
    let pairs: Vec<_> = (0..8).map(|_| unix_pair()).collect();
    let mut segment = Segment::new(make(), 64).unwrap();
    for round in 0..8_u8 {
        for (left, _) in &pairs {
            segment
                .push(
                    Operation::send(shared(left), vec![round; 3], MsgFlags::NOSIGNAL),
                    0,
                )
                .unwrap();
        }
    }
    assert_eq!(results(&run(&mut segment)), vec![ok(3); 64]);
    let expected: Vec<u8> = (0..8).flat_map(|round| [round; 3]).collect();
    for (_, right) in &pairs {
        assert_eq!(drain(right), expected);
    }
}

pub(crate) fn completions_come_in_the_order_of_submission<X: Executor>(make: impl Fn() -> X) {
    let (left, _right) = unix_pair();
    let mut segment = Segment::new(make(), 16).unwrap();
    let mut next = 0;
    for count in [1, 16, 7, 3, 16, 2, 11] {
        for _ in 0..count {
            segment
                .push(Operation::send(shared(&left), "x", MsgFlags::NOSIGNAL), next)
                .unwrap();
            next += 1;
        }
        assert_eq!(segment.flush().unwrap(), count);
        assert_eq!(segment.completed(), count);
        for offset in 0..count as u64 {
            assert_eq!(
                segment.next_completion().unwrap().token,
                next - count as u64 + offset
            );
        }
        assert!(segment.next_completion().is_none());
    }
}
