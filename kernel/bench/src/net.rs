//! Connections over loopback.

use std::io::Read;
use std::net::{TcpListener, TcpStream};
use std::os::fd::AsRawFd;

/// Connected pairs of sockets, the senders of which do not block.
#[derive(Debug)]
pub(crate) struct Connections {
    pub(crate) senders: Vec<TcpStream>,
    receivers: Vec<TcpStream>,
}

impl Connections {
    pub(crate) fn new(count: usize) -> Result<Self, String> {
        let pair = || -> std::io::Result<(TcpStream, TcpStream)> {
            let listener = TcpListener::bind("127.0.0.1:0")?;
            let sender = TcpStream::connect(listener.local_addr()?)?;
            let (receiver, _) = listener.accept()?;
            sender.set_nodelay(true)?;
            sender.set_nonblocking(true)?;
            receiver.set_nonblocking(true)?;
            Ok((sender, receiver))
        };
        let pairs: std::io::Result<Vec<_>> = (0..count).map(|_| pair()).collect();
        let (senders, receivers) = pairs.map_err(|error| error.to_string())?.into_iter().unzip();
        Ok(Self { senders, receivers })
    }

    pub(crate) fn numbers(&self) -> Vec<i32> {
        self.senders.iter().map(AsRawFd::as_raw_fd).collect()
    }

    /// Takes all that has arrived.
    pub(crate) fn empty(&mut self) {
        let mut part = vec![0; 1 << 16];
        for receiver in &mut self.receivers {
            while matches!(receiver.read(&mut part), Ok(1..)) {}
        }
    }
}
