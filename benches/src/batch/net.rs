//! Connections over loopback whose other end is emptied outside the timed part.

use std::io::Read as _;
use std::net::{TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::sync::Arc;

use anyhow::{Context as _, Result};

/// Sending ends and the receiving ends that belong to them.
#[derive(Debug)]
pub(super) struct Connections {
    pub(super) senders: Vec<Arc<OwnedFd>>,
    receivers: Vec<TcpStream>,
    scratch: Vec<u8>,
}

impl Connections {
    pub(super) fn new(count: usize) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").context("no socket on loopback")?;
        let address = listener.local_addr()?;
        let mut senders = Vec::new();
        let mut receivers = Vec::new();
        for _ in 0..count {
            let sender = TcpStream::connect(address)?;
            let (receiver, _) = listener.accept()?;
            // As a server has them: without it the tail of an answer waits for an acknowledgement.
            sender.set_nodelay(true)?;
            sender.set_nonblocking(true)?;
            receiver.set_nonblocking(true)?;
            rustix::net::sockopt::set_socket_recv_buffer_size(&receiver, 4 << 20)?;
            rustix::net::sockopt::set_socket_send_buffer_size(&sender, 4 << 20)?;
            senders.push(Arc::new(OwnedFd::from(sender)));
            receivers.push(receiver);
        }
        Ok(Self {
            senders,
            receivers,
            scratch: vec![0; 1 << 20],
        })
    }

    /// Takes everything that has arrived.
    pub(super) fn empty(&mut self) {
        for receiver in &mut self.receivers {
            while matches!(receiver.read(&mut self.scratch), Ok(1..)) {}
        }
    }
}
