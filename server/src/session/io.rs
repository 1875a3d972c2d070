//! A coroutine's view of its connection: operations that look as if they blocked.

use core::cell::Cell;
use core::fmt;
use std::net::SocketAddr;
use std::os::fd::{BorrowedFd, OwnedFd, RawFd};
use std::sync::Arc;
use std::time::Duration;

use coro_asm::Yielder;
use esca_sys::{Buffer, Completion, Descriptor, Errno, MsgFlags, Operation, SysResult, Vectored};
use rustix::net::RecvFlags;

use super::Context;

/// Most bytes of a file in one entry, so that a fast reader of a large file does not hold up a turn.
const FILE_PIECE: u64 = 2 * 1024 * 1024;

/// A peer that is gone is a result and not a signal. That the socket does not wait is said again for executors that see
/// only the entry.
const SEND: MsgFlags = MsgFlags::NOSIGNAL.union(MsgFlags::DONTWAIT);

/// Why a coroutine goes on.
#[derive(Debug)]
pub(crate) enum Wake {
    /// It is new.
    Start,
    /// One of its batch entries is done.
    Completed(Completion),
    /// The socket may be ready for what it waits for.
    Ready,
    /// The deadline of its wait has passed.
    TimedOut,
    /// The worker ends.
    Canceled,
}

/// What a coroutine waits for.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Park {
    /// The completion of its oldest batch entry.
    Completion,
    /// Bytes to read, until this tick.
    Readable(u64),
    /// Room to write, until this tick.
    Writable(u64),
}

/// The connection can carry no more of the response.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Broken;

/// No more bytes from the peer.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum RecvError {
    /// None came in time.
    TimedOut,
    /// The peer has sent its last one, or is gone, or the worker ends.
    Disconnected,
}

/// One coroutine's connection.
pub(crate) struct Io<'a> {
    yielder: &'a Yielder<Wake, Park>,
    context: &'a Context,
    fd: RawFd,
    /// Nothing more can be sent or received: the peer is gone, or the worker ends.
    broken: Cell<bool>,
    /// Whether this coroutine took bytes from the socket, so that an event may have been used up.
    has_received: Cell<bool>,
}

impl<'a> Io<'a> {
    /// # Safety
    ///
    /// - `fd` is a connection's socket and stays open for as long as the `Io` exists.
    pub(crate) const unsafe fn new(
        yielder: &'a Yielder<Wake, Park>,
        context: &'a Context,
        fd: RawFd,
    ) -> Self {
        Self {
            yielder,
            context,
            fd,
            broken: Cell::new(false),
            has_received: Cell::new(false),
        }
    }

    pub(crate) const fn context(&self) -> &'a Context {
        self.context
    }

    pub(crate) const fn has_received(&self) -> bool {
        self.has_received.get()
    }

    pub(crate) const fn is_broken(&self) -> bool {
        self.broken.get()
    }

    pub(crate) fn peer(&self) -> Option<SocketAddr> {
        let address = rustix::net::getpeername(self.socket()).ok()??;
        SocketAddr::try_from(address).ok()
    }

    /// The tick by which more than `moved` bytes, begun at `started`, must have moved.
    ///
    /// Time is earned for what comes later, not for standing still: a peer that stops is given `base` from now, however
    /// fast it was before.
    pub(crate) fn earned_deadline(&self, started: u64, base: Duration, moved: u64) -> u64 {
        let earned = moved.saturating_mul(1000) / self.context.settings.limits.min_rate.max(1);
        let base = u64::try_from(base.as_millis()).unwrap_or(u64::MAX);
        let on_average = started.saturating_add(earned);
        on_average
            .min(self.context.clock.now())
            .saturating_add(base)
            .saturating_add(1)
    }

    /// At least one byte from the peer.
    pub(crate) fn recv(&self, buffer: &mut [u8], deadline: u64) -> Result<usize, RecvError> {
        self.has_received.set(true);
        while !self.broken.get() {
            match rustix::net::recv(self.socket(), &mut *buffer, RecvFlags::empty()) {
                Ok((0, _)) => self.broken.set(true),
                Ok((count, _)) => return Ok(count),
                Err(rustix::io::Errno::AGAIN) => {
                    if matches!(self.park(Park::Readable(deadline)), Wake::TimedOut) {
                        return Err(RecvError::TimedOut);
                    }
                }
                Err(rustix::io::Errno::INTR) => {}
                Err(_) => self.broken.set(true),
            }
        }
        Err(RecvError::Disconnected)
    }

    /// Tells the client to go on with the body.
    pub(crate) fn send_continue(&self) -> Result<(), Broken> {
        self.send(Buffer::from(b"HTTP/1.1 100 Continue\r\n\r\n")).1
    }

    /// Sends all of `buffer` and gives its memory back.
    pub(crate) fn send(&self, buffer: Buffer) -> (Buffer, Result<(), Broken>) {
        self.send_rest(buffer, SEND, &mut Transfer::default())
    }

    fn send_rest(
        &self,
        mut buffer: Buffer,
        flags: MsgFlags,
        transfer: &mut Transfer,
    ) -> (Buffer, Result<(), Broken>) {
        while !buffer.is_empty() {
            let completion = self.run(Operation::send(self.descriptor(), buffer, flags));
            let moved = self.settle(completion.result, transfer);
            buffer = completion.buffer.unwrap_or_default();
            match moved {
                Ok(moved) => buffer.advance(moved.unwrap_or(0)),
                Err(broken) => return (buffer, Err(broken)),
            }
        }
        (buffer, Ok(()))
    }

    /// Sends all of the gathered `parts` and gives their memory back.
    pub(crate) fn send_gathered(&self, mut parts: Vectored) -> (Vectored, Result<(), Broken>) {
        let mut transfer = Transfer::default();
        while !parts.is_empty() {
            let completion = self.run(Operation::send_vectored(self.descriptor(), parts, SEND));
            let moved = self.settle(completion.result, &mut transfer);
            parts = completion
                .buffer
                .and_then(|buffer| buffer.into_vectored().ok())
                .unwrap_or_default();
            match moved {
                Ok(moved) => parts.advance(moved.unwrap_or(0)),
                Err(broken) => return (parts, Err(broken)),
            }
        }
        (parts, Ok(()))
    }

    /// Sends all of `head` and `length` bytes of `file` from `offset` on, and gives the head's memory back.
    ///
    /// Both go into one batch as a chain, and the kernel is told with the head that more follows, so that the two leave
    /// in common segments.
    pub(crate) fn send_file(
        &self,
        head: Buffer,
        file: &Arc<OwnedFd>,
        offset: u64,
        length: u64,
    ) -> (Buffer, Result<(), Broken>) {
        let mut transfer = Transfer::default();
        let flags = SEND | MsgFlags::MORE;
        self.push(Operation::send(self.descriptor(), head, flags).linked());
        self.push(self.sendfile(file, offset, length));
        // Both are taken before anything else is waited for: no completion may be left when this returns.
        let (sent_head, sent_file) = (self.completion(), self.completion());
        let mut head = sent_head.buffer.unwrap_or_default();
        let outcome = match self.settle(sent_head.result, &mut transfer) {
            Ok(moved) => {
                head.advance(moved.unwrap_or(0));
                let (rest, outcome) = self.send_rest(head, flags, &mut transfer);
                head = rest;
                outcome
            }
            Err(broken) => Err(broken),
        };
        let outcome = outcome.and_then(|()| {
            let mut sent = self.settle_file(sent_file.result, &mut transfer)?;
            while sent < length {
                let completion = self.run(self.sendfile(file, offset + sent, length - sent));
                sent += self.settle_file(completion.result, &mut transfer)?;
            }
            Ok(())
        });
        (head, outcome)
    }

    fn sendfile(&self, file: &Arc<OwnedFd>, offset: u64, length: u64) -> Operation {
        let file = Descriptor::shared(Arc::clone(file));
        Operation::sendfile(self.descriptor(), file, offset, length.min(FILE_PIECE))
    }

    /// Bytes of a file that were sent. A file that ends early has shrunk since its length was promised: the connection
    /// is cut, which is the only way left to say that the content is not whole.
    fn settle_file(&self, result: SysResult, transfer: &mut Transfer) -> Result<u64, Broken> {
        match self.settle(result, transfer)? {
            Some(0) => {
                self.broken.set(true);
                Err(Broken)
            }
            moved => Ok(moved.unwrap_or(0) as u64),
        }
    }

    /// The bytes that an operation moved; `None` when it is to be tried again, after waiting for room where it needs it.
    fn settle(&self, result: SysResult, transfer: &mut Transfer) -> Result<Option<usize>, Broken> {
        match result.into_result() {
            Ok(moved) => {
                transfer.moved += moved;
                Ok(Some(usize::try_from(moved).unwrap_or(usize::MAX)))
            }
            Err(Errno::EAGAIN) => {
                let started = *transfer.started.get_or_insert_with(|| {
                    // What filled the socket's buffer at once says nothing about the client.
                    transfer.moved = 0;
                    self.context.clock.now()
                });
                let deadline =
                    self.earned_deadline(started, self.context.settings.timeouts.write, transfer.moved);
                if matches!(self.park(Park::Writable(deadline)), Wake::TimedOut) {
                    self.broken.set(true);
                }
                if self.broken.get() { Err(Broken) } else { Ok(None) }
            }
            Err(Errno::EINTR | Errno::ECANCELED) => Ok(None),
            Err(_) => {
                self.broken.set(true);
                Err(Broken)
            }
        }
    }

    fn run(&self, operation: Operation) -> Completion {
        self.push(operation);
        self.completion()
    }

    fn push(&self, operation: Operation) {
        let token = u64::from(self.fd.unsigned_abs());
        let pushed = self.context.segment.borrow_mut().push(operation, token);
        // The segment refuses only what stands behind an entry that blocks, and no such entry is recorded here.
        debug_assert!(pushed.is_ok(), "an entry was refused");
    }

    fn completion(&self) -> Completion {
        loop {
            if let Wake::Completed(completion) = self.park(Park::Completion) {
                return completion;
            }
        }
    }

    fn park(&self, park: Park) -> Wake {
        let wake = self.yielder.suspend(park);
        if matches!(wake, Wake::Canceled) {
            self.broken.set(true);
        }
        wake
    }

    fn descriptor(&self) -> Descriptor {
        // SAFETY: `new` was promised that the socket stays open while this `Io` exists, and the coroutine that owns it
        // takes every completion before it ends.
        unsafe { Descriptor::raw(self.fd) }.assume_tcp()
    }

    fn socket(&self) -> BorrowedFd<'_> {
        // SAFETY: `new` was promised that the socket stays open while this `Io` exists.
        unsafe { BorrowedFd::borrow_raw(self.fd) }
    }
}

impl fmt::Debug for Io<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Io")
            .field("fd", &self.fd)
            .field("broken", &self.broken)
            .finish_non_exhaustive()
    }
}

/// A response on its way.
#[derive(Debug, Default)]
struct Transfer {
    /// When the client was first slow to take it.
    started: Option<u64>,
    /// Bytes since then.
    moved: u64,
}
