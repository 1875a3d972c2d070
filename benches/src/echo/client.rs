use core::net::SocketAddr;
use core::time::Duration;
use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::Instant;

use anyhow::{Context, Result, bail, ensure};
use rustix::buffer::spare_capacity;
use rustix::event::epoll::{CreateFlags, EventData, EventFlags, add, create, wait};
use rustix::fd::OwnedFd;
use rustix::io::retry_on_intr;
use rustix::net::sockopt::set_socket_linger;
use rustix::time::Timespec;

/// Bytes of a message.
const MESSAGE: usize = 64;
/// No answer on loopback takes so long, also not from a server under Valgrind.
const PATIENCE: Timespec = Timespec {
    tv_sec: 20,
    tv_nsec: 0,
};

/// Connections to an echo server, each of which waits for its echo before it sends again.
#[derive(Debug)]
pub(super) struct Clients {
    connections: Vec<Connection>,
    poll: OwnedFd,
}

#[derive(Debug)]
struct Connection {
    stream: TcpStream,
    message: [u8; MESSAGE],
    received: usize,
}

impl Clients {
    pub(super) fn connect(address: SocketAddr, count: usize) -> Result<Self> {
        let poll = create(CreateFlags::CLOEXEC)?;
        let connections = (0..count)
            .map(|index| {
                let stream = TcpStream::connect(address)
                    .with_context(|| format!("cannot open connection {index} to {address}"))?;
                stream.set_nonblocking(true)?;
                stream.set_nodelay(true)?;
                // Reset when dropped, so that no port has to wait.
                set_socket_linger(&stream, Some(Duration::ZERO))?;
                add(&poll, &stream, EventData::new_u64(index as u64), EventFlags::IN)?;
                Ok(Connection {
                    stream,
                    message: [0; MESSAGE],
                    received: 0,
                })
            })
            .collect::<Result<_>>()?;
        Ok(Self { connections, poll })
    }

    /// Sends so many messages, evenly over the connections, and gives the time until all echoes are back.
    pub(super) fn exchange(&mut self, messages: usize) -> Result<Duration> {
        let mut to_send = messages.saturating_sub(self.connections.len());
        let mut missing = messages.max(self.connections.len());
        let mut events = Vec::with_capacity(512);
        let start = Instant::now();
        for (index, connection) in self.connections.iter_mut().enumerate() {
            connection.send(index as u8)?;
        }
        while missing > 0 {
            let count = retry_on_intr(|| wait(&self.poll, spare_capacity(&mut events), Some(&PATIENCE)))?;
            ensure!(count > 0, "{missing} of {messages} echoes did not come");
            for event in events.drain(..) {
                let connection = &mut self.connections[event.data.u64() as usize];
                if connection.receive()? {
                    missing -= 1;
                    if to_send > 0 {
                        to_send -= 1;
                        connection.send(to_send as u8)?;
                    }
                }
            }
        }
        Ok(start.elapsed())
    }
}

impl Connection {
    fn send(&mut self, byte: u8) -> Result<()> {
        self.message = [byte; MESSAGE];
        self.received = 0;
        // An empty socket buffer takes a message whole.
        self.stream
            .write_all(&self.message)
            .context("cannot send a message")
    }

    /// Reads what is there, and tells whether the echo is whole.
    fn receive(&mut self) -> Result<bool> {
        let mut echo = [0; MESSAGE];
        match self.stream.read(&mut echo[self.received..]) {
            Ok(0) => bail!("the server has closed a connection"),
            Ok(count) => {
                let range = self.received..self.received + count;
                ensure!(
                    echo[range.clone()] == self.message[range],
                    "an echo differs from its message"
                );
                self.received += count;
                Ok(self.received == MESSAGE)
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(false),
            Err(error) => Err(error).context("cannot read an echo"),
        }
    }
}
