//! A program that waits for events of several connections and serves them in pieces.

use std::collections::HashMap;
use std::fs::File;
use std::io::Write;
use std::net::{TcpListener, TcpStream};
use std::os::fd::{AsRawFd, FromRawFd};

use libc::c_int;

use super::PATIENCE;
use super::connection::{Connection, IN_FILE, Sent};
use super::stream::{Random, bytes};
use crate::queue::{known, offer, own};
use crate::stats::Reason;
use crate::sys;

/// Connections that it has at a time.
const AT_ONCE: usize = 4;

/// How the program waits.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Waits {
    /// Level-triggered; the interest changes now and then.
    Level,
    Edge,
    Once,
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

/// Runs a program until it has served so many connections: the bytes that it was told are sent, by stream.
pub(super) fn run(
    listener: TcpListener,
    connections: usize,
    waits: Waits,
    random: Random,
) -> HashMap<u16, usize> {
    // SAFETY: no memory is involved.
    let epoll = unsafe { libc::epoll_create1(0) };
    known::made(epoll);
    let mut program = Program {
        epoll,
        listener,
        waits,
        random,
        connections: HashMap::new(),
        promised: HashMap::new(),
        to_accept: connections,
    };
    for _ in 0..AT_ONCE {
        program.accept();
    }
    while !program.connections.is_empty() {
        program.turn();
    }
    own::flush(Reason::Wait);
    // SAFETY: made above, and nobody uses it any more.
    unsafe { libc::close(epoll) };
    program.promised
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
        // SAFETY: the kernel reads `event`, which lives until the call returns.
        let done = unsafe { libc::epoll_ctl(self.epoll, operation, fd, &raw mut event) };
        assert_eq!(done, 0, "epoll_ctl: error {}", sys::errno());
        known::watched(self.epoll, operation, fd, events);
    }

    fn accept(&mut self) {
        self.to_accept -= 1;
        offer::numbers();
        let listener = self.listener.as_raw_fd();
        let none = core::ptr::null_mut();
        // SAFETY: null pointers ask for no address, so nothing is written.
        let fd = unsafe { libc::accept4(listener, none, none.cast(), libc::SOCK_NONBLOCK) };
        assert!(fd >= 0, "accept: error {}", sys::errno());
        known::accepted(listener, fd, libc::SOCK_NONBLOCK);
        // SAFETY: the descriptor is open and this program's; the stream is never dropped, so it stays so.
        let stream = core::mem::ManuallyDrop::new(unsafe { TcpStream::from_raw_fd(fd) });
        let stream = stream.peer_addr().map_or(0, |peer| peer.port());
        let small: c_int = 4608;
        known::option_set(fd, libc::SOL_SOCKET, libc::SO_SNDBUF);
        sys::set_socket_option(fd, libc::SOL_SOCKET, libc::SO_SNDBUF, small).expect("an option");
        offer::numbers();
        // SAFETY: the kernel reads the name, which ends with a zero byte.
        let file = unsafe { libc::memfd_create(c"stream".as_ptr(), 0) };
        known::made(file);
        // SAFETY: the descriptor was just made, and nobody else has it.
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
            // SAFETY: the kernel writes at most the four events that the array has.
            let count = unsafe { libc::epoll_wait(self.epoll, events.as_mut_ptr(), 4, limit) };
            if count >= 0 || sys::errno() != libc::EINTR {
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
