//! Random batches, run by the module and as plain calls, on files that began alike.

use std::fs::File;
use std::io::Read;
use std::os::fd::{AsRawFd, FromRawFd, RawFd};
use std::os::unix::fs::FileExt;
use std::os::unix::net::UnixStream;
use std::time::Instant;

use batch_table::nr::native as nr;
use batch_table::{Call, Chain, Entry, EntryFlags, Features, Header, Step, SysResult, Table};

use crate::Options;
use crate::device::{Batch, plain};
use crate::random::Random;
use crate::{device, socket};

const ENTRIES: usize = 64;
const ROOM: usize = 4096;

/// Files, and memory for their contents, at numbers and addresses of their own.
struct World {
    socket: UnixStream,
    peer: UnixStream,
    pipe_out: File,
    pipe_in: File,
    file: File,
    counter: File,
    epoll: File,
    memory: Box<Memory>,
}

/// What calls read and write. The vectors and messages point to `bytes`.
#[repr(C)]
struct Memory {
    bytes: [u8; ROOM],
    offset: i64,
    vectors: [[u64; 2]; 2],
    message: [u64; 7],
    /// Of epoll: what to look for, and what to say when it is there. Also the value of socket options.
    event: [u32; 3],
}

impl World {
    fn new() -> Self {
        let (socket, peer) = UnixStream::pair().expect("sockets");
        socket.set_nonblocking(true).expect("nonblocking");
        peer.set_nonblocking(true).expect("nonblocking");
        let mut ends: [RawFd; 2] = [0; 2];
        // SAFETY: two descriptors are written before the call returns.
        let result = unsafe { libc::pipe2(ends.as_mut_ptr(), libc::O_NONBLOCK | libc::O_CLOEXEC) };
        assert_eq!(result, 0, "pipe");
        // SAFETY: new descriptors that nobody else owns.
        let [pipe_out, pipe_in] = ends.map(|fd| unsafe { File::from_raw_fd(fd) });
        let mut memory = Box::new(Memory {
            bytes: std::array::from_fn(|index| (index * 7) as u8),
            offset: 0,
            vectors: [[0; 2]; 2],
            message: [0; 7],
            event: [5, 77, 0],
        });
        let base = device::address(&memory.bytes);
        memory.vectors = [[base, 100], [base + 1000, 300]];
        memory.message = [0, 0, device::address(&memory.vectors), 2, 0, 0, 0];
        Self {
            socket,
            peer,
            pipe_out,
            pipe_in,
            file: socket::memory_file(),
            counter: socket::event_counter(),
            epoll: socket::epoll(),
            memory,
        }
    }

    fn fd(&self, which: u64) -> u64 {
        let fd = match which {
            0 => self.socket.as_raw_fd(),
            1 => self.peer.as_raw_fd(),
            2 => self.pipe_out.as_raw_fd(),
            3 => self.pipe_in.as_raw_fd(),
            4 => self.file.as_raw_fd(),
            5 => self.counter.as_raw_fd(),
            6 => self.epoll.as_raw_fd(),
            _ => -1,
        };
        u64::from(fd.cast_unsigned())
    }

    /// The call that numbers stand for, in this world.
    fn call(&self, random: &mut Random) -> Call {
        let base = device::address(&self.memory.bytes);
        let offset = device::address(&self.memory.offset);
        let vectors = device::address(&self.memory.vectors);
        let message = device::address(&self.memory.message);
        let event = device::address(&self.memory.event);
        let (first, second) = (self.fd(random.below(8)), self.fd(random.below(8)));
        let length = random.pick(&[0, 1, 8, 100, 1000, 3000]);
        let at = base + random.below(1000);
        let (nr, args): (u32, [u64; 6]) = match random.below(18) {
            0 | 1 => (nr::WRITE, [first, at, length, 0, 0, 0]),
            2 | 3 => (nr::READ, [first, at, length, 0, 0, 0]),
            4 => (nr::WRITEV, [first, vectors, 2, random.pick(&[0, 400, 401]), 0, 0]),
            5 => (nr::SENDTO, [first, at, length, 0, 0, 0]),
            6 => (nr::RECVFROM, [first, at, length, random.pick(&[0, 0x100]), 0, 0]),
            7 => (nr::SENDMSG, [first, message, 0, random.pick(&[0, 400]), 0, 0]),
            8 => (nr::RECVMSG, [first, message, 0, 0, 0, 0]),
            9 => (
                nr::SENDFILE,
                [first, second, random.pick(&[0, offset]), length, 0, 0],
            ),
            10 => (nr::SPLICE, [first, 0, second, 0, length, 2]),
            11 => (
                nr::EPOLL_CTL,
                [self.fd(6), random.pick(&[1, 2, 3]), first, event, 0, 0],
            ),
            12 => (nr::EPOLL_PWAIT, [self.fd(6), at, 4, 0, 0, 8]),
            13 => (nr::FSYNC, [first, 0, 0, 0, 0, 0]),
            14 => (
                nr::SETSOCKOPT,
                [first, 1, random.pick(&[2, 9, 15]), event, random.pick(&[0, 4]), 0],
            ),
            15 => (nr::ACCEPT4, [first, 0, 0, 0, 0, 0]),
            16 => (nr::CLOSE, [u64::from(u32::MAX), 0, 0, 0, 0, 0]),
            _ => match random.below(20) {
                0 => (nr::SHUTDOWN, [first, random.pick(&[0, 1, 9]), 0, 0, 0, 0]),
                _ => (nr::GETPPID, [0; 6]),
            },
        };
        let flags = random.pick(&[
            EntryFlags::NONE,
            EntryFlags::NONE,
            EntryFlags::NONE,
            EntryFlags::LINK,
            EntryFlags::from_raw(6),
        ]);
        Call { nr, flags, args }
    }

    /// All that can be seen of it.
    fn contents(&mut self) -> Vec<u8> {
        let mut all = self.memory.bytes.to_vec();
        all.extend(self.memory.offset.to_ne_bytes());
        let length = self.file.metadata().expect("metadata").len();
        let mut file = vec![0; usize::try_from(length).expect("short")];
        self.file.read_exact_at(&mut file, 0).expect("the file");
        all.extend(file);
        // What waits in sockets and the pipe; an error ends it, as no data does.
        let mut waiting = Vec::new();
        drop(self.socket.read_to_end(&mut waiting));
        drop(self.peer.read_to_end(&mut waiting));
        drop(self.pipe_out.read_to_end(&mut waiting));
        all.extend(waiting);
        all
    }
}

/// The batch as plain calls, one after another.
fn run_plainly(calls: &[Call]) -> Vec<i64> {
    let header = Header::default();
    let entries: [Entry; ENTRIES] = std::array::from_fn(|_| Entry::default());
    let table = Table::new(&header, &entries, Features::KNOWN).expect("a good table");
    for (position, call) in (0..).zip(calls) {
        table.producer().publish(position, call).expect("empty");
    }
    table
        .executor()
        .walk(0, ENTRIES as u32, &mut Chain::new(), |_, call| {
            Step::Done(SysResult::from_raw(plain(call)))
        });
    (0..)
        .zip(calls)
        .map(|(position, _)| {
            let outcome = table.producer().take(position).expect("finished");
            outcome.result().to_raw()
        })
        .collect()
}

fn run_by_the_module(batch: &Batch, calls: &[Call]) -> Vec<i64> {
    batch.put_all(calls);
    let count = u32::try_from(calls.len()).expect("few");
    let mut done = 0;
    while done < count {
        let more = batch.flush(done, count - done).expect("no error");
        assert_ne!(more, 0, "each flush makes progress");
        done += more;
    }
    (0..count)
        .map(|position| batch.take(position).expect("finished"))
        .collect()
}

pub(crate) fn batches_give_what_plain_calls_give(options: &Options) {
    let started = Instant::now();
    let batch = Batch::new(64);
    let mut start = 1_u64;
    while started.elapsed() < options.duration {
        let (mut ours, mut theirs) = (World::new(), World::new());
        for _ in 0..8 {
            start += 1;
            let length = 1 + Random::new(start).below(ENTRIES as u64);
            // The same numbers twice, for each world its own files and addresses.
            let make = |world: &World| {
                let mut random = Random::new(start << 8);
                (0..length)
                    .map(|_| world.call(&mut random))
                    .collect::<Vec<Call>>()
            };
            let (calls, same) = (make(&ours), make(&theirs));
            let results = run_by_the_module(&batch, &calls);
            assert_eq!(results, run_plainly(&same), "batch {start}: {calls:?}");
        }
        assert_eq!(ours.contents(), theirs.contents(), "contents after batch {start}");
    }
    assert!(start > 100, "only {start} batches");
}
