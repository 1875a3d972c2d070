//! Chains: what runs, what is cancelled, and where a chain ends.

use esca_sys::{Errno, Executor, MsgFlags, Operation, Segment, Shutdown, SysResult};

use crate::support::{
    drain, failed, memory_file, no_file, ok, pattern, results, run, shared, taken, unix_pair,
};

const CANCELED: SysResult = SysResult::CANCELED;

pub(crate) fn a_failure_cancels_the_rest_of_its_chain_only<X: Executor>(make: impl Fn() -> X) {
    let (left, right) = unix_pair();
    let (gone, peer) = unix_pair();
    drop(peer);
    let mut segment = Segment::new(make(), 16).unwrap();
    segment
        .push(
            Operation::send(shared(&left), "a", MsgFlags::NOSIGNAL).linked(),
            0,
        )
        .unwrap();
    segment
        .push(
            Operation::send(shared(&gone), "b", MsgFlags::NOSIGNAL).linked(),
            1,
        )
        .unwrap();
    segment
        .push(
            Operation::send(shared(&left), "c", MsgFlags::NOSIGNAL).linked(),
            2,
        )
        .unwrap();
    segment
        .push(Operation::shutdown(shared(&left), Shutdown::Write), 3)
        .unwrap();
    segment
        .push(
            Operation::send(shared(&left), "d", MsgFlags::NOSIGNAL).linked(),
            4,
        )
        .unwrap();
    segment
        .push(Operation::send(shared(&left), "e", MsgFlags::NOSIGNAL), 5)
        .unwrap();
    let completions = run(&mut segment);
    let expected = [ok(1), failed(Errno::EPIPE), CANCELED, CANCELED, ok(1), ok(1)];
    assert_eq!(results(&completions), expected);
    assert_eq!(completions[2].buffer.as_ref().unwrap().as_slice(), b"c");
    assert_eq!(drain(&right), b"ade");
}

pub(crate) fn a_short_send_cancels_the_rest<X: Executor>(make: impl Fn() -> X) {
    let (left, right) = unix_pair();
    let (other, other_peer) = unix_pair();
    let mut segment = Segment::new(make(), 16).unwrap();
    segment
        .push(
            Operation::send(shared(&left), pattern(4 << 20), MsgFlags::NOSIGNAL).linked(),
            0,
        )
        .unwrap();
    segment
        .push(Operation::send(shared(&other), "b", MsgFlags::NOSIGNAL), 1)
        .unwrap();
    let completions = run(&mut segment);
    let sent = usize::try_from(completions[0].result.into_result().unwrap()).unwrap();
    assert!(sent < 4 << 20);
    assert_eq!(completions[1].result, CANCELED);
    assert_eq!(drain(&right), pattern(4 << 20)[..sent]);
    assert_eq!(drain(&other_peer), b"");

    // The end of a file is short, too.
    let file = memory_file(b"0123456789");
    segment
        .push(
            Operation::sendfile(shared(&left), shared(&file), 0, 10).linked(),
            0,
        )
        .unwrap();
    segment
        .push(
            Operation::sendfile(shared(&left), shared(&file), 5, 10).linked(),
            1,
        )
        .unwrap();
    segment
        .push(Operation::send(shared(&left), "x", MsgFlags::NOSIGNAL), 2)
        .unwrap();
    assert_eq!(results(&run(&mut segment)), [ok(10), ok(5), CANCELED]);
    assert_eq!(drain(&right), b"012345678956789");
}

pub(crate) fn a_complete_chain_runs_to_its_end<X: Executor>(make: impl Fn() -> X) {
    let (left, right) = unix_pair();
    let file = memory_file(b"body");
    let mut segment = Segment::new(make(), 16).unwrap();
    segment
        .push(
            Operation::send(shared(&left), "head ", MsgFlags::NOSIGNAL).linked(),
            0,
        )
        .unwrap();
    segment
        .push(
            Operation::sendfile(shared(&left), shared(&file), 0, 4).linked(),
            1,
        )
        .unwrap();
    segment
        .push(Operation::shutdown(shared(&left), Shutdown::Write), 2)
        .unwrap();
    assert_eq!(results(&run(&mut segment)), [ok(5), ok(4), ok(0)]);
    assert_eq!(drain(&right), b"head body");
}

pub(crate) fn a_chain_goes_on_across_a_full_table<X: Executor>(make: impl Fn() -> X) {
    let (left, right) = unix_pair();
    for fails_at in 0..7 {
        let mut segment = Segment::new(make(), 2).unwrap();
        for index in 0..7 {
            let socket = if index == fails_at {
                no_file()
            } else {
                shared(&left)
            };
            let send = Operation::send(socket, "x", MsgFlags::NOSIGNAL);
            segment
                .push(if index < 6 { send.linked() } else { send }, index)
                .unwrap();
        }
        segment
            .push(Operation::send(shared(&left), "y", MsgFlags::NOSIGNAL), 7)
            .unwrap();
        let expected: Vec<_> = (0..8_u64)
            .map(|index| match index {
                7 => ok(1),
                _ if index < fails_at => ok(1),
                _ if index == fails_at => failed(Errno::EBADF),
                _ => CANCELED,
            })
            .collect();
        assert_eq!(results(&run(&mut segment)), expected, "failure at {fails_at}");
        let sent = usize::try_from(fails_at).unwrap();
        assert_eq!(drain(&right), [vec![b'x'; sent], vec![b'y']].concat());
    }
}

pub(crate) fn a_chain_ends_at_a_flush<X: Executor>(make: impl Fn() -> X) {
    let (left, right) = unix_pair();
    let mut segment = Segment::new(make(), 4).unwrap();
    segment
        .push(Operation::send(no_file(), "a", MsgFlags::NOSIGNAL).linked(), 0)
        .unwrap();
    assert_eq!(segment.flush().unwrap(), 1);
    segment
        .push(Operation::send(shared(&left), "b", MsgFlags::NOSIGNAL), 1)
        .unwrap();
    assert_eq!(segment.flush().unwrap(), 1);
    assert_eq!(results(&taken(&mut segment)), [failed(Errno::EBADF), ok(1)]);
    assert_eq!(drain(&right), b"b");
}
