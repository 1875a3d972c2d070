//! Connections over loopback.

use std::cell::RefCell;
use std::io::Read;
use std::net::{TcpListener, TcpStream};
use std::os::fd::AsRawFd;
use std::rc::Rc;

/// The same connections for all ways: what a send costs differs from one connection to another by more than a batch saves.
pub(crate) type Shared = Rc<RefCell<Connections>>;

/// Connected pairs of sockets, the senders of which do not block.
#[derive(Debug)]
pub(crate) struct Connections {
    senders: Vec<TcpStream>,
    receivers: Vec<TcpStream>,
}

impl Connections {
    pub(crate) fn shared(count: usize) -> Result<Shared, String> {
        Self::new(count).map(|this| Rc::new(RefCell::new(this)))
    }

    fn new(count: usize) -> Result<Self, String> {
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
