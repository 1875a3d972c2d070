//! Whatever a kernel does to promises, each connection gets the bytes that the program was told are sent, in order and once;
//! and a program that waits for events gets on, whichever way it waits.
//!
//! A program and its peers, on sockets with tiny buffers; the program makes its calls as the names of libc do. What arrives is
//! compared byte by byte, and every wait is bounded.

use core::sync::atomic::Ordering;
use std::collections::HashMap;
use std::fs::File;
use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::os::fd::{AsRawFd, FromRawFd};
use std::sync::Once;
use std::thread;
use std::time::Duration;

use libc::{c_int, c_void, iovec};

use crate::process;
use crate::queue::faults::{self, Kernel};
use crate::queue::offer::{self, Offer};
use crate::queue::{company, known, own};
use crate::stats::STATS;
use crate::sys;

/// Longer than anything takes here, even on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);
const CONNECTIONS: usize = 12;
const AT_ONCE: usize = 4;
/// Bytes of a stream that are in a file, too.
const IN_FILE: usize = 20_000;

/// How the program waits.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Waits {
    /// Level-triggered; the interest changes now and then.
    Level,
    Edge,
    Once,
}

#[derive(Debug)]
struct Random(u32);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (self.0 >> 8) as usize % limit
    }

    fn one_in(&mut self, count: usize) -> bool {
        self.below(count) == 0
    }
}

/// The byte of a stream, which is named by its peer's port.
fn byte(stream: u16, at: usize) -> u8 {
    let mixed = (u32::from(stream) << 20 ^ u32::try_from(at).unwrap_or(0)).wrapping_mul(2_654_435_761);
    let [.., low, high] = mixed.to_be_bytes();
    low ^ high
}

fn bytes(stream: u16, at: usize, len: usize) -> Vec<u8> {
    (at..at + len).map(|at| byte(stream, at)).collect()
}

/// What a peer found.
#[derive(Clone, Copy, Debug)]
struct Found {
    stream: u16,
    len: usize,
    aborted: bool,
}

/// Reads to the end, or breaks off.
fn peer(address: SocketAddr, mut random: Random) -> Found {
    let mut stream = TcpStream::connect(address).expect("a connection");
    stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
    let small: c_int = 2000;
    if random.one_in(2) {
        sys::set_socket_option(stream.as_raw_fd(), libc::SOL_SOCKET, libc::SO_RCVBUF, small)
            .expect("an option");
    }
    let name = stream.local_addr().expect("an address").port();
    let breaks_off = random.one_in(4).then(|| 1 + random.below(30_000));
    let mut found = Found {
        stream: name,
        len: 0,
        aborted: false,
    };
    let mut buffer = vec![0; 20_000];
    loop {
        if random.one_in(8) {
            thread::sleep(Duration::from_micros(random.below(3000) as u64));
        }
        let most = 1 + random.below(buffer.len());
        let len = loop {
            // A timeout makes a call fail when the whole test is stopped and goes on.
            match stream.read(&mut buffer[..most]) {
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                outcome => break outcome.expect("bytes or the end"),
            }
        };
        for (offset, &got) in buffer[..len].iter().enumerate() {
            let at = found.len + offset;
            assert_eq!(got, byte(name, at), "stream {name}: byte {at} is wrong");
        }
        found.len += len;
        if len == 0 {
            return found;
        }
        if breaks_off.is_some_and(|at| found.len >= at) {
            let linger = libc::linger {
                l_onoff: 1,
                l_linger: 0,
            };
            let start: *const libc::linger = &raw const linger;
            // SAFETY: reads a live `linger`.
            unsafe {
                libc::setsockopt(
                    stream.as_raw_fd(),
                    libc::SOL_SOCKET,
                    libc::SO_LINGER,
                    start.cast(),
                    8,
                )
            };
            found.aborted = true;
            return found;
        }
    }
}

/// A connection of the program.
#[derive(Debug)]
struct Connection {
    fd: c_int,
    stream: u16,
    file: File,
    /// Bytes that the program was told are sent, and how many it wants to send.
    at: usize,
    end: usize,
    corked: bool,
    /// It has shut its end down, and waits for its peer's.
    ending: bool,
}

/// What became of a try to send.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Sent {
    Some,
    Full,
    Broken,
}

fn errno() -> c_int {
    sys::errno()
}

impl Connection {
    fn judge(&mut self, offer: Offer, real: impl FnOnce(&mut Self) -> isize) -> Sent {
        let (sent, errno) = match offer {
            Offer::Taken(len) => (len.cast_signed(), 0),
            Offer::Fail(errno) => (-1, errno),
            Offer::Pass => {
                let sent = real(self);
                if sent > 0 {
                    known::moved(self.fd);
                }
                (sent, errno())
            }
        };
        match (usize::try_from(sent), errno) {
            (Ok(len), _) => {
                self.at += len;
                Sent::Some
            }
            (_, libc::EAGAIN) => Sent::Full,
            (_, libc::EPIPE | libc::ECONNRESET) => Sent::Broken,
            (_, errno) => panic!("stream {}: error {errno}", self.stream),
        }
    }

    /// The next bytes, by one of the calls that send.
    fn send(&mut self, random: &mut Random) -> Sent {
        let largest = if random.one_in(16) { 30_000 } else { 3000 };
        let len = (1 + random.below(largest)).min(self.end - self.at);
        let fd = self.fd;
        if self.at + len <= IN_FILE && random.one_in(4) {
            let mut offset = self.at.cast_signed() as i64;
            let file = self.file.as_raw_fd();
            // SAFETY: the offset is live.
            let offer = unsafe { offer::sendfile(fd, file, &raw mut offset, len) };
            // SAFETY: as above.
            return self.judge(offer, |_| unsafe {
                libc::sendfile(fd, file, &raw mut offset, len)
            });
        }
        let mut copy = bytes(self.stream, self.at, len);
        let flags = libc::MSG_NOSIGNAL | if random.one_in(5) { libc::MSG_MORE } else { 0 };
        let start: *mut c_void = copy.as_mut_ptr().cast();
        let cut = random.below(len + 1);
        let parts = [(start, cut), (start.wrapping_byte_add(cut), len - cut)];
        let parts = parts.map(|(iov_base, iov_len)| iovec { iov_base, iov_len });
        let offer = offer::send(fd, &parts, flags);
        // SAFETY: sends `len` live bytes.
        let sent = self.judge(offer, |_| unsafe { libc::send(fd, start, len, flags) });
        // What the program does with its buffer then is no matter.
        copy.fill(0xee);
        sent
    }

    fn cork(&mut self) {
        self.corked = !self.corked;
        if offer::cork(self.fd, self.corked) == Offer::Pass {
            known::option_set(self.fd, libc::IPPROTO_TCP, libc::TCP_CORK);
            let _ = sys::set_socket_option(self.fd, libc::IPPROTO_TCP, libc::TCP_CORK, self.corked.into());
        }
    }

    fn close(&self) {
        match offer::close(self.fd) {
            Offer::Taken(_) => {}
            // SAFETY: the program's own descriptor.
            Offer::Pass => assert_eq!(unsafe { libc::close(self.fd) }, 0),
            Offer::Fail(errno) => panic!("close: error {errno}"),
        }
    }

    fn shut_down(&mut self) -> Sent {
        self.ending = true;
        match offer::shutdown(self.fd, libc::SHUT_WR) {
            Offer::Taken(_) => Sent::Some,
            Offer::Fail(errno) => panic!("shutdown: error {errno}"),
            // SAFETY: the program's own descriptor.
            Offer::Pass if unsafe { libc::shutdown(self.fd, libc::SHUT_WR) } == 0 => Sent::Some,
            Offer::Pass => Sent::Broken,
        }
    }

    /// Whether the peer has ended, too.
    fn has_ended(&self) -> bool {
        let mut byte = 0_u8;
        if let Some(errno) = offer::before(self.fd) {
            return errno != libc::EAGAIN;
        }
        let start: *mut u8 = &raw mut byte;
        // SAFETY: takes at most one byte to a live variable.
        let got = unsafe { libc::recv(self.fd, start.cast(), 1, libc::MSG_DONTWAIT) };
        got == 0 || (got < 0 && errno() != libc::EAGAIN)
    }
}

/// A program with several connections.
#[derive(Debug)]
struct Program {
    epoll: c_int,
    listener: TcpListener,
    waits: Waits,
    random: Random,
    connections: HashMap<c_int, Connection>,
    /// Bytes promised to each stream.
    promised: HashMap<u16, usize>,
    to_accept: usize,
}

impl Program {
    fn interest(&mut self) -> u32 {
        let all = libc::EPOLLIN | libc::EPOLLOUT;
        let bits = match self.waits {
            Waits::Level if self.random.one_in(2) => libc::EPOLLOUT,
            Waits::Level => all,
            Waits::Edge => all | libc::EPOLLET,
            Waits::Once => all | libc::EPOLLONESHOT,
        };
        bits.cast_unsigned()
    }

    fn control(&mut self, operation: c_int, fd: c_int, events: u32) {
        let mut event = libc::epoll_event {
            events,
            u64: fd.unsigned_abs().into(),
        };
        offer::touch(fd);
        // SAFETY: reads a live event.
        let done = unsafe { libc::epoll_ctl(self.epoll, operation, fd, &raw mut event) };
        assert_eq!(done, 0, "epoll_ctl: error {}", errno());
        known::watched(self.epoll, operation, fd, events);
    }

    fn accept(&mut self) {
        self.to_accept -= 1;
        offer::numbers();
        let listener = self.listener.as_raw_fd();
        let none = core::ptr::null_mut();
        // SAFETY: asks for no address.
        let fd = unsafe { libc::accept4(listener, none, none.cast(), libc::SOCK_NONBLOCK) };
        assert!(fd >= 0, "accept: error {}", errno());
        known::accepted(listener, fd, libc::SOCK_NONBLOCK);
        // SAFETY: forgotten again, so it is not closed.
        let stream = core::mem::ManuallyDrop::new(unsafe { TcpStream::from_raw_fd(fd) });
        let stream = stream.peer_addr().map_or(0, |peer| peer.port());
        let small: c_int = 4608;
        known::option_set(fd, libc::SOL_SOCKET, libc::SO_SNDBUF);
        sys::set_socket_option(fd, libc::SOL_SOCKET, libc::SO_SNDBUF, small).expect("an option");
        offer::numbers();
        // SAFETY: the name is a C string.
        let file = unsafe { libc::memfd_create(c"stream".as_ptr(), 0) };
        known::made(file);
        // SAFETY: just made, and nobody else's.
        let mut file = unsafe { File::from_raw_fd(file) };
        file.write_all(&bytes(stream, 0, IN_FILE)).expect("a file");
        let connection = Connection {
            fd,
            stream,
            file,
            at: 0,
            end: 1 + self.random.below(120_000),
            corked: false,
            ending: false,
        };
        self.connections.insert(fd, connection);
        let events = self.interest();
        self.control(libc::EPOLL_CTL_ADD, fd, events);
    }

    /// What the kernel says of the connections: addresses, state, bytes not sent and not read, timers.
    fn sockets(&self) -> String {
        let table = std::fs::read_to_string("/proc/net/tcp").unwrap_or_default();
        let streams: Vec<_> = self
            .connections
            .values()
            .map(|connection| format!(":{:04X} ", connection.stream))
            .collect();
        let ours = table
            .lines()
            .filter(|line| streams.iter().any(|stream| line.contains(stream)));
        ours.map(|line| format!("{}\n", &line[..line.len().min(90)]))
            .collect()
    }

    fn turn(&mut self) {
        let mut events = [libc::epoll_event { events: 0, u64: 0 }; 4];
        offer::wait_begins();
        let limit = c_int::try_from(PATIENCE.as_millis()).unwrap_or(c_int::MAX);
        let count = loop {
            // SAFETY: writes at most four events.
            let count = unsafe { libc::epoll_wait(self.epoll, events.as_mut_ptr(), 4, limit) };
            if count >= 0 || errno() != libc::EINTR {
                break count;
            }
        };
        offer::wait_ended(count, Some(self.epoll));
        assert!(
            count > 0,
            "no event for {PATIENCE:?}: {:?}\n{}",
            self.connections,
            self.sockets()
        );
        let ready = events.iter().take(usize::try_from(count).unwrap_or(0));
        let ready: Vec<_> = ready
            .map(|event| c_int::try_from(event.u64).unwrap_or(-1))
            .map(|fd| match self.connections.get(&fd) {
                Some(connection) => (fd, connection.stream),
                None => panic!("an event for descriptor {fd}, which is closed"),
            })
            .collect();
        // Several times over all of them, so that what is queued for one stands between what is queued for another.
        let passes = 1 + self.random.below(3);
        for pass in 1..=passes {
            for &(fd, stream) in &ready {
                if self
                    .connections
                    .get(&fd)
                    .is_some_and(|connection| connection.stream == stream)
                {
                    self.go_on(fd, pass == passes);
                }
            }
        }
    }

    fn go_on(&mut self, fd: c_int, last: bool) {
        let Some(mut connection) = self.connections.remove(&fd) else {
            return;
        };
        if self.serve(&mut connection, last) {
            self.connections.insert(fd, connection);
            let changes = self.waits == Waits::Level && self.random.one_in(4);
            if last && (self.waits == Waits::Once || changes) {
                let events = self.interest();
                self.control(libc::EPOLL_CTL_MOD, fd, events);
            }
        } else {
            connection.close();
            self.promised.insert(connection.stream, connection.at);
            if self.to_accept > 0 {
                // It gets the number of the one that was just closed.
                self.accept();
            }
        }
    }

    /// Goes on with a connection; false when it is to be closed.
    fn serve(&mut self, connection: &mut Connection, last: bool) -> bool {
        if connection.ending {
            return !connection.has_ended();
        }
        // An edge comes but once.
        let most = if self.waits == Waits::Edge && last {
            usize::MAX
        } else {
            1 + self.random.below(24)
        };
        for _ in 0..most {
            if self.random.one_in(6) {
                connection.cork();
            }
            match connection.send(&mut self.random) {
                Sent::Some => {}
                Sent::Full => return true,
                Sent::Broken => return false,
            }
            if connection.at == connection.end {
                if connection.corked && self.random.one_in(2) {
                    connection.cork();
                }
                // With edges, one may have come and gone.
                return self.random.one_in(2)
                    && connection.shut_down() == Sent::Some
                    && !connection.has_ended();
            }
        }
        true
    }
}

fn set_up() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        assert!(process::set_up());
        own::make_key();
        company::set_lone(true);
    });
}

/// A program from start to end.
fn run(waits: Waits, seed: u32) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a listener");
    known::made(listener.as_raw_fd());
    let address = listener.local_addr().expect("an address");
    let peers: Vec<_> = (0..CONNECTIONS)
        .map(|number| {
            let random = Random(seed ^ u32::try_from(number).unwrap_or(0) << 16);
            thread::spawn(move || peer(address, random))
        })
        .collect();
    let program = thread::spawn(move || {
        // SAFETY: touches no memory.
        let epoll = unsafe { libc::epoll_create1(0) };
        known::made(epoll);
        let mut program = Program {
            epoll,
            listener,
            waits,
            random: Random(seed),
            connections: HashMap::new(),
            promised: HashMap::new(),
            to_accept: CONNECTIONS,
        };
        for _ in 0..AT_ONCE {
            program.accept();
        }
        while !program.connections.is_empty() {
            program.turn();
        }
        own::flush(crate::stats::Reason::Wait);
        // SAFETY: the program's own descriptor.
        unsafe { libc::close(epoll) };
        program.promised
    });
    let promised = program.join().expect("the program");
    for peer in peers {
        let found = peer.join().expect("a peer");
        let promised = promised[&found.stream];
        let right = if found.aborted {
            found.len <= promised
        } else {
            found.len == promised
        };
        assert!(
            right,
            "{waits:?}, seed {seed}: {found:?}, {promised} were promised"
        );
    }
}

/// How many programs of each kind; `ESCA_SEEDS` for more.
fn seeds() -> u32 {
    let given = std::env::var("ESCA_SEEDS").ok();
    given.and_then(|count| count.parse().ok()).unwrap_or(2)
}

/// Programs of every kind, with a kernel that keeps to nothing.
fn hold(kernel: Kernel) {
    set_up();
    faults::with(kernel, || {
        let before = STATS.remainders.load(Ordering::Relaxed);
        for seed in 0..seeds() {
            for waits in [Waits::Level, Waits::Edge, Waits::Once] {
                // Scripted refusals are not the socket's own, so no edge follows them.
                if waits != Waits::Edge || kernel != Kernel::Scripted {
                    run(waits, seed * 77 + 1);
                }
            }
        }
        let remainders = STATS.remainders.load(Ordering::Relaxed) - before;
        println!("{remainders} promises came back short");
        assert!(remainders > 3, "but {remainders} promises came back short");
    });
}

#[test]
fn a_kernel_that_has_less_room_than_it_says() {
    hold(Kernel::Lying);
}

#[test]
fn a_ring_that_has_less_room_than_it_says() {
    if let Err(error) = esca_sys::Uring::new() {
        println!("skipped: no io_uring: {error}");
        return;
    }
    hold(Kernel::LyingRing);
}

#[test]
fn sends_that_are_refused_cut_and_interrupted() {
    hold(Kernel::Scripted);
}
