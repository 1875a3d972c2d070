//! Random batches against plain calls: two worlds that are alike, the same operations in both, equal results and equal
//! bytes at the end.

use batch_table::nr::native as nr;
use esca_sys::{Buffer, Executor, MsgFlags, Operation, Segment, Shutdown, SysResult, Vectored};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use crate::support::{
    File, drain, memory_file, no_file, number, pattern, shared, shared_pattern, taken, unix_pair,
};

const FILES: usize = 3;

/// One operation on one of the files.
#[derive(Clone, Debug)]
enum Action {
    Send { file: usize, len: usize },
    Gather { file: usize, lens: Vec<usize> },
    Sendfile { file: usize, offset: u64, count: u64 },
    Receive { file: usize, len: usize },
    Shutdown { file: usize },
    Broken,
}

fn action() -> impl Strategy<Value = Action> {
    let file = 0..FILES;
    let len = prop_oneof![20 => 0_usize..200, 3 => 1000_usize..9000, 1 => Just(300_000_usize)];
    prop_oneof![
        6 => (file.clone(), len.clone()).prop_map(|(file, len)| Action::Send { file, len }),
        2 => (file.clone(), proptest::collection::vec(len.clone(), 0..4))
            .prop_map(|(file, lens)| Action::Gather { file, lens }),
        2 => (file.clone(), 0_u64..9000, 0_u64..9000)
            .prop_map(|(file, offset, count)| Action::Sendfile { file, offset, count }),
        2 => (file.clone(), len).prop_map(|(file, len)| Action::Receive { file, len }),
        1 => file.prop_map(|file| Action::Shutdown { file }),
        1 => Just(Action::Broken),
    ]
}

fn bytes(len: usize) -> Buffer {
    Buffer::from_shared(shared_pattern(), 0..len).unwrap()
}

/// Sockets with their peers, and a file to send from.
struct World {
    pairs: Vec<(File, File)>,
    file: File,
}

impl World {
    fn new(file: &File) -> Self {
        Self {
            pairs: (0..FILES).map(|_| unix_pair()).collect(),
            file: File::clone(file),
        }
    }

    fn operation(&self, action: &Action) -> Operation {
        let socket = |file: usize| shared(&self.pairs[file].0);
        match *action {
            Action::Send { file, len } => Operation::send(socket(file), bytes(len), MsgFlags::NOSIGNAL),
            Action::Gather { file, ref lens } => {
                let mut parts = Vectored::new();
                for &len in lens {
                    parts.push(bytes(len)).unwrap();
                }
                Operation::send_vectored(socket(file), parts, MsgFlags::NOSIGNAL)
            }
            Action::Sendfile { file, offset, count } => {
                Operation::sendfile(socket(file), shared(&self.file), offset, count)
            }
            Action::Receive { file, len } => {
                let mut into = Vec::new();
                into.reserve_exact(len);
                Operation::recv(shared(&self.pairs[file].1), into, MsgFlags::NONE)
            }
            Action::Shutdown { file } => Operation::shutdown(socket(file), Shutdown::Write),
            Action::Broken => Operation::send(no_file(), "x", MsgFlags::NOSIGNAL),
        }
    }

    /// The plain call, what it received, and whether it did all that it was asked for.
    fn plain(&self, action: &Action) -> (SysResult, Vec<u8>, bool) {
        let socket = |file: usize| number(&self.pairs[file].0);
        let flags = MsgFlags::NOSIGNAL.bits().into();
        let call = |nr: u32, args: [u64; 6]| {
            // SAFETY: every pointer below is to memory that lives across the call and is as long as it says.
            unsafe { esca_sys::syscall(nr, &args) }
        };
        let send = |file: usize, bytes: &[u8]| {
            call(
                nr::SENDTO,
                [
                    socket(file),
                    bytes.as_ptr() as u64,
                    bytes.len() as u64,
                    flags,
                    0,
                    0,
                ],
            )
        };
        let complete = |result: SysResult, asked: usize| result.into_result() == Ok(asked as u64);
        match *action {
            Action::Send { file, len } => {
                let result = send(file, &shared_pattern()[..len]);
                (result, Vec::new(), complete(result, len))
            }
            Action::Gather { file, ref lens } => {
                // Said with the kernel's own structures, laid out by hand.
                let parts: Vec<_> = lens.iter().map(|&len| pattern(len)).collect();
                let vectors: Vec<[u64; 2]> = parts
                    .iter()
                    .map(|part| [part.as_ptr() as u64, part.len() as u64])
                    .collect();
                let message = [0, 0, vectors.as_ptr() as u64, vectors.len() as u64, 0, 0, 0_u64];
                let result = call(
                    nr::SENDMSG,
                    [socket(file), message.as_ptr() as u64, flags, 0, 0, 0],
                );
                let asked = lens.iter().sum();
                (
                    result,
                    Vec::new(),
                    complete(result, asked) || asked == 0 && result.is_ok(),
                )
            }
            Action::Sendfile {
                file,
                mut offset,
                count,
            } => {
                let place = (&raw mut offset) as u64;
                let result = call(
                    nr::SENDFILE,
                    [socket(file), number(&self.file), place, count, 0, 0],
                );
                (
                    result,
                    Vec::new(),
                    complete(result, usize::try_from(count).unwrap()),
                )
            }
            Action::Receive { file, len } => {
                let mut bytes = vec![0_u8; len];
                let from = number(&self.pairs[file].1);
                let result = call(
                    nr::RECVFROM,
                    [from, bytes.as_mut_ptr() as u64, len as u64, 0, 0, 0],
                );
                bytes.truncate(usize::try_from(result.into_result().unwrap_or(0)).unwrap());
                (result, bytes, result.is_ok())
            }
            Action::Shutdown { file } => {
                let result = call(nr::SHUTDOWN, [socket(file), 1, 0, 0, 0, 0]);
                (result, Vec::new(), result.is_ok())
            }
            Action::Broken => {
                let result = call(nr::SENDTO, [u64::MAX, b"x".as_ptr() as u64, 1, flags, 0, 0]);
                (result, Vec::new(), result.is_ok())
            }
        }
    }

    /// What lies in the sockets.
    fn drain(&self) -> Vec<Vec<u8>> {
        self.pairs.iter().map(|(_, right)| drain(right)).collect()
    }
}

pub(crate) fn batches_equal_plain_calls<X: Executor>(make: impl Fn() -> X) {
    let file = memory_file(&pattern(8192));
    let batch = proptest::collection::vec((action(), any::<bool>()), 1..24);
    let flush_at = proptest::collection::vec(0_u8..8, 24);
    let mut runner = TestRunner::new(Config {
        // A machine under emulation takes a hundred times as long.
        cases: if cfg!(esca_guest) { 200 } else { 10_000 },
        failure_persistence: None,
        ..Config::default()
    });
    let tested = runner.run(&(batch, flush_at, 0_u32..5), |(batch, flush_at, capacity)| {
        let batched = World::new(&file);
        let mut segment = Segment::new(make(), 1 << capacity).unwrap();
        let mut completions = Vec::new();
        for (index, (action, linked)) in batch.iter().enumerate() {
            let operation = batched.operation(action);
            segment
                .push(if *linked { operation.linked() } else { operation }, index as u64)
                .unwrap();
            if flush_at[index] == 0 {
                segment.flush().unwrap();
                completions.extend(taken(&mut segment));
            }
        }
        segment.flush().unwrap();
        completions.extend(taken(&mut segment));

        let plain = World::new(&file);
        let mut broken = false;
        prop_assert_eq!(completions.len(), batch.len());
        for (index, ((action, linked), completion)) in batch.iter().zip(&completions).enumerate() {
            prop_assert_eq!(completion.token, index as u64);
            if broken {
                prop_assert_eq!(completion.result, SysResult::CANCELED);
            } else {
                let (result, received, complete) = plain.plain(action);
                prop_assert_eq!(completion.result, result, "entry {}", index);
                if let Action::Receive { .. } = action {
                    prop_assert_eq!(completion.buffer.as_ref().unwrap().as_slice(), received);
                }
                broken = !complete;
            }
            broken = broken && *linked && flush_at[index] != 0;
        }
        prop_assert_eq!(batched.drain(), plain.drain());
        Ok(())
    });
    tested.unwrap();
}
