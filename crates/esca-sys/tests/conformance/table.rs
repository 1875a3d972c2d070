//! The table: full, untaken, dropped.

use std::os::fd::AsRawFd;
use std::sync::Arc;

use esca_sys::{Buffer, Errno, Executor, MsgFlags, Operation, Segment, SegmentError, SysResult, Vectored};

use crate::support::{
    drain, duplicate_as, failed, is_open, no_file, numbered_file, ok, results, run, shared, taken, unix_pair,
};

pub(crate) fn a_full_table_flushes_itself<X: Executor>(make: impl Fn() -> X) {
    for capacity in [1, 2, 4, 64] {
        let (left, right) = unix_pair();
        let mut segment = Segment::new(make(), capacity).unwrap();
        let mut expected = Vec::new();
        let mut tokens = Vec::new();
        for index in 0..200_u64 {
            let text = index.to_string().into_bytes();
            expected.extend_from_slice(&text);
            segment
                .push(Operation::send(shared(&left), text, MsgFlags::NOSIGNAL), index)
                .unwrap();
            assert!(segment.pending() <= capacity as usize);
            // Some are taken on the way, some pile up.
            if index % 3 == 0 {
                tokens.extend(segment.next_completion().map(|completion| completion.token));
            }
        }
        tokens.extend(run(&mut segment).iter().map(|completion| completion.token));
        assert_eq!(tokens, (0..200).collect::<Vec<_>>());
        assert_eq!(drain(&right), expected);
    }
    for capacity in [0, 3, 100, 8192] {
        assert_eq!(
            Segment::new(make(), capacity).err(),
            Some(SegmentError::Capacity(capacity))
        );
    }
}

pub(crate) fn completions_that_nobody_takes_are_kept<X: Executor>(make: impl Fn() -> X) {
    let (left, _right) = unix_pair();
    let mut segment = Segment::new(make(), 4).unwrap();
    for index in 0..50 {
        segment
            .push(Operation::send(shared(&left), "x", MsgFlags::NOSIGNAL), index)
            .unwrap();
        if index % 7 == 0 {
            segment.flush().unwrap();
        }
    }
    segment.flush().unwrap();
    assert_eq!((segment.pending(), segment.completed()), (0, 50));
    let completions = taken(&mut segment);
    assert_eq!(
        completions
            .iter()
            .map(|completion| completion.token)
            .collect::<Vec<_>>(),
        (0..50).collect::<Vec<_>>()
    );
}

pub(crate) fn buffers_come_back<X: Executor>(make: impl Fn() -> X) {
    let (left, right) = unix_pair();
    let mut segment = Segment::new(make(), 16).unwrap();
    let pooled = Vec::from(*b"pooled and longer");
    let place = pooled.as_ptr();
    let cached: Arc<[u8]> = Arc::from(&b"0123456789"[..]);
    let owner: Arc<dyn AsRef<[u8]> + Send + Sync> = Arc::new(String::from("owner"));
    let buffers = [
        Buffer::from_vec(pooled, 0..6).unwrap(),
        Buffer::from_shared(Arc::clone(&cached), 3..5).unwrap(),
        Buffer::from_owner(owner, 1..3).unwrap(),
        Buffer::from("static"),
    ];
    for buffer in buffers {
        segment
            .push(Operation::send(shared(&left), buffer, MsgFlags::NOSIGNAL), 0)
            .unwrap();
    }
    assert_eq!(Arc::strong_count(&cached), 2);
    let mut completions = run(&mut segment).into_iter();
    assert_eq!(drain(&right), b"pooled34wnstatic");
    let vec = completions.next().unwrap().buffer.unwrap().into_vec().unwrap();
    assert_eq!((vec.as_ptr(), &vec[..]), (place, &b"pooled and longer"[..]));
    drop(completions);
    assert_eq!(Arc::strong_count(&cached), 1);

    assert!(Buffer::from_vec(vec![0; 4], 2..5).is_err());
    let (from, to) = (3, 2);
    assert_eq!(
        Buffer::from_vec(vec![0; 4], from..to).unwrap_err().memory.len(),
        4
    );

    // A gathered buffer that comes back goes out again as what it is.
    let mut parts = Vectored::new();
    parts.push("ab").unwrap();
    parts.push("cd").unwrap();
    segment
        .push(
            Operation::send_vectored(shared(&left), parts, MsgFlags::NOSIGNAL),
            0,
        )
        .unwrap();
    let again = run(&mut segment).pop().unwrap().buffer.unwrap();
    segment
        .push(Operation::send(shared(&left), again, MsgFlags::NOSIGNAL), 0)
        .unwrap();
    assert_eq!(results(&run(&mut segment)), [ok(4)]);
    assert_eq!(drain(&right), b"abcdabcd");
}

pub(crate) fn closed_once_and_never_leaked<X: Executor>(make: impl Fn() -> X) {
    let mut segment = Segment::new(make(), 8).unwrap();

    // Closed by its entry: another file may have the number before the completion is taken.
    let closed = numbered_file();
    let number = closed.as_raw_fd();
    segment.push(Operation::close(closed), 0).unwrap();
    assert!(is_open(number));
    segment.flush().unwrap();
    assert!(!is_open(number));
    let _reused = duplicate_as(&numbered_file(), number);
    assert_eq!(results(&taken(&mut segment)), [ok(0)]);
    assert!(
        is_open(number),
        "taking the completion must not close the number again"
    );

    // Cancelled: closed when the completion is taken.
    let canceled = numbered_file();
    let number = canceled.as_raw_fd();
    segment
        .push(Operation::send(no_file(), "x", MsgFlags::NOSIGNAL).linked(), 0)
        .unwrap();
    segment.push(Operation::close(canceled), 1).unwrap();
    segment.flush().unwrap();
    assert!(is_open(number));
    assert_eq!(
        results(&taken(&mut segment)),
        [failed(Errno::EBADF), SysResult::CANCELED]
    );
    assert!(!is_open(number));
}

pub(crate) fn dropping_acts_on_nothing<X: Executor>(make: impl Fn() -> X) {
    let (left, right) = unix_pair();
    let mut segment = Segment::new(make(), 8).unwrap();
    let done = numbered_file();
    let done_number = done.as_raw_fd();
    segment.push(Operation::close(done), 0).unwrap();
    segment.flush().unwrap();
    let _reused = duplicate_as(&numbered_file(), done_number);
    let waiting = numbered_file();
    let waiting_number = waiting.as_raw_fd();
    segment
        .push(Operation::send(shared(&left), "x", MsgFlags::NOSIGNAL), 1)
        .unwrap();
    segment.push(Operation::close(waiting), 2).unwrap();
    assert_eq!(Arc::strong_count(&left), 2);
    drop(segment);
    assert_eq!(Arc::strong_count(&left), 1, "files are let go");
    assert!(is_open(done_number), "a close that ran is not repeated");
    assert!(!is_open(waiting_number), "a close that waited does not leak");
    assert_eq!(drain(&right), b"");
}
