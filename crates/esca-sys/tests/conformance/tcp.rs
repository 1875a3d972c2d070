//! TCP sockets that are declared as such: with the optimiser on and off, the same results and the same stream.

use std::thread;
use std::time::{Duration, Instant};

use esca_sys::{
    Buffer, Descriptor, Errno, Executor, MsgFlags, Operation, Segment, Shutdown, SysResult, Vectored,
};

use crate::support::{
    File, drain, failed, memory_file, no_file, number, ok, pattern, read_exactly, results, run, shared,
    tcp_pair,
};

const IPPROTO_TCP: i32 = 6;
const TCP_CORK: i32 = 3;

fn tcp(file: &File) -> Descriptor {
    shared(file).assume_tcp()
}

/// Runs a test with the optimiser on and off.
fn on_and_off<X: Executor>(make: impl Fn() -> X, test: impl Fn(&mut Segment<X>)) {
    for on in [true, false] {
        let mut segment = Segment::new(make(), 64).unwrap();
        segment.set_optimise(on);
        test(&mut segment);
    }
}

/// Bytes that the socket holds back although the peer could take them. A busy kernel takes a moment to send; what is held back
/// on purpose stays for 200 ms (`TCP_CORK` in tcp(7)).
fn held_back(socket: &File) -> u32 {
    let start = Instant::now();
    loop {
        let count = unsent(socket);
        if count == 0 || start.elapsed() > Duration::from_millis(100) {
            return count;
        }
        thread::sleep(Duration::from_millis(1));
    }
}

/// Bytes that are in the send buffer only (`SIOCOUTQNSD`).
fn unsent(socket: &File) -> u32 {
    let ioctl = if cfg!(target_arch = "x86_64") { 16 } else { 29 };
    let mut count = 0_u32;
    // SAFETY: the request writes one int, to a live variable.
    let result = unsafe {
        esca_sys::syscall(
            ioctl,
            &[
                number(socket),
                0x894b,
                (&raw mut count).expose_provenance() as u64,
                0,
                0,
                0,
            ],
        )
    };
    match result.errno() {
        // QEMU's user mode does not know the request; the bytes read at the other end then have to do.
        Some(Errno::ENOSYS | Errno::ENOTTY) => return 0,
        other => assert_eq!(other, None),
    }
    count
}

pub(crate) fn pipelined_answers_arrive_in_order<X: Executor>(make: impl Fn() -> X) {
    on_and_off(make, |segment| {
        let (left, right) = tcp_pair();
        let mut expected = Vec::new();
        for index in 0..16_u8 {
            let answer = format!("answer {index}\n").into_bytes();
            expected.extend_from_slice(&answer);
            let send = Operation::send(tcp(&left), answer, MsgFlags::NOSIGNAL);
            segment
                .push(if index < 15 { send.linked() } else { send }, index.into())
                .unwrap();
        }
        let completions = run(segment);
        for (index, completion) in (0..).zip(&completions) {
            assert_eq!(completion.token, index);
            assert_eq!(completion.result, ok(if index < 10 { 9 } else { 10 }));
        }
        assert_eq!(held_back(&left), 0);
        assert_eq!(read_exactly(&right, expected.len()), expected);
    });
}

pub(crate) fn header_and_file_arrive_in_order<X: Executor>(make: impl Fn() -> X) {
    on_and_off(make, |segment| {
        let (left, right) = tcp_pair();
        let body = pattern(4096);
        let file = memory_file(&body);
        let mut expected = Vec::new();
        for round in 0..4_u64 {
            segment
                .push(
                    Operation::send(tcp(&left), "header ", MsgFlags::NOSIGNAL).linked(),
                    round,
                )
                .unwrap();
            segment
                .push(
                    Operation::sendfile(tcp(&left), shared(&file), round, 4096 - round),
                    round,
                )
                .unwrap();
            expected.extend_from_slice(b"header ");
            expected.extend_from_slice(&body[usize::try_from(round).unwrap()..]);
        }
        let sent = results(&run(segment));
        assert_eq!(
            sent,
            [ok(7), ok(4096), ok(7), ok(4095), ok(7), ok(4094), ok(7), ok(4093)]
        );
        assert_eq!(held_back(&left), 0);
        assert_eq!(read_exactly(&right, expected.len()), expected);
    });
}

pub(crate) fn a_successor_that_fails_leaves_nothing_held_back<X: Executor>(make: impl Fn() -> X) {
    on_and_off(make, |segment| {
        for empty in [false, true] {
            let (left, right) = tcp_pair();
            let file = if empty {
                shared(&memory_file(b""))
            } else {
                no_file()
            };
            segment
                .push(Operation::send(tcp(&left), "header", MsgFlags::NOSIGNAL), 0)
                .unwrap();
            segment
                .push(Operation::sendfile(tcp(&left), file, 0, 10), 1)
                .unwrap();
            let body = if empty { ok(0) } else { failed(Errno::EBADF) };
            assert_eq!(results(&run(segment)), [ok(6), body]);
            assert_eq!(held_back(&left), 0);
            assert_eq!(read_exactly(&right, 6), b"header");
        }
    });
}

pub(crate) fn a_full_socket_splits_exactly<X: Executor>(make: impl Fn() -> X) {
    on_and_off(make, |segment| {
        let (left, right) = tcp_pair();
        let bytes = pattern(1 << 20);
        let mut sent = 0;
        for _ in 0..2 {
            for _ in 0..16 {
                segment
                    .push(
                        Operation::send(tcp(&left), bytes.clone(), MsgFlags::NOSIGNAL).linked(),
                        0,
                    )
                    .unwrap();
            }
            let completions = run(segment);
            let broke = completions
                .iter()
                .position(|completion| completion.result != ok(1 << 20))
                .expect("16 MiB do not fit into a socket");
            for (index, completion) in completions.iter().enumerate() {
                match completion.result.into_result() {
                    Ok(count) if index <= broke => sent += usize::try_from(count).unwrap(),
                    Err(Errno::EAGAIN) if index == broke => {}
                    Err(Errno::ECANCELED) if index > broke => {}
                    other => panic!("entry {index} of a chain that broke at {broke}: {other:?}"),
                }
            }
        }
        rustix::net::shutdown(&left, rustix::net::Shutdown::Write).unwrap();
        let received = read_exactly(&right, sent + 1);
        assert_eq!(received.len(), sent, "what was reported is what was sent");
        // A short entry ends in the middle of the pattern and the next round starts anew, so compare up to there.
        let first = received
            .iter()
            .zip(bytes.iter().cycle())
            .take_while(|(is, want)| is == want)
            .count();
        assert!(first >= 1 << 20 || first == sent);
    });
}

pub(crate) fn a_reset_meets_one_entry<X: Executor>(make: impl Fn() -> X) {
    on_and_off(make, |segment| {
        let (left, right) = tcp_pair();
        for text in ["first", "second", "third"] {
            segment
                .push(Operation::send(tcp(&left), text, MsgFlags::NOSIGNAL), 0)
                .unwrap();
        }
        segment
            .push(
                Operation::send(tcp(&left), "fourth", MsgFlags::NOSIGNAL).linked(),
                0,
            )
            .unwrap();
        segment
            .push(Operation::send(tcp(&left), "fifth", MsgFlags::NOSIGNAL), 0)
            .unwrap();
        rustix::net::sockopt::set_socket_linger(&right, Some(std::time::Duration::ZERO)).unwrap();
        drop(right);
        let pipe = failed(Errno::EPIPE);
        let expected = [failed(Errno::ECONNRESET), pipe, pipe, pipe, SysResult::CANCELED];
        assert_eq!(results(&run(segment)), expected);
    });
}

pub(crate) fn cork_pairs_keep_their_meaning<X: Executor>(make: impl Fn() -> X) {
    on_and_off(make, |segment| {
        let (left, right) = tcp_pair();
        let file = memory_file(b"body");
        let cork = |on: i32| Operation::setsockopt_int(tcp(&left), IPPROTO_TCP, TCP_CORK, on);
        segment.push(cork(1), 0).unwrap();
        segment
            .push(
                Operation::send(tcp(&left), "head ", MsgFlags::NOSIGNAL).linked(),
                1,
            )
            .unwrap();
        segment
            .push(Operation::sendfile(tcp(&left), shared(&file), 0, 4), 2)
            .unwrap();
        segment.push(cork(0), 3).unwrap();
        assert_eq!(results(&run(segment)), [ok(0), ok(5), ok(4), ok(0)]);
        assert_eq!(held_back(&left), 0);
        assert!(!rustix::net::sockopt::tcp_cork(&left).unwrap());
        assert_eq!(read_exactly(&right, 9), b"head body");

        // Corked by the caller before: nothing leaves until it says so.
        segment.push(cork(1), 0).unwrap();
        segment.flush().unwrap();
        segment
            .push(Operation::send(tcp(&left), "a", MsgFlags::NOSIGNAL), 1)
            .unwrap();
        segment
            .push(Operation::sendfile(tcp(&left), no_file(), 0, 4), 2)
            .unwrap();
        assert_eq!(results(&run(segment)), [ok(0), ok(1), failed(Errno::EBADF)]);
        assert_eq!(drain(&right), b"");
        segment.push(cork(0), 3).unwrap();
        assert_eq!(results(&run(segment)), [ok(0)]);
        assert_eq!(held_back(&left), 0);
    });
}

pub(crate) fn mixed_batches_keep_every_stream<X: Executor>(make: impl Fn() -> X) {
    on_and_off(make, |segment| {
        let pairs: Vec<_> = (0..4).map(|_| tcp_pair()).collect();
        let file = memory_file(&pattern(2000));
        let mut expected = vec![Vec::new(); pairs.len()];
        for round in 0..40_usize {
            let which = round * 7 % 4;
            let socket = &pairs[which].0;
            for part in 0..round % 4 {
                let bytes = pattern(part * 100 + round);
                expected[which].extend_from_slice(&bytes);
                let flags = if part == 2 {
                    MsgFlags::NOSIGNAL | MsgFlags::MORE
                } else {
                    MsgFlags::NOSIGNAL
                };
                segment
                    .push(Operation::send(tcp(socket), bytes, flags), 0)
                    .unwrap();
            }
            if round % 3 == 0 {
                expected[which].extend_from_slice(&pattern(2000)[round..round + 500]);
                let body = Operation::sendfile(tcp(socket), shared(&file), round as u64, 500);
                segment.push(body, 0).unwrap();
            }
            let mut parts = Vectored::new();
            for text in ["<", "gathered", ">"] {
                parts.push(text).unwrap();
            }
            expected[which].extend_from_slice(b"<gathered>");
            segment
                .push(
                    Operation::send_vectored(tcp(socket), parts, MsgFlags::NOSIGNAL),
                    0,
                )
                .unwrap();
        }
        for (left, _) in &pairs {
            segment
                .push(Operation::shutdown(tcp(left), Shutdown::Write), 0)
                .unwrap();
        }
        assert!(run(segment).iter().all(|completion| completion.result.is_ok()));
        for ((_, right), expected) in pairs.iter().zip(&expected) {
            assert!(
                read_exactly(right, expected.len() + 1) == *expected,
                "stream differs"
            );
        }
    });
}

pub(crate) fn a_duplicate_is_the_same_stream<X: Executor>(make: impl Fn() -> X) {
    on_and_off(make, |segment| {
        let (left, right) = tcp_pair();
        // Else the socket itself holds back what is small while something is under way.
        rustix::net::sockopt::set_tcp_nodelay(&left, true).unwrap();
        // Another number for it in this process, as a forked child has one in its own.
        let other = File::new(left.try_clone().unwrap());
        let file = memory_file(b"<file>");
        let mut expected = Vec::new();
        // Fewer segments than TCP may have under way before the first acknowledgement.
        for (len, socket) in (1..).zip([&left, &left, &other, &left, &other, &other]) {
            let bytes = vec![b'a'; len];
            expected.extend_from_slice(&bytes);
            expected.push(b'.');
            let send = Operation::send(tcp(socket), [bytes, vec![b'.']].concat(), MsgFlags::NOSIGNAL);
            segment.push(send, 0).unwrap();
        }
        expected.extend_from_slice(b"<file>");
        let sendfile = Operation::sendfile(tcp(&left), shared(&file), 0, 6);
        segment.push(sendfile, 0).unwrap();
        assert_eq!(results(&run(segment)), [2, 3, 4, 5, 6, 7, 6].map(ok));
        assert_eq!(held_back(&left), 0);
        assert_eq!(read_exactly(&right, expected.len()), expected);
    });
}

pub(crate) fn a_cork_of_the_program_stays<X: Executor>(make: impl Fn() -> X) {
    on_and_off(make, |segment| {
        let (left, right) = tcp_pair();
        rustix::net::sockopt::set_tcp_cork(&left, true).unwrap();
        // The file is not there, so what the header was to leave with fails. The cork is the program's own: the header stays.
        segment
            .push(Operation::send(tcp(&left), "header", MsgFlags::NOSIGNAL), 0)
            .unwrap();
        segment
            .push(Operation::sendfile(tcp(&left), no_file(), 0, 6), 1)
            .unwrap();
        assert_eq!(results(&run(segment)), [ok(6), failed(Errno::EBADF)]);
        assert!(rustix::net::sockopt::tcp_cork(&left).unwrap());
        assert!(drain(&right).is_empty(), "nobody has uncorked");
        rustix::net::sockopt::set_tcp_cork(&left, false).unwrap();
        assert_eq!(read_exactly(&right, 6), b"header");
    });
}

pub(crate) fn datagrams_keep_their_boundaries<X: Executor>(make: impl Fn() -> X) {
    use rustix::net::{AddressFamily, SocketFlags, SocketType, socketpair};
    on_and_off(make, |segment| {
        let (left, right) = socketpair(
            AddressFamily::UNIX,
            SocketType::DGRAM,
            SocketFlags::NONBLOCK,
            None,
        )
        .unwrap();
        let (left, right) = (File::new(left), File::new(right));
        for text in ["one", "two", "three"] {
            segment
                .push(
                    Operation::send(shared(&left), Buffer::from(text), MsgFlags::NOSIGNAL),
                    0,
                )
                .unwrap();
        }
        assert_eq!(results(&run(segment)), [ok(3), ok(3), ok(5)]);
        let mut part = [0; 16];
        for text in ["one", "two", "three"] {
            let count = rustix::io::read(&right, &mut part).unwrap();
            assert_eq!(&part[..count], text.as_bytes());
        }
    });
}
