//! Each constructor makes the call that it names.

use std::net::{TcpListener, TcpStream};
use std::os::fd::{FromRawFd, OwnedFd};
use std::sync::Arc;

use esca_sys::{
    AcceptFlags, Descriptor, EpollEvent, EpollOp, Executor, MsgFlags, Operation, Segment, Shutdown,
    SpliceFlags, Vectored,
};

use crate::support::{drain, memory_file, ok, pattern, results, run, shared, unix_pair};

const EPOLLIN: u32 = 1;
const EPOLLRDHUP: u32 = 0x2000;

pub(crate) fn sendfile_reads_at_its_own_offset<X: Executor>(make: impl Fn() -> X) {
    let (left, right) = unix_pair();
    let bytes = pattern(10_000);
    let file = memory_file(&bytes);
    rustix::fs::seek(&file, rustix::fs::SeekFrom::Start(77)).unwrap();
    let mut segment = Segment::new(make(), 8).unwrap();
    let ranges = [
        (0, 100),
        (5000, 5000),
        (9_990, 100),
        (10_000, 1),
        (1 << 40, 1),
        (1, 9),
    ];
    for (offset, count) in ranges {
        segment
            .push(
                Operation::sendfile(shared(&left), shared(&file), offset, count),
                offset,
            )
            .unwrap();
    }
    assert_eq!(
        results(&run(&mut segment)),
        [ok(100), ok(5000), ok(10), ok(0), ok(0), ok(9)]
    );
    assert_eq!(
        drain(&right),
        [&bytes[..100], &bytes[5000..], &bytes[9_990..], &bytes[1..10]].concat()
    );
    assert_eq!(
        rustix::fs::tell(&file).unwrap(),
        77,
        "the file's own position stays"
    );
}

pub(crate) fn gathered_buffers_go_out_whole<X: Executor>(make: impl Fn() -> X) {
    let (left, right) = unix_pair();
    let gather = |texts: [&'static str; 3]| {
        let mut parts = Vectored::new();
        for text in texts {
            parts.push(text).unwrap();
        }
        parts
    };
    let mut segment = Segment::new(make(), 8).unwrap();
    segment
        .push(
            Operation::send_vectored(shared(&left), gather(["a", "", "bc"]), MsgFlags::NOSIGNAL).linked(),
            0,
        )
        .unwrap();
    segment
        .push(
            Operation::writev(shared(&left), gather(["d", "efg", "h"])).linked(),
            1,
        )
        .unwrap();
    segment
        .push(Operation::write(shared(&left), "i").linked(), 2)
        .unwrap();
    segment
        .push(
            Operation::send_vectored(shared(&left), Vectored::new(), MsgFlags::NOSIGNAL),
            3,
        )
        .unwrap();
    assert_eq!(results(&run(&mut segment)), [ok(3), ok(5), ok(1), ok(0)]);
    assert_eq!(drain(&right), b"abcdefghi");
}

pub(crate) fn receiving_fills_the_spare_capacity<X: Executor>(make: impl Fn() -> X) {
    let (left, right) = unix_pair();
    let mut segment = Segment::new(make(), 8).unwrap();
    segment
        .push(
            Operation::send(shared(&left), "0123456789", MsgFlags::NOSIGNAL),
            0,
        )
        .unwrap();
    let mut into = Vec::with_capacity(8);
    into.extend_from_slice(b"> ");
    let room = i64::try_from(into.capacity() - 2).unwrap().min(10);
    segment
        .push(Operation::recv(shared(&right), into, MsgFlags::PEEK), 1)
        .unwrap();
    segment
        .push(Operation::read(shared(&right), Vec::with_capacity(4096)), 2)
        .unwrap();
    segment
        .push(
            Operation::recv(shared(&right), Vec::with_capacity(16), MsgFlags::NONE),
            3,
        )
        .unwrap();
    segment
        .push(Operation::shutdown(shared(&left), Shutdown::Write), 4)
        .unwrap();
    segment
        .push(
            Operation::recv(shared(&right), Vec::with_capacity(16), MsgFlags::NONE),
            5,
        )
        .unwrap();
    let mut completions = run(&mut segment);
    let expected = [
        ok(10),
        ok(room),
        ok(10),
        crate::support::failed(esca_sys::Errno::EAGAIN),
        ok(0),
        ok(0),
    ];
    assert_eq!(results(&completions), expected);
    let read = completions.remove(2).buffer.unwrap();
    assert_eq!(read.as_slice(), b"0123456789");
    let peeked = completions.remove(1).buffer.unwrap();
    assert_eq!(peeked.as_slice(), &b"0123456789"[..peeked.len()]);
    assert!(peeked.into_vec().unwrap().starts_with(b"> 0"));
    assert_eq!(completions[1].buffer.as_ref().unwrap().len(), 0);
}

pub(crate) fn a_connection_is_accepted_watched_and_shut_down<X: Executor>(make: impl Fn() -> X) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let listener = Descriptor::from(OwnedFd::from(listener));
    let epoll = Arc::new(rustix::event::epoll::create(rustix::event::epoll::CreateFlags::CLOEXEC).unwrap());
    let mut segment = Segment::new(make(), 8).unwrap();

    segment
        .push(
            Operation::accept4(listener, AcceptFlags::NONBLOCK | AcceptFlags::CLOEXEC),
            0,
        )
        .unwrap();
    let accepted = run(&mut segment).pop().unwrap().result.into_result().unwrap();
    // SAFETY: the descriptor was just accepted, and nobody else owns it.
    let socket = Arc::new(unsafe { OwnedFd::from_raw_fd(i32::try_from(accepted).unwrap()) });
    assert!(
        rustix::fs::fcntl_getfl(&socket)
            .unwrap()
            .contains(rustix::fs::OFlags::NONBLOCK)
    );

    let data = 0xfeed_f00d_1234_5678;
    let event = EpollEvent {
        events: EPOLLIN | EPOLLRDHUP,
        data,
    };
    let (level, name) = (6, 1); // IPPROTO_TCP, TCP_NODELAY
    segment
        .push(Operation::setsockopt_int(shared(&socket), level, name, 1), 1)
        .unwrap();
    segment
        .push(
            Operation::epoll_ctl(shared(&epoll), EpollOp::Add, shared(&socket), event),
            2,
        )
        .unwrap();
    segment
        .push(Operation::epoll_wait(shared(&epoll), Vec::with_capacity(4), 0), 3)
        .unwrap();
    assert_eq!(results(&run(&mut segment)), [ok(0), ok(0), ok(0)]);
    assert!(rustix::net::sockopt::tcp_nodelay(&socket).unwrap());

    segment
        .push(Operation::setsockopt(shared(&socket), level, name, &[0; 4]), 4)
        .unwrap();
    client.shutdown(std::net::Shutdown::Write).unwrap();
    segment
        .push(
            Operation::epoll_wait(shared(&epoll), Vec::with_capacity(4), 10_000),
            5,
        )
        .unwrap();
    let mut completions = run(&mut segment);
    assert_eq!(results(&completions), [ok(0), ok(1)]);
    let events = completions.pop().unwrap().buffer.unwrap().into_events().unwrap();
    assert_eq!(events, [event]);
    assert!(!rustix::net::sockopt::tcp_nodelay(&socket).unwrap());
}

pub(crate) fn splice_moves_between_file_and_pipe<X: Executor>(make: impl Fn() -> X) {
    let (left, right) = unix_pair();
    let file = memory_file(b"0123456789");
    let (from, to) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC).unwrap();
    let (from, to) = (Arc::new(from), Arc::new(to));
    let mut segment = Segment::new(make(), 8).unwrap();
    let into_pipe = Operation::splice(shared(&file), Some(3), shared(&to), None, 4, SpliceFlags::MOVE);
    segment.push(into_pipe.linked(), 0).unwrap();
    let out_of_pipe = Operation::splice(shared(&from), None, shared(&left), None, 4, SpliceFlags::NONE);
    segment.push(out_of_pipe.linked(), 1).unwrap();
    segment.push(Operation::fsync(shared(&file)), 2).unwrap();
    assert_eq!(results(&run(&mut segment)), [ok(4), ok(4), ok(0)]);
    assert_eq!(drain(&right), b"3456");
}

pub(crate) fn a_blocking_entry_ends_its_batch<X: Executor>(make: impl Fn() -> X) {
    let (left, right) = unix_pair();
    let epoll = Arc::new(rustix::event::epoll::create(rustix::event::epoll::CreateFlags::CLOEXEC).unwrap());
    let mut segment = Segment::new(make(), 8).unwrap();
    let event = EpollEvent {
        events: EPOLLIN,
        data: 7,
    };
    segment
        .push(
            Operation::epoll_ctl(shared(&epoll), EpollOp::Add, shared(&right), event),
            0,
        )
        .unwrap();
    segment
        .push(Operation::send(shared(&left), "x", MsgFlags::NOSIGNAL), 1)
        .unwrap();
    segment
        .push(
            Operation::epoll_wait(shared(&epoll), Vec::with_capacity(1), -1),
            2,
        )
        .unwrap();
    assert_eq!(segment.pending(), 3);
    segment
        .push(Operation::send(shared(&left), "y", MsgFlags::NOSIGNAL), 3)
        .unwrap();
    assert_eq!(
        (segment.pending(), segment.completed()),
        (1, 3),
        "pushing behind it flushed"
    );
    assert_eq!(results(&run(&mut segment)), [ok(0), ok(1), ok(1), ok(1)]);
    assert_eq!(drain(&right), b"xy");
}
