//! What a worker keeps of a connection. A million of these should fit, so it is small, and most of them are idle.

use std::os::fd::{AsRawFd, OwnedFd, RawFd};

use timing_wheel::Handle;

use super::task::Task;

/// One accepted connection.
#[derive(Debug)]
pub(crate) struct Connection {
    /// Before the socket, for fields are dropped in their order and a coroutine outlives no socket that it uses.
    pub(crate) phase: Phase,
    pub(crate) socket: OwnedFd,
    /// Told apart from the earlier connections of the same descriptor, whose events may still be under way.
    pub(crate) generation: u32,
    /// The one timer; [`Phase`] says what it is for.
    pub(crate) timer: Option<Handle>,
    /// The socket may hold bytes that no event will announce again.
    pub(crate) readable: bool,
    /// The peer has sent its last byte, or the connection is broken: read on until that shows.
    pub(crate) hung_up: bool,
}

const _: () = assert!(size_of::<Option<Connection>>() <= 80);

/// Where a connection is between two requests.
#[derive(Debug)]
pub(crate) enum Phase {
    /// Nothing received; the idle deadline runs.
    Idle,
    /// The start of a head has arrived; the head deadline runs.
    Head {
        received: Vec<u8>,
        /// Where the next scan for the head's end starts.
        scanned: usize,
    },
    /// A request is being answered.
    Running { task: Task, wait: Wait },
    /// The last response is out and our side is closed; what still arrives is thrown away, so that the peer is not
    /// cut off by a reset before it has read the response.
    Lingering,
}

/// What a suspended task needs before it can go on.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Wait {
    /// A completion of its batch entries.
    Completion,
    /// Bytes to read; its deadline runs.
    Readable,
    /// Room to write; its deadline runs.
    Writable,
}

impl Connection {
    pub(crate) const fn new(socket: OwnedFd, generation: u32) -> Self {
        Self {
            socket,
            generation,
            timer: None,
            phase: Phase::Idle,
            readable: false,
            hung_up: false,
        }
    }

    pub(crate) fn fd(&self) -> RawFd {
        self.socket.as_raw_fd()
    }
}
