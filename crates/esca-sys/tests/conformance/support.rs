//! Sockets, files and shorthand for the tests.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::fd::{AsRawFd, OwnedFd};
use std::sync::atomic::{AtomicI32, Ordering};
use std::sync::{Arc, OnceLock};

use esca_sys::{Completion, Descriptor, Errno, Executor, Segment, SysResult};
use rustix::net::{AddressFamily, SocketFlags, SocketType, socketpair};

pub(crate) type File = Arc<OwnedFd>;

/// A connected pair of Unix stream sockets that do not block.
pub(crate) fn unix_pair() -> (File, File) {
    let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
    let (left, right) = socketpair(AddressFamily::UNIX, SocketType::STREAM, flags, None).unwrap();
    (Arc::new(left), Arc::new(right))
}

/// A connected pair of TCP sockets over loopback that do not block.
pub(crate) fn tcp_pair() -> (File, File) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let left = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let (right, _) = listener.accept().unwrap();
    left.set_nonblocking(true).unwrap();
    right.set_nonblocking(true).unwrap();
    (Arc::new(left.into()), Arc::new(right.into()))
}

/// A file in memory with these contents.
pub(crate) fn memory_file(contents: &[u8]) -> File {
    let file = rustix::fs::memfd_create("esca-sys-test", rustix::fs::MemfdFlags::CLOEXEC).unwrap();
    let mut file = std::fs::File::from(file);
    file.write_all(contents).unwrap();
    Arc::new(file.into())
}

/// A descriptor that keeps its file open.
pub(crate) fn shared(file: &File) -> Descriptor {
    Descriptor::shared(Arc::clone(file))
}

/// A number that no file has.
pub(crate) fn no_file() -> Descriptor {
    // SAFETY: -1 is never open.
    unsafe { Descriptor::raw(-1) }
}

/// Everything that can be read from a socket without waiting.
pub(crate) fn drain(file: &File) -> Vec<u8> {
    let mut all = Vec::new();
    let mut part = [0; 65536];
    while let Ok(count) = rustix::io::read(file, &mut part) {
        if count == 0 {
            break;
        }
        all.extend_from_slice(&part[..count]);
    }
    all
}

/// Reads until `len` bytes have come or the peer has closed; TCP needs a moment even on loopback.
pub(crate) fn read_exactly(file: &File, len: usize) -> Vec<u8> {
    let mut stream = TcpStream::from(file.try_clone().unwrap());
    stream.set_nonblocking(false).unwrap();
    stream
        .set_read_timeout(Some(std::time::Duration::from_secs(10)))
        .unwrap();
    let mut all = vec![0; len];
    let mut filled = 0;
    while filled < len {
        match stream.read(&mut all[filled..]).unwrap() {
            0 => break,
            count => filled += count,
        }
    }
    all.truncate(filled);
    stream.set_nonblocking(true).unwrap();
    all
}

/// Flushes and takes all completions.
pub(crate) fn run<X: Executor>(segment: &mut Segment<X>) -> Vec<Completion> {
    segment.flush().unwrap();
    taken(segment)
}

/// Takes all completions.
pub(crate) fn taken<X: Executor>(segment: &mut Segment<X>) -> Vec<Completion> {
    std::iter::from_fn(|| segment.next_completion()).collect()
}

/// The results alone.
pub(crate) fn results(completions: &[Completion]) -> Vec<SysResult> {
    completions.iter().map(|completion| completion.result).collect()
}

pub(crate) fn ok(value: i64) -> SysResult {
    SysResult::from_raw(value)
}

pub(crate) fn failed(errno: Errno) -> SysResult {
    SysResult::from_errno(errno)
}

/// Whether the number is open in this process.
pub(crate) fn is_open(fd: i32) -> bool {
    // SAFETY: fcntl(F_GETFD) reads a flag of a number and touches no memory.
    unsafe { esca_sys::syscall(fcntl_nr(), &[u64::try_from(fd).unwrap(), 1, 0, 0, 0, 0]) }.is_ok()
}

fn fcntl_nr() -> u32 {
    if cfg!(target_arch = "x86_64") { 72 } else { 25 }
}

/// The number of an open file.
pub(crate) fn number(file: &OwnedFd) -> u64 {
    u64::try_from(file.as_raw_fd()).unwrap()
}

/// An open file with a number that no other test gets: those take the lowest free one, these start high.
pub(crate) fn numbered_file() -> OwnedFd {
    static NEXT: AtomicI32 = AtomicI32::new(600);
    let file = rustix::fs::memfd_create("esca-sys-close", rustix::fs::MemfdFlags::CLOEXEC).unwrap();
    rustix::io::fcntl_dupfd_cloexec(&file, NEXT.fetch_add(1, Ordering::Relaxed)).unwrap()
}

/// The file again, under a number that was free.
pub(crate) fn duplicate_as(file: &OwnedFd, number: i32) -> OwnedFd {
    let duplicate = rustix::io::fcntl_dupfd_cloexec(file, number).unwrap();
    assert_eq!(duplicate.as_raw_fd(), number);
    duplicate
}

/// Bytes that are different at every place, the same for every caller.
pub(crate) fn shared_pattern() -> Arc<[u8]> {
    static BYTES: OnceLock<Arc<[u8]>> = OnceLock::new();
    Arc::clone(BYTES.get_or_init(|| pattern(300_000).into()))
}

/// Bytes that are different at every place.
pub(crate) fn pattern(len: usize) -> Vec<u8> {
    (0..len)
        .map(|index| u8::try_from((index * 31 + index / 251) % 256).unwrap())
        .collect()
}
