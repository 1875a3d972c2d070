//! Results as they are: short, failed, large.

use std::os::fd::AsRawFd;

use esca_sys::{Descriptor, Errno, Executor, MsgFlags, Operation, Segment};

use crate::support::{
    drain, duplicate_as, failed, memory_file, no_file, number, numbered_file, ok, pattern, read_exactly,
    results, run, shared, tcp_pair, unix_pair,
};

pub(crate) fn a_short_send_says_how_short<X: Executor>(make: impl Fn() -> X) {
    let (left, right) = unix_pair();
    let bytes = pattern(4 << 20);
    let mut segment = Segment::new(make(), 4).unwrap();
    let mut buffer: esca_sys::Buffer = bytes.clone().into();
    let mut received = Vec::new();
    let mut short = 0;
    while !buffer.is_empty() {
        let asked = buffer.len();
        segment
            .push(Operation::send(shared(&left), buffer, MsgFlags::NOSIGNAL), 0)
            .unwrap();
        let completion = run(&mut segment).pop().unwrap();
        let count = usize::try_from(completion.result.into_result().unwrap()).unwrap();
        short += usize::from(count < asked);
        buffer = completion.buffer.unwrap();
        buffer.advance(count);
        received.extend(drain(&right));
    }
    assert!(short > 0, "4 MiB do not fit into a socket");
    assert_eq!(received, bytes, "what was reported is what was sent");
}

pub(crate) fn a_full_socket_says_so<X: Executor>(make: impl Fn() -> X) {
    let (left, right) = unix_pair();
    let mut segment = Segment::new(make(), 4).unwrap();
    segment
        .push(
            Operation::send(shared(&left), pattern(4 << 20), MsgFlags::NOSIGNAL),
            1,
        )
        .unwrap();
    segment
        .push(Operation::send(shared(&left), "more", MsgFlags::NOSIGNAL), 2)
        .unwrap();
    let completions = run(&mut segment);
    let sent = completions[0].result.into_result().unwrap();
    assert_eq!(completions[1].result, failed(Errno::EAGAIN));
    assert_eq!(completions[1].buffer.as_ref().unwrap().as_slice(), b"more");
    assert_eq!(drain(&right).len() as u64, sent);
}

pub(crate) fn a_bad_descriptor_fails_alone<X: Executor>(make: impl Fn() -> X) {
    let (left, right) = unix_pair();
    let mut segment = Segment::new(make(), 8).unwrap();
    segment
        .push(Operation::send(shared(&left), "a", MsgFlags::NOSIGNAL), 0)
        .unwrap();
    segment
        .push(Operation::send(no_file(), "b", MsgFlags::NOSIGNAL), 1)
        .unwrap();
    segment.push(Operation::write(no_file(), "b"), 1).unwrap();
    segment
        .push(Operation::sendfile(shared(&left), no_file(), 0, 10), 2)
        .unwrap();
    segment
        .push(Operation::write(shared(&memory_file(b"")), "c"), 3)
        .unwrap();
    segment
        .push(
            Operation::send(shared(&memory_file(b"")), "c", MsgFlags::NOSIGNAL),
            3,
        )
        .unwrap();
    segment
        .push(Operation::send(shared(&left), "d", MsgFlags::NOSIGNAL), 4)
        .unwrap();
    let bad = failed(Errno::EBADF);
    let expected = [ok(1), bad, bad, bad, ok(1), failed(Errno::ENOTSOCK), ok(1)];
    assert_eq!(results(&run(&mut segment)), expected);
    assert_eq!(drain(&right), b"ad");
}

pub(crate) fn a_number_is_bad_behind_its_close<X: Executor>(make: impl Fn() -> X) {
    let (left, right) = unix_pair();
    let number = numbered_file().as_raw_fd();
    let end = duplicate_as(&left, number);
    let mut segment = Segment::new(make(), 8).unwrap();
    // SAFETY: nothing else in this process opens a file as high as that, so it is never another one.
    let raw = || unsafe { Descriptor::raw(number) };
    segment
        .push(Operation::send(raw(), "a", MsgFlags::NOSIGNAL), 0)
        .unwrap();
    segment.push(Operation::close(end), 1).unwrap();
    segment
        .push(Operation::send(raw(), "b", MsgFlags::NOSIGNAL), 2)
        .unwrap();
    segment
        .push(Operation::sendfile(shared(&left), raw(), 0, 1), 3)
        .unwrap();
    segment.push(Operation::write(shared(&left), "c"), 4).unwrap();
    let bad = failed(Errno::EBADF);
    assert_eq!(results(&run(&mut segment)), [ok(1), ok(0), bad, bad, ok(1)]);
    assert_eq!(drain(&right), b"ac");
}

pub(crate) fn a_bad_pointer_fails_alone<X: Executor>(make: impl Fn() -> X) {
    let (left, right) = unix_pair();
    let mut segment = Segment::new(make(), 8).unwrap();
    segment
        .push(Operation::send(shared(&left), "a", MsgFlags::NOSIGNAL), 0)
        .unwrap();
    let args = [number(&left), 1, 16, MsgFlags::NOSIGNAL.bits().into(), 0, 0];
    // SAFETY: the socket is open until the end of the test; address 1 is never mapped, so the kernel reads nothing.
    let bad = unsafe { Operation::raw(batch_table::nr::native::SENDTO, args) };
    segment.push(bad, 1).unwrap();
    segment
        .push(Operation::send(shared(&left), "b", MsgFlags::NOSIGNAL), 2)
        .unwrap();
    assert_eq!(results(&run(&mut segment)), [ok(1), failed(Errno::EFAULT), ok(1)]);
    assert_eq!(drain(&right), b"ab");
}

pub(crate) fn an_unknown_call_fails_alone<X: Executor>(make: impl Fn() -> X) {
    let (left, right) = unix_pair();
    let mut segment = Segment::new(make(), 8).unwrap();
    for nr in [0xfff, 0x7fff_ffff] {
        // SAFETY: the kernel knows no call with this number.
        segment.push(unsafe { Operation::raw(nr, [0; 6]) }, 0).unwrap();
        segment
            .push(Operation::send(shared(&left), "b", MsgFlags::NOSIGNAL), 1)
            .unwrap();
    }
    let unknown = failed(Errno::ENOSYS);
    assert_eq!(results(&run(&mut segment)), [unknown, ok(1), unknown, ok(1)]);
    assert_eq!(drain(&right), b"bb");
}

pub(crate) fn a_result_has_all_its_bits<X: Executor>(make: impl Fn() -> X) {
    let file = memory_file(b"");
    let lseek = if cfg!(target_arch = "x86_64") { 8 } else { 62 };
    let mut segment = Segment::new(make(), 8).unwrap();
    let offsets = [1_u64 << 40, 0xffff_ffff, 0x8000_0000, (1 << 33) - 7];
    for offset in offsets {
        // SAFETY: moves the position of a file that only this test has.
        segment
            .push(
                unsafe { Operation::raw(lseek, [number(&file), offset, 0, 0, 0, 0]) },
                0,
            )
            .unwrap();
    }
    let values: Vec<_> = run(&mut segment)
        .iter()
        .map(|completion| completion.result.into_result().unwrap())
        .collect();
    assert_eq!(values, offsets);
}

pub(crate) fn a_late_reset_is_reported_by_the_entry_that_met_it<X: Executor>(make: impl Fn() -> X) {
    let (left, right) = tcp_pair();
    let mut segment = Segment::new(make(), 8).unwrap();
    segment
        .push(Operation::send(shared(&left), "first", MsgFlags::NOSIGNAL), 0)
        .unwrap();
    assert_eq!(results(&run(&mut segment)), [ok(5)]);
    assert_eq!(read_exactly(&right, 5), b"first");

    // Recorded while the peer is there, run when it has reset the connection.
    segment
        .push(Operation::send(shared(&left), "second", MsgFlags::NOSIGNAL), 1)
        .unwrap();
    segment
        .push(Operation::send(shared(&left), "third", MsgFlags::NOSIGNAL), 2)
        .unwrap();
    let linger = Some(std::time::Duration::ZERO);
    rustix::net::sockopt::set_socket_linger(&right, linger).unwrap();
    drop(right);
    let reset = run(&mut segment);
    assert_eq!(results(&reset), [failed(Errno::ECONNRESET), failed(Errno::EPIPE)]);
    assert_eq!(reset[1].buffer.as_ref().unwrap().as_slice(), b"third");
}
