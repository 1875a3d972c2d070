//! A server inside the test.

use std::net::SocketAddr;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use anglerfish::{BodyError, Builder, Error, Request, Response, Server, Status, StopHandle};

use crate::client::{Client, Failure, get};

/// A server on a thread of its own, stopped when it is dropped.
#[derive(Debug)]
pub struct Running {
    address: SocketAddr,
    stop: StopHandle,
    thread: Option<JoinHandle<Result<(), Error>>>,
}

impl Running {
    /// Starts what `builder` describes on a free port.
    ///
    /// # Panics
    ///
    /// When the server cannot be built.
    pub fn start(builder: Builder) -> Self {
        let server = builder.build().expect("a server");
        let address = *server.addresses().first().expect("an address");
        let stop = server.stop_handle();
        let thread = Some(thread::spawn(move || server.run()));
        Self {
            address,
            stop,
            thread,
        }
    }

    /// Where it listens.
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// A connection to it.
    pub fn client(&self) -> Client {
        Client::connect(self.address)
    }

    /// What stops it.
    pub fn stop_handle(&self) -> StopHandle {
        self.stop.clone()
    }

    /// Stops it and says how long that took.
    ///
    /// # Panics
    ///
    /// When it ends with an error.
    pub fn stop(mut self) -> Duration {
        let begin = Instant::now();
        self.stop.stop();
        self.join().expect("the server ends without an error");
        begin.elapsed()
    }

    fn join(&mut self) -> Result<(), Error> {
        match self.thread.take() {
            Some(thread) => thread.join().expect("the server does not panic"),
            None => Ok(()),
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.stop.stop();
        if thread::panicking() {
            return;
        }
        self.join().expect("the server ends without an error");
    }
}

/// A builder with one worker and a handful of routes:
///
/// | path | answer |
/// |---|---|
/// | `/ping`, `/next` | `pong`, `next` |
/// | `/show` | the request's method, path, tail and query |
/// | `/echo` | the request's content |
/// | `/ignore` | `ignored`, and leaves the content unread |
/// | `/large` | [`large`] |
/// | `/empty` | `204` |
/// | `/panic` | a panic |
pub fn standard() -> Builder {
    Server::builder()
        .workers(1)
        .pin(false)
        .route("/ping", |_: &mut Request<'_>| "pong")
        .route("/next", |_: &mut Request<'_>| "next")
        .route("/show", show)
        .route("/echo", echo)
        .route("/ignore", |_: &mut Request<'_>| "ignored")
        .route("/large", |_: &mut Request<'_>| Response::bytes(large()))
        .route("/empty", |_: &mut Request<'_>| Status::NO_CONTENT)
        .route("/panic", panics)
}

fn show(request: &mut Request<'_>) -> String {
    let (path, tail) = (request.path(), request.tail());
    format!("{} {path} {tail} {:?}", request.method(), request.query())
}

fn echo(request: &mut Request<'_>) -> Result<Response, BodyError> {
    Ok(Response::bytes(request.body().read_to_vec()?))
}

fn panics(_: &mut Request<'_>) -> Response {
    panic!("on purpose")
}

/// Content that does not fit into one part of a message: 300,000 bytes, no two places alike.
pub fn large() -> Vec<u8> {
    pattern(300_000)
}

/// `length` bytes in which a shift, a repetition or an exchange shows.
pub fn pattern(length: usize) -> Vec<u8> {
    (0..length as u64)
        .map(|at| (at.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 56) as u8)
        .collect()
}

/// Tells that a server with one worker has dealt with all that was sent to it before.
///
/// The worker takes events in the order of their arrival, so when it has answered a question, it has read what came
/// before the question. Thus a test decides what the server reads at once, without sleeping.
#[derive(Debug)]
pub struct Barrier(Client);

impl Barrier {
    /// For a server that answers `/ping`.
    pub fn new(server: &Running) -> Self {
        Self(server.client())
    }

    /// Waits until the server has read what it was sent.
    ///
    /// # Panics
    ///
    /// When the server does not answer.
    pub fn wait(&mut self) {
        assert!(self.try_wait(), "the server does not answer");
    }

    /// As [`wait`](Self::wait); false when the server stops, which shows as the end of this idle connection.
    ///
    /// # Panics
    ///
    /// When there is an answer that is wrong.
    pub fn try_wait(&mut self) -> bool {
        // Twice: what a turn leaves to the next one is done as well.
        for _ in 0..2 {
            self.0.send(get("/ping", ""));
            match self.0.try_response("GET") {
                Ok(response) => assert_eq!(response.text(), "pong"),
                Err(failure) => {
                    assert_eq!(failure, Failure::Nothing);
                    return false;
                }
            }
        }
        true
    }
}

/// Opens a connection for each list of pieces and sends the first piece of each, then the second of each, and so on; the
/// server has read every piece before the next one of its connection is sent.
///
/// # Panics
///
/// When the server does not take them.
pub fn send_in_step(server: &Running, streams: &[Vec<&[u8]>]) -> Vec<Client> {
    let mut barrier = Barrier::new(server);
    let mut clients: Vec<Client> = streams.iter().map(|_| server.client()).collect();
    barrier.wait();
    let rounds = streams.iter().map(Vec::len).max().unwrap_or(0);
    for round in 0..rounds {
        for (client, pieces) in clients.iter_mut().zip(streams) {
            if let Some(piece) = pieces.get(round) {
                client.send(piece);
            }
        }
        barrier.wait();
    }
    clients
}

/// All ways to cut `bytes`: whole, byte by byte, and in two at every place.
pub fn all_cuts(bytes: &[u8]) -> Vec<Vec<&[u8]>> {
    let mut ways = vec![vec![bytes], bytes.chunks(1).collect()];
    ways.extend((1..bytes.len()).map(|at| vec![&bytes[..at], &bytes[at..]]));
    ways
}
