//! The body of a request.

use core::fmt;
use std::io;

use crate::http::body::Decoder;
use crate::http::head::Head;
use crate::session::{Io, RecvError};
use crate::{IntoResponse, Response, Status};

/// Bytes read at once of a chunked body, whose end can only be seen after decoding.
const CHUNKED_READ: usize = 4096;

/// A request's body, read as if that blocked: the coroutine waits, its worker goes on.
///
/// What a handler leaves unread is thrown away by the server, or the connection is closed.
pub struct Body<'a> {
    io: &'a Io<'a>,
    decoder: Decoder,
    /// What came with the head and is not consumed yet.
    prefetched: &'a [u8],
    /// What was read past a chunked body's end, or not decoded yet.
    spill: Vec<u8>,
    spilled: usize,
    expects_continue: bool,
    taken: u64,
    started: Option<u64>,
    failed: Option<BodyError>,
}

impl<'a> Body<'a> {
    pub(crate) const fn new(io: &'a Io<'a>, head: &Head<'_>, prefetched: &'a [u8]) -> Self {
        Self {
            io,
            decoder: Decoder::new(head.framing),
            prefetched,
            spill: Vec::new(),
            spilled: 0,
            expects_continue: head.expects_continue,
            taken: 0,
            started: None,
            failed: None,
        }
    }

    /// Bytes still to come, `None` where the client does not say (chunked).
    #[must_use]
    pub const fn remaining(&self) -> Option<u64> {
        self.decoder.remaining()
    }

    /// Reads some bytes to `buffer`; 0 at the body's end, or for an empty `buffer`.
    ///
    /// # Errors
    ///
    /// [`BodyError`], and the same again at each later call. It converts to a response.
    pub fn read(&mut self, buffer: &mut [u8]) -> Result<usize, BodyError> {
        match self.failed {
            Some(error) => Err(error),
            None => self.fill(buffer).inspect_err(|&error| self.failed = Some(error)),
        }
    }

    /// Reads the whole body.
    ///
    /// # Errors
    ///
    /// As for [`read`](Self::read); [`BodyError::TooLarge`] past the server's limit for bodies.
    pub fn read_to_vec(&mut self) -> Result<Vec<u8>, BodyError> {
        let mut content = Vec::new();
        if let Some(length) = self.remaining().and_then(|length| usize::try_from(length).ok()) {
            // The server's limit for bodies was held against an announced length before the handler ran.
            content.reserve_exact(length);
        }
        let mut piece = [0; 4096];
        loop {
            match self.read(&mut piece)? {
                0 => return Ok(content),
                count => content.extend_from_slice(&piece[..count]),
            }
        }
    }

    fn fill(&mut self, buffer: &mut [u8]) -> Result<usize, BodyError> {
        while !buffer.is_empty() && !self.decoder.is_done() {
            let count = if self.prefetched.is_empty() {
                self.fill_from_socket(buffer)?
            } else {
                self.fill_from_head(buffer)?
            };
            if count > 0 {
                self.taken += count as u64;
                let limit = self.io.context().settings.limits.body;
                return if self.taken > limit {
                    Err(BodyError::TooLarge { limit })
                } else {
                    Ok(count)
                };
            }
        }
        Ok(0)
    }

    fn fill_from_head(&mut self, buffer: &mut [u8]) -> Result<usize, BodyError> {
        let progress = self
            .decoder
            .decode(self.prefetched, buffer)
            .map_err(|_| BodyError::Malformed)?;
        self.prefetched = &self.prefetched[progress.consumed..];
        Ok(progress.produced)
    }

    fn fill_from_socket(&mut self, buffer: &mut [u8]) -> Result<usize, BodyError> {
        if core::mem::take(&mut self.expects_continue) {
            self.io.send_continue().map_err(|_| BodyError::Disconnected)?;
        }
        let started = *self.started.get_or_insert_with(|| self.io.context().clock.now());
        let deadline = self
            .io
            .earned_deadline(started, self.io.context().settings.timeouts.body, self.taken);
        if let Some(left) = self.decoder.remaining() {
            let room = buffer.len().min(usize::try_from(left).unwrap_or(usize::MAX));
            let count = self.io.recv(&mut buffer[..room], deadline)?;
            self.decoder.received(count as u64);
            return Ok(count);
        }
        if self.spilled == self.spill.len() {
            if self.spill.capacity() == 0 {
                self.spill = self.io.context().take_buffer(CHUNKED_READ);
            }
            self.spilled = 0;
            self.spill.resize(CHUNKED_READ, 0);
            let received = self.io.recv(&mut self.spill, deadline);
            self.spill.truncate(*received.as_ref().unwrap_or(&0));
            received?;
        }
        let progress = self
            .decoder
            .decode(&self.spill[self.spilled..], buffer)
            .map_err(|_| BodyError::Malformed)?;
        self.spilled += progress.consumed;
        Ok(progress.produced)
    }

    pub(crate) const fn io(&self) -> &'a Io<'a> {
        self.io
    }

    /// Whether the client still waits to be told to send the body.
    pub(crate) const fn awaits_continue(&self) -> bool {
        self.expects_continue && !self.decoder.is_done()
    }

    pub(crate) const fn is_done(&self) -> bool {
        self.decoder.is_done()
    }

    pub(crate) const fn failure(&self) -> Option<BodyError> {
        self.failed
    }

    /// Reads and drops up to `limit` bytes; whether that reached the end.
    pub(crate) fn drain(&mut self, limit: u64) -> bool {
        let end = self.taken.saturating_add(limit);
        let mut dropped = [0; 4096];
        while !self.is_done() {
            if self.taken > end || !matches!(self.read(&mut dropped), Ok(1..)) {
                break;
            }
        }
        self.is_done() && self.failed.is_none()
    }

    /// What was received behind the body: so many bytes at the end of what came with the head, or a buffer of its own.
    pub(crate) fn into_rest(self) -> Rest {
        if self.spill.is_empty() {
            Rest::Prefetched(self.prefetched.len())
        } else {
            let mut spill = self.spill;
            spill.drain(..self.spilled);
            Rest::Read(spill)
        }
    }
}

/// Bytes received behind a body.
#[derive(Debug)]
pub(crate) enum Rest {
    Prefetched(usize),
    Read(Vec<u8>),
}

impl io::Read for Body<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        Body::read(self, buffer).map_err(io::Error::from)
    }
}

impl fmt::Debug for Body<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Body")
            .field("taken", &self.taken)
            .field("decoder", &self.decoder)
            .finish_non_exhaustive()
    }
}

/// Why a body could not be read to its end. The connection closes after the response.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum BodyError {
    /// More than the server's limit for bodies.
    TooLarge {
        /// The limit in bytes.
        limit: u64,
    },
    /// The chunked framing is broken.
    Malformed,
    /// The client was slower than the server's limits allow.
    TimedOut,
    /// The client is gone, or the server stops.
    Disconnected,
}

impl fmt::Display for BodyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLarge { limit } => write!(f, "the request's body is larger than {limit} bytes"),
            Self::Malformed => f.write_str("the request's chunked body is malformed"),
            Self::TimedOut => f.write_str("the request's body did not arrive in time"),
            Self::Disconnected => f.write_str("the connection ended before the request's body did"),
        }
    }
}

impl core::error::Error for BodyError {}

impl From<RecvError> for BodyError {
    fn from(error: RecvError) -> Self {
        match error {
            RecvError::TimedOut => Self::TimedOut,
            RecvError::Disconnected => Self::Disconnected,
        }
    }
}

impl From<BodyError> for io::Error {
    fn from(error: BodyError) -> Self {
        let kind = match error {
            BodyError::TooLarge { .. } => io::ErrorKind::FileTooLarge,
            BodyError::Malformed => io::ErrorKind::InvalidData,
            BodyError::TimedOut => io::ErrorKind::TimedOut,
            BodyError::Disconnected => io::ErrorKind::UnexpectedEof,
        };
        Self::new(kind, error)
    }
}

impl BodyError {
    pub(crate) const fn status(self) -> Status {
        match self {
            Self::TooLarge { .. } => Status::CONTENT_TOO_LARGE,
            Self::TimedOut => Status::REQUEST_TIMEOUT,
            Self::Malformed | Self::Disconnected => Status::BAD_REQUEST,
        }
    }
}

impl IntoResponse for BodyError {
    fn into_response(self) -> Response {
        Response::page(self.status()).with_close()
    }
}
