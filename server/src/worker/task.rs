//! The life of a coroutine: it answers the requests that have arrived whole, in order, and ends.

use core::mem::MaybeUninit;
use std::os::fd::RawFd;
use std::panic::{AssertUnwindSafe, catch_unwind};

use coro_asm::{Coroutine, PooledStack, Yielder};
use esca_sys::{Buffer, Vectored};

use crate::body::Rest;
use crate::http::head::{self, Head, MAX_FIELDS};
use crate::http::scan::{Scan, scan};
use crate::response::Content;
use crate::route::Router;
use crate::session::encode::{self, Delivery};
use crate::session::{Broken, Context, Io, Park, Wake};
use crate::{Body, Handler, Request, Response, Status};

/// A connection's coroutine.
pub(crate) type Task = Coroutine<Wake, Park, End, PooledStack>;

/// Content up to this size is copied behind its head; a copy costs less than a second part of a message.
const COPY_LIMIT: u64 = 8 * 1024;
/// Responses to pipelined requests are collected up to this size.
const COLLECT_LIMIT: usize = 32 * 1024;
/// Room for a head and a small content.
const OUT_CAPACITY: usize = 2048;
/// An unread body is read and dropped up to this size, past which the connection is closed instead.
const DRAIN_LIMIT: u64 = 64 * 1024;

/// What becomes of the connection.
#[derive(Debug)]
pub(crate) enum End {
    /// Another request may come.
    KeepAlive {
        /// The start of its head, if some has arrived.
        received: Vec<u8>,
        /// Where the scan for the head's end goes on.
        scanned: usize,
        /// An event may have been used up, so that the socket has to be looked at.
        readable: bool,
    },
    /// The last response is out. Bytes may be left that the client sent.
    Linger,
    /// Nothing more can be said.
    Close,
}

/// Answers what `input` holds, in which a scan found `first`. The body of each connection's coroutine.
///
/// # Safety
///
/// - `fd` is a connection's socket and stays open until the coroutine has ended.
pub(crate) unsafe fn serve(
    context: &Context,
    router: &Router,
    fd: RawFd,
    input: Vec<u8>,
    first: Scan,
    yielder: &Yielder<Wake, Park>,
) -> End {
    // SAFETY: the caller promises that the socket stays open, and the `Io` does not leave this function.
    let io = unsafe { Io::new(yielder, context, fd) };
    let mut session = Session {
        context,
        router,
        io: &io,
        out: context.take_buffer(OUT_CAPACITY),
    };
    let end = session.answer_all(input, first);
    context.give_buffer(session.out);
    end
}

/// The requests of one run.
struct Session<'a> {
    context: &'a Context,
    router: &'a Router,
    io: &'a Io<'a>,
    /// Responses that have not been sent yet.
    out: Vec<u8>,
}

/// After one request.
enum Next {
    Request(Rest),
    Linger,
    Close,
}

impl Session<'_> {
    fn answer_all(&mut self, mut input: Vec<u8>, first: Scan) -> End {
        let mut at = 0;
        let mut found = Some(first);
        loop {
            let rest = &input[at..];
            let next = match found.take().unwrap_or_else(|| scan(rest, 0)) {
                Scan::Complete { len } if len <= self.context.settings.limits.head => {
                    let (head, behind) = rest.split_at(len);
                    self.answer(head, behind)
                }
                Scan::Complete { .. } => self.refuse(too_large(rest, self.context.settings.limits.head)),
                Scan::Malformed => self.refuse(Status::BAD_REQUEST),
                Scan::Partial { .. } if rest.len() > self.context.settings.limits.head => {
                    self.refuse(too_large(rest, self.context.settings.limits.head))
                }
                Scan::Partial { resume } => {
                    if self.flush().is_err() {
                        return End::Close;
                    }
                    return self.keep_alive(input, at, resume);
                }
            };
            match next {
                Next::Request(Rest::Prefetched(left)) => at = input.len() - left,
                Next::Request(Rest::Read(spill)) => {
                    self.context.give_buffer(core::mem::replace(&mut input, spill));
                    at = 0;
                }
                Next::Linger => {
                    return if self.flush().is_ok() {
                        End::Linger
                    } else {
                        End::Close
                    };
                }
                Next::Close => return End::Close,
            }
        }
    }

    /// Leaves the bytes from `at` on for the next coroutine, in a buffer of their size.
    fn keep_alive(&self, input: Vec<u8>, at: usize, scanned: usize) -> End {
        let rest = &input[at..];
        let mut received = Vec::new();
        if !rest.is_empty() {
            received = self.context.take_buffer(rest.len());
            received.extend_from_slice(rest);
        }
        self.context.give_buffer(input);
        End::KeepAlive {
            received,
            scanned,
            readable: self.io.has_received(),
        }
    }

    fn answer(&mut self, head: &[u8], behind: &[u8]) -> Next {
        let mut fields = [const { MaybeUninit::uninit() }; MAX_FIELDS];
        let head = match head::parse(head, &mut fields) {
            Ok(head) => head,
            Err(status) => return self.refuse(status),
        };
        if head.announces_more_than(self.context.settings.limits.body) {
            return self.refuse(Status::CONTENT_TOO_LARGE);
        }
        let body = Body::new(self.io, &head, behind);
        let (response, mut body) = match self.router.find(&head.target.path) {
            Some((handler, route)) => {
                // Earlier responses go out before a handler that has to wait for its own body.
                if !body.is_done() && self.flush().is_err() {
                    return Next::Close;
                }
                run_handler(handler, Request::new(&head, route, body))
            }
            // A question about the server as a whole (RFC 9110, section 9.3.7).
            None if head.target.path == "*" => (Response::new(Status::NO_CONTENT), body),
            None => (Response::page(Status::NOT_FOUND), body),
        };
        if self.io.is_broken() {
            return Next::Close;
        }
        let unread_too_much =
            body.awaits_continue() || body.remaining().is_some_and(|left| left > DRAIN_LIMIT);
        let keep_alive = head.keep_alive
            && !response.close
            && !self.context.stopping.get()
            && body.failure().is_none()
            && (body.is_done() || !unread_too_much);
        if self.respond(&head, response, keep_alive).is_err() {
            return Next::Close;
        }
        if !keep_alive {
            return Next::Linger;
        }
        if !body.is_done() && (self.flush().is_err() || !body.drain(DRAIN_LIMIT)) {
            return Next::Linger;
        }
        Next::Request(body.into_rest())
    }

    /// Answers what was not understood; nothing says where a next request would start.
    fn refuse(&mut self, status: Status) -> Next {
        let response = Response::page(status);
        let delivery = Delivery {
            keep_alive: false,
            http_1_0: false,
        };
        encode::head(&mut self.out, &response, delivery, &self.context.clock.date());
        match self.send_content(response.content) {
            Ok(()) => Next::Linger,
            Err(Broken) => Next::Close,
        }
    }

    fn respond(&mut self, head: &Head<'_>, response: Response, keep_alive: bool) -> Result<(), Broken> {
        let delivery = Delivery {
            keep_alive,
            http_1_0: head.http_1_0,
        };
        self.context.reserve(&mut self.out, OUT_CAPACITY / 2);
        encode::head(&mut self.out, &response, delivery, &self.context.clock.date());
        if head.method == "HEAD" || !response.status.allows_content() {
            return self.collect(b"");
        }
        self.send_content(response.content)
    }

    /// Puts content behind the head that stands at the end of `out`, and sends both unless they are small.
    fn send_content(&mut self, content: Content) -> Result<(), Broken> {
        match content {
            Content::Static(bytes) if bytes.len() as u64 <= COPY_LIMIT => self.collect(bytes),
            Content::Owned(bytes) if bytes.len() as u64 <= COPY_LIMIT => self.collect(&bytes),
            Content::Shared(bytes) if bytes.len() as u64 <= COPY_LIMIT => self.collect(&bytes),
            Content::Static(bytes) => self.send_with(bytes.into()),
            Content::Owned(bytes) => self.send_with(bytes.into()),
            Content::Shared(bytes) => self.send_with(bytes.into()),
            Content::File { file, offset, length } => {
                let head = core::mem::take(&mut self.out);
                let (head, outcome) = self.io.send_file(head.into(), &file, offset, length);
                self.take_back(head);
                outcome
            }
        }
    }

    fn collect(&mut self, bytes: &[u8]) -> Result<(), Broken> {
        self.context.reserve(&mut self.out, bytes.len());
        self.out.extend_from_slice(bytes);
        if self.out.len() >= COLLECT_LIMIT {
            self.flush()
        } else {
            Ok(())
        }
    }

    fn send_with(&mut self, content: Buffer) -> Result<(), Broken> {
        let mut parts = Vectored::new();
        let head: Buffer = core::mem::take(&mut self.out).into();
        for part in [head, content] {
            // Two plain buffers always fit.
            parts.push(part).map_err(|_| Broken)?;
        }
        let (_, outcome) = self.io.send_gathered(parts);
        self.out = self.context.take_buffer(OUT_CAPACITY);
        outcome
    }

    fn flush(&mut self) -> Result<(), Broken> {
        if self.out.is_empty() {
            return Ok(());
        }
        let (buffer, outcome) = self.io.send(core::mem::take(&mut self.out).into());
        self.take_back(buffer);
        outcome
    }

    fn take_back(&mut self, buffer: Buffer) {
        self.out = buffer.into_vec().unwrap_or_default();
        self.out.clear();
    }
}

/// The handler's response and what is left of the body. A panic is a response too.
fn run_handler<'a>(handler: &dyn Handler, mut request: Request<'a>) -> (Response, Body<'a>) {
    // A handler that panicked is not asked about its state again: the request ends here.
    let outcome = catch_unwind(AssertUnwindSafe(|| handler.handle(&mut request)));
    let response = outcome.unwrap_or_else(|_| {
        tracing::error!(path = request.path(), "a handler panicked");
        Response::page(Status::INTERNAL_SERVER_ERROR).with_close()
    });
    (response, request.into_body())
}

/// `414` when the request line alone is over the limit, else `431`.
fn too_large(received: &[u8], limit: usize) -> Status {
    let line = memchr::memchr(b'\n', received).unwrap_or(received.len());
    if line > limit {
        Status::URI_TOO_LONG
    } else {
        Status::REQUEST_HEADER_FIELDS_TOO_LARGE
    }
}
