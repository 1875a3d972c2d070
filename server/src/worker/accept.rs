//! New connections.

use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use rustix::net::{RecvFlags, SendFlags, SocketFlags};

use crate::listen::BACKLOG;

/// Connections accepted from one listener in one turn.
const BUDGET: u32 = 256;
/// A shortage is reported at most so often: it comes with every connection while it lasts.
const REPORT_INTERVAL: Duration = Duration::from_secs(1);

/// The listeners of a worker.
#[derive(Debug)]
pub(super) struct Acceptor {
    listeners: Vec<OwnedFd>,
    left: u32,
    /// Given up for a moment to take a connection out of the queue when there is no other descriptor left: a connection
    /// that cannot be accepted would be reported without end.
    spare: Option<OwnedFd>,
    reported: Option<Instant>,
}

impl Acceptor {
    pub(super) fn new(listeners: Vec<OwnedFd>) -> Result<Self, Errno> {
        Ok(Self {
            listeners,
            left: BUDGET,
            spare: Some(spare()?),
            reported: None,
        })
    }

    pub(super) const fn listeners(&self) -> usize {
        self.listeners.len()
    }

    /// Lets the turn that comes take all that can have queued at one listener.
    pub(super) const fn take_all(&mut self) {
        // The queue holds one more than it was asked for.
        self.left = BACKLOG.unsigned_abs() + 1;
    }

    /// Stops listening.
    pub(super) fn close(&mut self) {
        self.listeners.clear();
    }

    /// The next connection in the queue of a listener; `None` ends a turn.
    pub(super) fn accept(&mut self, index: usize) -> Option<OwnedFd> {
        let listener = self.listeners.get(index)?;
        while self.left > 0 {
            self.left -= 1;
            match rustix::net::accept_with(listener, SocketFlags::NONBLOCK | SocketFlags::CLOEXEC) {
                Ok(socket) => return Some(socket),
                Err(Errno::AGAIN) => break,
                Err(Errno::MFILE | Errno::NFILE) => {
                    report(
                        &mut self.reported,
                        "out of file descriptors: connections are turned away",
                    );
                    self.spare = None;
                    if let Ok(socket) = rustix::net::accept_with(listener, SocketFlags::NONBLOCK) {
                        turn_away(&socket);
                    }
                    self.spare = spare().ok();
                }
                Err(Errno::NOBUFS | Errno::NOMEM) => {
                    report(&mut self.reported, "out of memory for connections");
                    break;
                }
                // The connection has failed before it was accepted (accept(2), "Error handling").
                Err(_) => {}
            }
        }
        self.left = BUDGET;
        None
    }
}

fn report(last: &mut Option<Instant>, shortage: &str) {
    if last.is_none_or(|last| last.elapsed() >= REPORT_INTERVAL) {
        *last = Some(Instant::now());
        tracing::error!("{shortage}");
    }
}

fn spare() -> Result<OwnedFd, Errno> {
    rustix::fs::open("/dev/null", OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())
}

/// Says that there is no room for this connection. It is closed by its owner.
pub(super) fn turn_away(socket: &OwnedFd) {
    say(socket, b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 1\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
}

/// Says that the head did not arrive in time.
pub(super) fn time_out(socket: &OwnedFd) {
    say(
        socket,
        b"HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
    );
}

/// A last word to a peer that may not listen.
fn say(socket: &OwnedFd, response: &[u8]) {
    // Unread bytes would turn the close into a reset, which can overtake the response.
    let mut dropped = [0; 4096];
    let _unread = rustix::net::recv(socket, &mut dropped[..], RecvFlags::DONTWAIT);
    let _lost = rustix::net::send(socket, response, SendFlags::NOSIGNAL | SendFlags::DONTWAIT);
}
