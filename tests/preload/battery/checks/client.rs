//! A connection that believes nothing.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::os::fd::OwnedFd;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use rustix::net::{AddressFamily, SocketType, sockopt};

use crate::patience::PATIENCE;

/// One connection.
#[derive(Debug)]
pub(crate) struct Client {
    stream: TcpStream,
    received: Vec<u8>,
}

impl Client {
    pub(crate) fn connect(address: SocketAddr) -> Result<Self> {
        Self::over(TcpStream::connect(address).context("cannot connect")?)
    }

    /// Connects with a receive buffer of about `bytes`, so that the server has to wait for its reader.
    pub(crate) fn connect_narrow(address: SocketAddr, bytes: usize) -> Result<Self> {
        let socket: OwnedFd = rustix::net::socket(AddressFamily::INET, SocketType::STREAM, None)?;
        // Before connecting: the window that is announced then is never taken back.
        sockopt::set_socket_recv_buffer_size(&socket, bytes)?;
        rustix::net::connect(&socket, &address).context("cannot connect")?;
        Self::over(TcpStream::from(socket))
    }

    pub(crate) fn over(stream: TcpStream) -> Result<Self> {
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        Ok(Self {
            stream,
            received: Vec::new(),
        })
    }

    pub(crate) fn send(&mut self, bytes: &[u8]) -> Result<()> {
        self.stream.write_all(bytes).context("cannot send")
    }

    /// Sends from a thread of its own, for more than the two ends hold while nobody reads.
    pub(crate) fn send_beside(&self, bytes: Vec<u8>) -> Result<JoinHandle<std::io::Result<()>>> {
        let mut stream = self.stream.try_clone()?;
        Ok(thread::spawn(move || stream.write_all(&bytes)))
    }

    /// Says that nothing more will be sent.
    pub(crate) fn finish(&self) -> Result<()> {
        self.stream.shutdown(Shutdown::Write).context("cannot half-close")
    }

    /// Ends the connection by a reset.
    pub(crate) fn abort(self) -> Result<()> {
        Ok(sockopt::set_socket_linger(&self.stream, Some(Duration::ZERO))?)
    }

    /// What has been received and not been taken.
    pub(crate) fn received(&self) -> &[u8] {
        &self.received
    }

    /// Receives more, at most `most` bytes: how many, zero at the end.
    pub(crate) fn receive(&mut self, most: usize) -> std::io::Result<usize> {
        let begin = self.received.len();
        self.received.resize(begin + most, 0);
        // A timeout makes a call fail when the whole test is stopped and goes on.
        let outcome = loop {
            match self.stream.read(&mut self.received[begin..]) {
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                outcome => break outcome,
            }
        };
        let count = *outcome.as_ref().unwrap_or(&0);
        self.received.truncate(begin + count);
        outcome
    }

    /// Receives until `length` bytes are there, and takes them.
    pub(crate) fn take(&mut self, length: usize) -> Result<Vec<u8>> {
        while self.received.len() < length {
            let there = self.received.len();
            let more = (length - there).clamp(1, 256 << 10);
            let count = self
                .receive(more)
                .with_context(|| format!("after {there} of {length} bytes"))?;
            ensure!(count > 0, "the end after {there} of {length} bytes");
        }
        let rest = self.received.split_off(length);
        Ok(std::mem::replace(&mut self.received, rest))
    }

    /// Receives up to and with `mark`, and takes that; nothing at a clean end before the first byte.
    pub(crate) fn take_until(&mut self, mark: &[u8]) -> Result<Option<Vec<u8>>> {
        let mut searched = 0;
        loop {
            let found = self.received[searched..]
                .windows(mark.len())
                .position(|window| window == mark);
            if let Some(at) = found {
                return self.take(searched + at + mark.len()).map(Some);
            }
            searched = (self.received.len() + 1).saturating_sub(mark.len());
            match self.receive(16 << 10) {
                Ok(0) if self.received.is_empty() => return Ok(None),
                Ok(0) => bail!(
                    "the end in the midst of {:?}",
                    self.received.escape_ascii().to_string()
                ),
                Ok(_) => ensure!(self.received.len() < 1 << 20, "no end of a line or head"),
                // A connection that was open when its server went away.
                Err(error) if self.received.is_empty() && error.kind() == ErrorKind::ConnectionReset => {
                    return Ok(None);
                }
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Waits for a clean end, before which nothing may come.
    pub(crate) fn expect_end(&mut self) -> Result<()> {
        let outcome = self.receive(64);
        let behind = self.received.escape_ascii();
        ensure!(self.received.is_empty(), "behind the last answer stands {behind}");
        ensure!(matches!(outcome, Ok(0)), "not a clean end: {outcome:?}");
        Ok(())
    }
}
