//! One event loop: it reads heads, runs coroutines, and flushes what they want written once a turn.

mod accept;
mod connection;
mod deadline;
mod reactor;
mod table;
mod task;

use core::mem::MaybeUninit;
use std::os::fd::{OwnedFd, RawFd};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use coro_asm::{Coroutine, CoroutineState, StackPool, StackPoolConfig};
use esca_sys::{Executor as _, Segment};
use rustix::event::epoll;
use rustix::io::Errno;
use rustix::net::RecvFlags;
use timing_wheel::Wheel;

use self::accept::Acceptor;
use self::connection::{Connection, Phase, Wait};
use self::reactor::{Reactor, Source};
use self::table::Table;
use self::task::{End, Task, serve};
use crate::Error;
use crate::http::scan::{Scan, scan};
use crate::route::Router;
use crate::session::{Context, Park, Wake};
use crate::settings::Settings;

/// Bytes that one read takes from a socket.
const READ: usize = 64 * 1024;
/// Entries of a batch; one turn rarely has more, and a full table flushes itself.
const BATCH: u32 = 512;
/// At a quiet moment, and not more often than this, in milliseconds, the memory of more than so many idle stacks is given
/// back to the system.
const TRIM_INTERVAL: u64 = 10_000;
const KEPT_STACKS: usize = 64;
/// How long a closed connection is listened to so that its peer sees the last response.
const LINGER: Duration = Duration::from_secs(2);

/// An event loop with its connections.
pub(crate) struct Worker {
    router: Arc<Router>,
    context: Rc<Context>,
    reactor: Reactor,
    acceptor: Acceptor,
    connections: Table,
    generation: u32,
    wheel: Wheel<RawFd>,
    stacks: StackPool,
    scratch: Box<[u8]>,
    /// Connections to look at in the next turn although no event will say so.
    again: Vec<(RawFd, u32)>,
    /// The tick from which idle stacks may be trimmed again.
    trim_at: u64,
    /// The tick at which the last requests are given up, once the worker stops.
    stop_at: Option<u64>,
}

impl Worker {
    /// A worker on `listeners`, which ends when `stop` is signalled.
    pub(crate) fn new(
        router: Arc<Router>,
        settings: Settings,
        listeners: Vec<OwnedFd>,
        stop: Arc<OwnedFd>,
    ) -> Result<Self, Error> {
        let executor = settings
            .executor
            .start()
            .map_err(|source| Error::Executor { source })?;
        let esca_sys::Description { name, why, .. } = executor.describe();
        tracing::info!("system calls in batches by {name}: {why}");
        let segment = Segment::new(executor, BATCH).map_err(|error| Error::System {
            action: "make a batch of system calls",
            source: std::io::Error::other(error),
        })?;
        let stacks = StackPool::new(StackPoolConfig::new(
            settings.limits.stack,
            settings.limits.connections,
        ))
        .map_err(|error| Error::System {
            action: "map stacks",
            source: std::io::Error::other(error),
        })?;
        let reactor = Reactor::new(stop).map_err(Error::system("make an epoll instance"))?;
        for (index, listener) in listeners.iter().enumerate() {
            reactor
                .watch_listener(listener, index)
                .map_err(Error::system("watch a listener"))?;
        }
        let acceptor = Acceptor::new(listeners).map_err(Error::system("open /dev/null"))?;
        Ok(Self {
            router,
            context: Rc::new(Context::new(settings, segment)),
            reactor,
            acceptor,
            connections: Table::default(),
            generation: 0,
            wheel: Wheel::new(0),
            stacks,
            scratch: vec![0; READ].into(),
            again: Vec::new(),
            trim_at: 0,
            stop_at: None,
        })
    }

    /// Answers requests until the worker is stopped and the last of them is done.
    pub(crate) fn run(mut self) -> Result<(), Error> {
        let mut events = [const { MaybeUninit::uninit() }; 512];
        loop {
            let timeout = self.timeout();
            let ready = match self.reactor.wait(&mut events, timeout) {
                Ok(ready) => ready,
                Err(Errno::INTR) => continue,
                Err(error) => return Err(Error::system("wait for events")(error)),
            };
            self.context.clock.refresh();
            if ready.is_empty() && self.again.is_empty() {
                self.trim();
            }
            for (fd, generation) in core::mem::take(&mut self.again) {
                if let Some(connection) = self.connections.get_mut(fd)
                    && connection.generation == generation
                {
                    connection.readable = true;
                    self.advance(fd);
                }
            }
            for event in ready {
                match Source::of(event) {
                    Source::Stop => self.stop(),
                    Source::Listener(index) => self.accept(index),
                    Source::Connection { fd, generation } => self.on_event(fd, generation, event.flags),
                }
            }
            self.flush();
            self.expire();
            if self.is_done() {
                return Ok(());
            }
        }
    }

    /// Zero when something is to be done already, `None` when nothing will ever be without an event.
    fn timeout(&self) -> Option<Duration> {
        let pending = self.context.segment.borrow().pending() > 0;
        if pending || !self.again.is_empty() || self.wheel.has_due() {
            return Some(Duration::ZERO);
        }
        let bound = self.wheel.next_bound().into_iter().chain(self.stop_at).min()?;
        // One more than the difference: the clock was rounded down.
        Some(Duration::from_millis(
            bound.saturating_sub(self.context.clock.now()).saturating_add(1),
        ))
    }

    fn accept(&mut self, index: usize) {
        while let Some(socket) = self.acceptor.accept(index) {
            if self.connections.len() >= self.context.settings.limits.connections {
                accept::turn_away(&socket);
                continue;
            }
            self.generation = reactor::next_generation(self.generation);
            let connection = Connection::new(socket, self.generation);
            let fd = connection.fd();
            if let Err(error) = self.reactor.watch_connection(&connection) {
                tracing::error!("cannot watch a connection: {error}");
                continue;
            }
            self.connections.insert(fd, connection);
            self.arm(fd, self.context.clock.after(self.context.settings.timeouts.idle));
        }
    }

    fn on_event(&mut self, fd: RawFd, generation: u32, flags: epoll::EventFlags) {
        let Some(connection) = self.connections.get_mut(fd) else {
            return;
        };
        if connection.generation != generation {
            return;
        }
        let broken = flags.intersects(epoll::EventFlags::HUP | epoll::EventFlags::ERR);
        connection.hung_up |= broken || flags.contains(epoll::EventFlags::RDHUP);
        connection.readable |= broken || flags.intersects(epoll::EventFlags::IN | epoll::EventFlags::RDHUP);
        match &connection.phase {
            Phase::Running {
                wait: Wait::Readable, ..
            } if connection.readable => self.resume(fd, Wake::Ready),
            Phase::Running {
                wait: Wait::Writable, ..
            } if broken || flags.contains(epoll::EventFlags::OUT) => {
                self.resume(fd, Wake::Ready);
            }
            Phase::Running { .. } => {}
            Phase::Idle | Phase::Head { .. } | Phase::Lingering => self.advance(fd),
        }
    }

    /// Reads what has arrived on a connection that no coroutine runs for.
    fn advance(&mut self, fd: RawFd) {
        let Some(connection) = self.connections.get_mut(fd) else {
            return;
        };
        if !connection.readable || matches!(connection.phase, Phase::Running { .. }) {
            return;
        }
        let count = match rustix::net::recv(&connection.socket, &mut *self.scratch, RecvFlags::empty()) {
            Ok((0, _)) => return self.close(fd),
            Ok((count, _)) => count,
            Err(Errno::AGAIN) => {
                connection.readable = false;
                if connection.hung_up
                    || (self.context.stopping.get() && matches!(connection.phase, Phase::Idle))
                {
                    self.close(fd);
                }
                return;
            }
            Err(Errno::INTR) => return self.again.push((fd, connection.generation)),
            Err(_) => return self.close(fd),
        };
        // Less than was asked for: the socket is empty, and whatever arrives from now on is another event. Not so when
        // the peer has hung up, for which the event may have been this one.
        connection.readable = count == self.scratch.len() || connection.hung_up;
        if connection.readable {
            self.again.push((fd, connection.generation));
        }
        let received = &self.scratch[..count];
        match &mut connection.phase {
            Phase::Running { .. } | Phase::Lingering => {}
            Phase::Idle => match scan(received, 0) {
                Scan::Partial { resume } if count <= self.context.settings.limits.head => {
                    let mut head = self.context.take_buffer(count);
                    head.extend_from_slice(received);
                    connection.phase = Phase::Head {
                        received: head,
                        scanned: resume,
                    };
                    self.arm(fd, self.context.clock.after(self.context.settings.timeouts.head));
                }
                first => {
                    let mut input = self.context.take_buffer(count);
                    input.extend_from_slice(received);
                    self.start(fd, input, first);
                }
            },
            Phase::Head {
                received: head,
                scanned,
            } => {
                self.context.reserve(head, count);
                head.extend_from_slice(received);
                match scan(head, *scanned) {
                    Scan::Partial { resume } if head.len() <= self.context.settings.limits.head => {
                        *scanned = resume
                    }
                    first => {
                        let input = core::mem::take(head);
                        self.start(fd, input, first);
                    }
                }
            }
        }
    }

    /// Starts a coroutine for a head that is complete, or that is known to be refused. `first` is what the scan of
    /// `input` found.
    fn start(&mut self, fd: RawFd, input: Vec<u8>, first: Scan) {
        let stack = match self.stacks.acquire() {
            Ok(stack) => stack,
            Err(error) => {
                tracing::error!("no stack for a request: {error}");
                if let Some(connection) = self.connections.get_mut(fd) {
                    accept::turn_away(&connection.socket);
                }
                return self.close(fd);
            }
        };
        let (context, router) = (Rc::clone(&self.context), Arc::clone(&self.router));
        let task: Task = Coroutine::with_stack(stack, move |yielder, _start| {
            // SAFETY: a connection whose phase is `Running` is neither removed from the table nor closed, and it stays
            // `Running` until this coroutine has returned.
            unsafe { serve(&context, &router, fd, input, first, yielder) }
        });
        if let Some(connection) = self.connections.get_mut(fd) {
            connection.phase = Phase::Running {
                task,
                wait: Wait::Completion,
            };
            self.resume(fd, Wake::Start);
        }
    }

    /// Runs a connection's coroutine until it waits again or ends.
    fn resume(&mut self, fd: RawFd, wake: Wake) {
        let Some(connection) = self.connections.get_mut(fd) else {
            return;
        };
        let Phase::Running { task, wait } = &mut connection.phase else {
            return;
        };
        match task.resume(wake) {
            CoroutineState::Yielded(Park::Completion) => *wait = Wait::Completion,
            CoroutineState::Yielded(Park::Readable(deadline)) => {
                *wait = Wait::Readable;
                self.arm(fd, deadline);
            }
            CoroutineState::Yielded(Park::Writable(deadline)) => {
                *wait = Wait::Writable;
                self.arm(fd, deadline);
            }
            CoroutineState::Complete(end) => self.finish(fd, end),
        }
    }

    /// Puts a connection into the phase that its coroutine ended in; the coroutine's stack goes back to the pool.
    fn finish(&mut self, fd: RawFd, end: End) {
        let Some(connection) = self.connections.get_mut(fd) else {
            return;
        };
        match end {
            End::Close => {
                connection.phase = Phase::Idle;
                self.close(fd);
            }
            End::Linger => {
                connection.phase = Phase::Lingering;
                connection.readable = true;
                self.again.push((fd, connection.generation));
                if rustix::net::shutdown(&connection.socket, rustix::net::Shutdown::Write).is_err() {
                    return self.close(fd);
                }
                self.arm(fd, self.context.clock.after(LINGER));
            }
            End::KeepAlive {
                received,
                scanned,
                readable,
            } => {
                let timeouts = &self.context.settings.timeouts;
                let delay = if received.is_empty() {
                    connection.phase = Phase::Idle;
                    timeouts.idle
                } else {
                    connection.phase = Phase::Head { received, scanned };
                    timeouts.head
                };
                connection.readable |= readable || self.context.stopping.get();
                if connection.readable {
                    self.again.push((fd, connection.generation));
                }
                self.arm(fd, self.context.clock.after(delay));
            }
        }
    }

    /// Runs the batch once and resumes the coroutines whose entries are done. What they add waits for the next turn, so
    /// that one fast reader does not hold up all others.
    fn flush(&mut self) {
        let flushed = self.context.segment.borrow_mut().flush();
        if let Err(error) = flushed {
            tracing::error!("cannot run a batch: {error}");
        }
        loop {
            let completion = self.context.segment.borrow_mut().next_completion();
            let Some(completion) = completion else { return };
            let Ok(fd) = RawFd::try_from(completion.token) else {
                continue;
            };
            self.resume(fd, Wake::Completed(completion));
        }
    }

    /// What a burst of slow requests has touched is not needed once it is over.
    fn trim(&mut self) {
        let now = self.context.clock.now();
        if now >= self.trim_at && self.stacks.stats().idle > KEPT_STACKS {
            self.trim_at = now.saturating_add(TRIM_INTERVAL);
            self.stacks.trim();
        }
    }

    fn close(&mut self, fd: RawFd) {
        debug_assert!(
            !matches!(
                self.connections.get_mut(fd).map(|open| &open.phase),
                Some(Phase::Running { .. })
            ),
            "a connection is closed under its coroutine"
        );
        let Some(connection) = self.connections.remove(fd) else {
            return;
        };
        if let Some(timer) = connection.timer {
            // A timer that has fired meanwhile is gone already.
            let _stale = self.wheel.cancel(timer);
        }
        if let Phase::Head { received, .. } = connection.phase {
            self.context.give_buffer(received);
        }
    }

    /// Accepts nothing more, and ends each connection as soon as its request is answered.
    fn stop(&mut self) {
        if self.stop_at.is_some() {
            return;
        }
        self.stop_at = Some(self.context.clock.after(self.context.settings.timeouts.shutdown));
        self.context.stopping.set(true);
        // What has queued was promised an answer by the kernel's handshake.
        for index in 0..self.acceptor.listeners() {
            self.acceptor.take_all();
            self.accept(index);
        }
        self.acceptor.close();
        for fd in self.connections.descriptors() {
            let Some(connection) = self.connections.get_mut(fd) else {
                continue;
            };
            if matches!(connection.phase, Phase::Idle | Phase::Lingering) {
                connection.readable = true;
                self.again.push((fd, connection.generation));
            }
        }
    }

    /// Whether the worker was stopped and has nothing left to answer, or no time left for it.
    fn is_done(&mut self) -> bool {
        let Some(stop_at) = self.stop_at else { return false };
        if self.context.clock.now() >= stop_at {
            for fd in self.connections.descriptors() {
                self.cancel(fd);
            }
        }
        self.connections.len() == 0
    }

    /// Ends a connection whatever it waits for, but for a batch entry, which is done within the turn.
    fn cancel(&mut self, fd: RawFd) {
        loop {
            let Some(connection) = self.connections.get_mut(fd) else {
                return;
            };
            match &connection.phase {
                Phase::Running {
                    wait: Wait::Completion,
                    ..
                } => return,
                Phase::Running { .. } => self.resume(fd, Wake::Canceled),
                _ => return self.close(fd),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;
    use std::net::{SocketAddr, TcpStream};

    use rustix::event::{EventfdFlags, eventfd};

    use super::*;

    #[test]
    fn an_event_of_an_earlier_connection_is_not_taken_for_this_one() {
        let (listeners, address) =
            crate::listen::bind(SocketAddr::from(([127, 0, 0, 1], 0)), 1).expect("a free port");
        let stop = Arc::new(eventfd(0, EventfdFlags::empty()).expect("an eventfd"));
        let router = Arc::new(Router::default());
        let mut worker = Worker::new(router, Settings::default(), listeners, stop).expect("a worker");
        let mut client = TcpStream::connect(address).expect("a connection");
        client.write_all(b"GET / HT").expect("room to write");
        while worker.connections.len() == 0 {
            worker.accept(0);
        }
        let fd = worker.connections.descriptors()[0];
        let current = worker.generation;

        worker.on_event(fd, current - 1, epoll::EventFlags::IN);
        let phase = |worker: &mut Worker| match worker.connections.get_mut(fd).map(|open| &open.phase) {
            Some(Phase::Head { received, .. }) => Some(received.len()),
            _ => None,
        };
        assert_eq!(phase(&mut worker), None);

        worker.on_event(fd, current, epoll::EventFlags::IN);
        assert_eq!(phase(&mut worker), Some(8));
    }
}
