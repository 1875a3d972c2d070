use core::mem::MaybeUninit;
use core::net::SocketAddr;
use std::collections::HashMap;
use std::io;
use std::net::TcpListener;
use std::os::fd::{AsRawFd, OwnedFd, RawFd};

use rustix::buffer::spare_capacity;
use rustix::event::epoll::{self, CreateFlags, EventData, EventFlags};
use rustix::io::Errno;
use rustix::net::{SocketFlags, accept_with};

/// What every request is answered with.
const RESPONSE: &[u8] = b"HTTP/1.1 200 OK\r\n\
Server: floor\r\n\
Date: Thu, 01 Jan 1970 00:00:00 GMT\r\n\
Content-Type: text/plain\r\n\
Content-Length: 12\r\n\
\r\n\
hello world\n";
/// How many responses one write can hold.
const PIPELINED: usize = 64;
const END_OF_HEAD: &[u8] = b"\r\n\r\n";

/// The least that a server can do: level-triggered epoll, one read, one write, no parsing.
///
/// It counts blank lines to know how many responses are due, and answers anything. What it spends is what the
/// kernel takes for TCP and epoll.
pub(crate) fn serve(address: SocketAddr) -> io::Result<()> {
    let listener = TcpListener::bind(address)?;
    listener.set_nonblocking(true)?;
    let poll = epoll::create(CreateFlags::CLOEXEC)?;
    epoll::add(
        &poll,
        &listener,
        EventData::new_u64(listener.as_raw_fd() as u64),
        EventFlags::IN,
    )?;

    let responses = RESPONSE.repeat(PIPELINED);
    let mut connections: HashMap<RawFd, Connection> = HashMap::new();
    let mut events = Vec::with_capacity(512);
    loop {
        events.clear();
        match epoll::wait(&poll, spare_capacity(&mut events), None) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
        for event in &events {
            let fd = event.data.u64() as RawFd;
            if fd == listener.as_raw_fd() {
                accept_all(&listener, &poll, &mut connections)?;
            } else if let Some(connection) = connections.get_mut(&fd)
                && connection.answer(&responses).is_err()
            {
                connections.remove(&fd);
            }
        }
    }
}

fn accept_all(
    listener: &TcpListener,
    poll: &OwnedFd,
    connections: &mut HashMap<RawFd, Connection>,
) -> io::Result<()> {
    loop {
        match accept_with(listener, SocketFlags::NONBLOCK | SocketFlags::CLOEXEC) {
            Ok(socket) => {
                rustix::net::sockopt::set_tcp_nodelay(&socket, true)?;
                let fd = socket.as_raw_fd();
                epoll::add(poll, &socket, EventData::new_u64(fd as u64), EventFlags::IN)?;
                connections.insert(fd, Connection { socket, matched: 0 });
            }
            Err(Errno::AGAIN) => return Ok(()),
            Err(Errno::CONNABORTED | Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
}

struct Connection {
    socket: OwnedFd,
    /// How much of the blank line the last read ended with.
    matched: usize,
}

impl Connection {
    /// Reads once and answers every head that ended; an error ends the connection.
    fn answer(&mut self, responses: &[u8]) -> io::Result<()> {
        let mut buffer = [MaybeUninit::uninit(); 16 << 10];
        let received = match rustix::io::read(&self.socket, &mut buffer) {
            Ok((received, _)) => &*received,
            Err(Errno::AGAIN | Errno::INTR) => return Ok(()),
            Err(error) => return Err(error.into()),
        };
        if received.is_empty() {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let mut due = ends(received, &mut self.matched);
        while due > 0 {
            let now = due.min(PIPELINED);
            let mut rest = &responses[..now * RESPONSE.len()];
            while !rest.is_empty() {
                // A client that does not read is of no interest here: it loses its connection.
                rest = &rest[rustix::io::write(&self.socket, rest)?..];
            }
            due -= now;
        }
        Ok(())
    }
}

/// Counts blank lines, across reads by what the last one left in `matched`.
fn ends(received: &[u8], matched: &mut usize) -> usize {
    if *matched == 0 && received.ends_with(END_OF_HEAD) {
        // The usual case: whole heads. A head has no blank line inside, so each has one `\r\n\r`.
        return received
            .windows(END_OF_HEAD.len())
            .filter(|window| *window == END_OF_HEAD)
            .count();
    }
    let mut count = 0;
    for &byte in received {
        *matched = match byte {
            expected if expected == END_OF_HEAD[*matched] => *matched + 1,
            b'\r' => 1,
            _ => 0,
        };
        if *matched == END_OF_HEAD.len() {
            count += 1;
            *matched = 0;
        }
    }
    count
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn heads_are_counted_however_they_are_cut() {
        let heads = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n".repeat(3);
        for cut in 0..=heads.len() {
            let mut matched = 0;
            let count = ends(&heads[..cut], &mut matched) + ends(&heads[cut..], &mut matched);
            assert_eq!((count, matched), (3, 0), "cut at {cut}");
        }
    }
}
