//! The optimiser against a model of TCP that injects faults: on and off give equal results, equal streams, and the same
//! bytes held back.

use alloc::collections::BTreeMap;
use alloc::vec;
use alloc::vec::Vec;
use core::slice;

use batch_table::{Call, Chain, Entry, Errno, Features, Header, Step, SysResult, Table, nr::native as nr};
use proptest::prelude::*;

use super::{IPPROTO_TCP, MORE, Optimiser, TCP_CORK, find};
use crate::slots::{Slot, Slots};
use crate::{Buffer, Descriptor, MsgFlags, Operation, Shutdown, Vectored};

const FILE: i32 = 100;
const FILE_LEN: usize = 40;
const BAD_FILE: i32 = 101;
const BAD_SOCKET: i32 = 9;

/// How a connection goes wrong, by position in its stream, so that it does not depend on how bytes are grouped into calls.
#[derive(Clone, Copy, Debug)]
struct Faults {
    /// The socket takes so many bytes and no more.
    room: usize,
    /// The peer resets when so many bytes were taken.
    reset_at: usize,
}

#[derive(Debug)]
struct Socket {
    faults: Faults,
    stream: Vec<u8>,
    /// So many bytes of the stream have left.
    pushed: usize,
    corked: bool,
    reset_told: bool,
    shut: bool,
}

/// A kernel with some TCP sockets and two files.
#[derive(Debug)]
struct Fake {
    sockets: BTreeMap<u64, Socket>,
    calls: usize,
}

fn failed(errno: Errno) -> SysResult {
    SysResult::from_errno(errno)
}

fn memory<'a>(address: u64, len: u64) -> &'a [u8] {
    let pointer = core::ptr::with_exposed_provenance(usize::try_from(address).unwrap());
    // SAFETY: the model gets only addresses of buffers that live in the slots of the test, with their lengths.
    unsafe { slice::from_raw_parts(pointer, usize::try_from(len).unwrap()) }
}

fn words<'a>(address: u64, len: u64) -> &'a [u64] {
    let pointer = core::ptr::with_exposed_provenance(usize::try_from(address).unwrap());
    // SAFETY: as above; the structures of the kernel interface consist of aligned 64-bit words here.
    unsafe { slice::from_raw_parts(pointer, usize::try_from(len).unwrap()) }
}

fn file_byte(offset: usize) -> u8 {
    u8::try_from(offset % 251).unwrap() ^ 0x80
}

impl Socket {
    fn send(&mut self, bytes: &[u8], more: bool) -> SysResult {
        if self.shut {
            return failed(Errno::EPIPE);
        }
        if self.stream.len() >= self.faults.reset_at {
            let told = core::mem::replace(&mut self.reset_told, true);
            return failed(if told { Errno::EPIPE } else { Errno::ECONNRESET });
        }
        if bytes.is_empty() {
            return SysResult::from_raw(0);
        }
        let space = self.faults.room.min(self.faults.reset_at) - self.stream.len().min(self.faults.room);
        let taken = bytes.len().min(space);
        if taken == 0 {
            return failed(Errno::EAGAIN);
        }
        self.stream.extend_from_slice(&bytes[..taken]);
        if !more && !self.corked {
            self.pushed = self.stream.len();
        }
        SysResult::from_raw(i64::try_from(taken).unwrap())
    }

    fn cork(&mut self, on: bool) {
        self.corked = on;
        if !on {
            self.pushed = self.stream.len();
        }
    }
}

impl Fake {
    fn new(faults: &[Faults]) -> Self {
        let socket = |&faults| Socket {
            faults,
            stream: Vec::new(),
            pushed: 0,
            corked: false,
            reset_told: false,
            shut: false,
        };
        Self {
            sockets: (0..).zip(faults.iter().map(socket)).collect(),
            calls: 0,
        }
    }

    fn call(&mut self, call: &Call) -> SysResult {
        self.calls += 1;
        let args = call.args;
        let Some(socket) = self.sockets.get_mut(&args[0]) else {
            return failed(Errno::EBADF);
        };
        match call.nr {
            nr::SENDTO => socket.send(memory(args[1], args[2]), args[3] & MORE != 0),
            nr::SENDMSG => {
                let header = words(args[1], 7);
                let vectors = words(header[2], header[3] * 2);
                let bytes: Vec<u8> = vectors
                    .chunks(2)
                    .flat_map(|vector| memory(vector[0], vector[1]).to_vec())
                    .collect();
                socket.send(&bytes, args[2] & MORE != 0)
            }
            nr::SENDFILE if args[1] == FILE as u64 => {
                let offset = usize::try_from(words(args[2], 1)[0]).unwrap();
                let end = (offset + usize::try_from(args[3]).unwrap()).min(FILE_LEN);
                let bytes: Vec<u8> = (offset..end).map(file_byte).collect();
                if bytes.is_empty() {
                    SysResult::from_raw(0)
                } else {
                    socket.send(&bytes, false)
                }
            }
            nr::SENDFILE => failed(Errno::EBADF),
            nr::SHUTDOWN => {
                socket.shut = true;
                socket.pushed = socket.stream.len();
                SysResult::from_raw(0)
            }
            nr::SETSOCKOPT => {
                assert_eq!((args[1], args[2], args[4]), (IPPROTO_TCP, TCP_CORK, 4));
                socket.cork(memory(args[3], 4) != [0; 4]);
                SysResult::from_raw(0)
            }
            nr::GETSOCKOPT => {
                assert_eq!((args[1], args[2]), (IPPROTO_TCP, TCP_CORK));
                let pointer =
                    core::ptr::with_exposed_provenance_mut::<u32>(usize::try_from(args[3]).unwrap());
                // SAFETY: the optimiser gives the address of a word of its own.
                unsafe { pointer.write_volatile(u32::from(socket.corked)) };
                SysResult::from_raw(0)
            }
            other => unreachable!("call {other}"),
        }
    }
}

#[derive(Clone, Debug)]
enum Action {
    Send { len: usize, flags: MsgFlags },
    Gather { lens: Vec<usize>, flags: MsgFlags },
    Sendfile { offset: u64, count: u64 },
    BadFile,
    Cork(bool),
    Shutdown,
}

fn action() -> impl Strategy<Value = Action> {
    let len = prop_oneof![1 => Just(0_usize), 9 => 1_usize..30];
    let flags = prop_oneof![
        10 => Just(MsgFlags::NOSIGNAL),
        2 => Just(MsgFlags::NOSIGNAL | MsgFlags::DONTWAIT),
        1 => Just(MsgFlags::NOSIGNAL | MsgFlags::MORE),
        1 => Just(MsgFlags::NOSIGNAL | MsgFlags::OOB),
    ];
    prop_oneof![
        12 => (len.clone(), flags.clone()).prop_map(|(len, flags)| Action::Send { len, flags }),
        2 => (proptest::collection::vec(len, 0..4), flags).prop_map(|(lens, flags)| Action::Gather { lens, flags }),
        4 => (0_u64..50, 0_u64..50).prop_map(|(offset, count)| Action::Sendfile { offset, count }),
        1 => Just(Action::BadFile),
        3 => any::<bool>().prop_map(Action::Cork),
        1 => Just(Action::Shutdown),
    ]
}

fn raw(fd: i32) -> Descriptor {
    // SAFETY: nothing here reaches the real kernel; the numbers are those of the model.
    unsafe { Descriptor::raw(fd) }
}

fn bytes(seed: usize, len: usize) -> Vec<u8> {
    (0..len)
        .map(|index| u8::try_from((seed * 37 + index) % 251).unwrap())
        .collect()
}

fn operation(index: usize, fd: i32, tcp: bool, action: &Action) -> Operation {
    let socket = if tcp { raw(fd).assume_tcp() } else { raw(fd) };
    match *action {
        Action::Send { len, flags } => Operation::send(socket, bytes(index, len), flags),
        Action::Gather { ref lens, flags } => {
            let mut parts = Vectored::new();
            for &len in lens {
                parts.push(bytes(index, len)).unwrap();
            }
            Operation::send(socket, Buffer::vectored(parts), flags)
        }
        Action::Sendfile { offset, count } => Operation::sendfile(socket, raw(FILE), offset, count),
        Action::BadFile => Operation::sendfile(socket, raw(BAD_FILE), 0, 10),
        Action::Cork(on) => Operation::setsockopt_int(socket, 6, 3, on.into()),
        Action::Shutdown => Operation::shutdown(socket, Shutdown::Write),
    }
}

type Batch = Vec<(i32, bool, Action)>;

/// Results and the model's state after a batch.
fn run(batch: &Batch, tcp: bool, faults: &[Faults], optimise: bool) -> (Vec<SysResult>, Fake) {
    const CAPACITY: usize = 64;
    let header = Header::default();
    let entries: Vec<Entry> = (0..CAPACITY).map(|_| Entry::default()).collect();
    let table = Table::new(&header, &entries, Features::LINK).unwrap();
    let mut slots = Slots::new(64);
    for (index, (fd, linked, action)) in batch.iter().enumerate() {
        let operation = operation(index, *fd, tcp, action);
        let operation = if *linked { operation.linked() } else { operation };
        let Operation {
            mut call,
            payload,
            hint,
            first,
            second,
            ..
        } = operation;
        let position = u32::try_from(index).unwrap();
        slots.put_words(position, &payload, &mut call);
        slots.put(
            position,
            Slot {
                token: 0,
                payload,
                hint,
                first,
                second,
            },
        );
        table.producer().publish(position, &call).unwrap();
    }

    // SAFETY: every position below the length of the batch was put.
    let hint = |position| unsafe { slots.hint(position) };
    let mut fake = Fake::new(faults);
    let len = u32::try_from(batch.len()).unwrap();
    let mut chain = Chain::new();
    let mut at = 0;
    while at < len {
        let found = find(&table, at, len - at, hint);
        let plain = if optimise { found.before } else { len - at };
        table
            .executor()
            .walk(at, plain, &mut chain, |_, call| Step::Done(fake.call(call)));
        at += plain;
        // What `Segment` does where a chain broke before a group.
        while chain.is_broken() && at < len {
            table.executor().cancel(at);
            chain.canceled(table.producer().call(at).flags);
            at += 1;
        }
        if at < len {
            let found = find(&table, at, len - at, hint);
            if found.before == 0 {
                Optimiser::new().run(&table, at, found.len, hint, |call| fake.call(call));
                at += found.len;
                let last = table.producer().call(at - 1);
                match table.producer().outcome(at - 1).unwrap() {
                    batch_table::Outcome::Done(result) => chain.ran(&last, result),
                    batch_table::Outcome::Canceled => chain.canceled(last.flags),
                }
            }
        }
    }
    let mut finish = |position| {
        let outcome = table.producer().take(position).unwrap();
        // SAFETY: put above, and finished once.
        unsafe { slots.finish(position, outcome) }.result
    };
    let results = (0..len).map(&mut finish).collect();
    (results, fake)
}

fn same(batch: &Batch, faults: &[Faults]) -> (usize, usize) {
    let (plain, off) = run(batch, true, faults, false);
    let (optimised, on) = run(batch, true, faults, true);
    assert_eq!(plain, optimised, "results");
    for (off, on) in off.sockets.values().zip(on.sockets.values()) {
        assert_eq!(off.stream, on.stream, "streams");
        assert_eq!(off.corked, on.corked, "cork");
        assert_eq!(off.pushed, on.pushed, "bytes held back");
    }
    (off.calls, on.calls)
}

const GOOD: Faults = Faults {
    room: usize::MAX,
    reset_at: usize::MAX,
};

fn any_faults() -> impl Strategy<Value = Faults> {
    let at = || prop_oneof![2 => Just(usize::MAX), 1 => 0_usize..200];
    (at(), at()).prop_map(|(room, reset_at)| Faults { room, reset_at })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn on_and_off_are_equal(
        runs in proptest::collection::vec(
            (prop_oneof![5 => 0_i32..3, 1 => Just(BAD_SOCKET)], proptest::collection::vec((any::<bool>(), action()), 1..8)),
            1..6,
        ),
        faults in proptest::collection::vec(any_faults(), 3),
    ) {
        let batch: Batch = runs
            .into_iter()
            .flat_map(|(fd, actions)| actions.into_iter().map(move |(linked, action)| (fd, linked, action)))
            .collect();
        same(&batch, &faults);
    }

    #[test]
    fn what_is_not_declared_tcp_is_left_alone(
        actions in proptest::collection::vec(action(), 1..20),
    ) {
        let batch: Batch = actions.into_iter().map(|action| (0, false, action)).collect();
        let (_, off) = run(&batch, false, &[GOOD], false);
        let (_, on) = run(&batch, false, &[GOOD], true);
        prop_assert_eq!((off.calls, on.calls), (batch.len(), batch.len()));
    }
}

fn send(len: usize) -> Action {
    Action::Send {
        len,
        flags: MsgFlags::NOSIGNAL,
    }
}

#[test]
fn sixteen_sends_are_one_call() {
    let batch: Batch = (0..16).map(|index| (0, index < 15, send(10))).collect();
    assert_eq!(same(&batch, &[GOOD]), (16, 1));
}

#[test]
fn header_and_file_leave_together() {
    let batch: Batch = vec![
        (0, true, send(10)),
        (0, false, Action::Sendfile { offset: 0, count: 40 }),
    ];
    assert_eq!(same(&batch, &[GOOD]), (2, 2));
}

#[test]
fn a_file_that_fails_does_not_hold_the_header_back() {
    for linked in [false, true] {
        let batch: Batch = vec![(0, linked, send(10)), (0, false, Action::BadFile)];
        // Two calls, and the question and the answer that push.
        assert_eq!(same(&batch, &[GOOD]), (2, 4));
    }
}

#[test]
fn a_cork_pair_costs_one_call() {
    let batch: Batch = vec![
        (0, false, Action::Cork(true)),
        (0, false, send(10)),
        (0, false, send(10)),
        (0, false, Action::Sendfile { offset: 0, count: 40 }),
        (0, false, Action::Cork(false)),
    ];
    assert_eq!(same(&batch, &[GOOD]), (5, 3));
}

#[test]
fn every_short_count_is_split_exactly() {
    for linked in [false, true] {
        for room in 0..=45 {
            for reset_at in [usize::MAX, 0, 10, 15, 20, 40] {
                let batch: Batch = (0..4).map(|_| (0, linked, send(10))).collect();
                same(&batch, &[Faults { room, reset_at }]);
            }
        }
    }
}
