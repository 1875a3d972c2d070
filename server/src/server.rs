//! The server as a library: build it, run it, stop it.

use std::io;
use std::net::{SocketAddr, ToSocketAddrs};
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::thread;

use rustix::event::{EventfdFlags, eventfd};

use crate::route::Router;
use crate::settings::{Executor, Settings};
use crate::worker::Worker;
use crate::{Error, Handler, Limits, Timeouts, listen};

/// Collects what a [`Server`] needs.
///
/// Problems are reported by [`build`](Self::build), the first one found.
#[derive(Debug)]
pub struct Builder {
    addresses: Vec<SocketAddr>,
    workers: usize,
    pin: bool,
    settings: Settings,
    router: Router,
    problem: Option<Error>,
}

impl Default for Builder {
    fn default() -> Self {
        Self {
            addresses: Vec::new(),
            workers: thread::available_parallelism().map_or(1, usize::from),
            pin: true,
            settings: Settings::default(),
            router: Router::default(),
            problem: None,
        }
    }
}

impl Builder {
    /// Listens on `address` too. Without a call, the server listens on a free port of 127.0.0.1.
    #[must_use]
    pub fn listen(mut self, address: SocketAddr) -> Self {
        self.addresses.push(address);
        self
    }

    /// Listens on all addresses of a text such as `localhost:8080`.
    ///
    /// # Errors
    ///
    /// The system's error when the text is no address or its name cannot be resolved.
    pub fn listen_on(mut self, address: impl ToSocketAddrs) -> io::Result<Self> {
        self.addresses.extend(address.to_socket_addrs()?);
        Ok(self)
    }

    /// Runs this many event loops, each on a thread of its own: one a processor unless it is set. 1 to 1,024.
    #[must_use]
    pub const fn workers(mut self, workers: usize) -> Self {
        self.workers = workers;
        self
    }

    /// Whether each worker stays on one processor: yes unless it is set, where there is a processor for every worker.
    #[must_use]
    pub const fn pin(mut self, pin: bool) -> Self {
        self.pin = pin;
        self
    }

    /// Sets how long each phase of a connection may take.
    #[must_use]
    pub fn timeouts(mut self, timeouts: Timeouts) -> Self {
        self.settings.timeouts = timeouts;
        self
    }

    /// Sets how much a client may ask for.
    #[must_use]
    pub fn limits(mut self, limits: Limits) -> Self {
        self.settings.limits = limits;
        self
    }

    /// Sets what runs the batches of system calls.
    #[must_use]
    pub const fn executor(mut self, executor: Executor) -> Self {
        self.settings.executor = executor;
        self
    }

    /// Answers `path` and everything below it by `handler`. The longest matching path wins, and it matches only at a
    /// slash: `/static` takes `/static/x` but not `/statics`.
    #[must_use]
    pub fn route(mut self, path: &str, handler: impl Handler) -> Self {
        if let Err(problem) = self.router.insert(path, Arc::new(handler)) {
            self.problem.get_or_insert(problem);
        }
        self
    }

    /// Finds what is wrong before anything is bound: the problem that [`build`](Self::build) would report first, apart from
    /// those of addresses.
    ///
    /// # Errors
    ///
    /// An [`Error`] that names the route, setting or executor that is at fault.
    pub fn check(mut self) -> Result<Self, Error> {
        if let Some(problem) = self.problem.take() {
            return Err(problem);
        }
        let limits = &self.settings.limits;
        in_range("workers", self.workers, 1..=1024)?;
        in_range("limits.head", limits.head, Limits::HEAD)?;
        in_range("limits.stack", limits.stack, Limits::STACK)?;
        in_range("limits.connections", limits.connections, 1..=usize::MAX)?;
        // Each worker sets up its own; whether it can be set up is found out here.
        let usable = self.settings.executor.check();
        usable.map_err(|source| Error::Executor { source })?;
        Ok(self)
    }

    /// Binds the addresses.
    ///
    /// # Errors
    ///
    /// An [`Error`] that names the address, route or setting that is at fault.
    pub fn build(self) -> Result<Server, Error> {
        self.check()?.bind()
    }

    fn bind(mut self) -> Result<Server, Error> {
        if self.addresses.is_empty() {
            self.addresses.push(SocketAddr::from(([127, 0, 0, 1], 0)));
        }
        let mut listeners: Vec<Vec<OwnedFd>> = (0..self.workers).map(|_| Vec::new()).collect();
        let mut addresses = Vec::with_capacity(self.addresses.len());
        for address in self.addresses {
            let (bound, address) =
                listen::bind(address, self.workers).map_err(|source| Error::Listen { address, source })?;
            addresses.push(address);
            for (worker, listener) in listeners.iter_mut().zip(bound) {
                worker.push(listener);
            }
        }
        let stops = (0..self.workers)
            .map(|_| eventfd(0, EventfdFlags::NONBLOCK | EventfdFlags::CLOEXEC).map(Arc::new))
            .collect::<Result<Vec<_>, _>>()
            .map_err(Error::system("make an eventfd"))?;
        Ok(Server {
            router: Arc::new(self.router),
            settings: self.settings,
            listeners,
            addresses,
            stop: StopHandle { events: stops.into() },
            pin: self.pin,
        })
    }

    /// The routes with what answers them, in the order in which they are tried.
    #[must_use]
    pub fn routes(&self) -> Vec<(String, String)> {
        self.router.describe()
    }
}

fn in_range(name: &'static str, value: usize, range: core::ops::RangeInclusive<usize>) -> Result<(), Error> {
    let (min, max) = (*range.start(), *range.end());
    if range.contains(&value) {
        Ok(())
    } else {
        Err(Error::Setting {
            name,
            value,
            min,
            max,
        })
    }
}

/// A server that is bound to its addresses: connections queue from here on, and [`run`](Self::run) answers them.
///
/// ```
/// use anglerfish::{Request, Response, Server};
///
/// fn hello(_: &mut Request<'_>) -> Response {
///     Response::text("hello\n")
/// }
///
/// let server = Server::builder().workers(1).route("/hello", hello).build()?;
/// let stop = server.stop_handle();
/// let running = std::thread::spawn(move || server.run());
/// stop.stop();
/// running.join().unwrap()?;
/// # Ok::<(), anglerfish::Error>(())
/// ```
#[derive(Debug)]
pub struct Server {
    router: Arc<Router>,
    settings: Settings,
    listeners: Vec<Vec<OwnedFd>>,
    addresses: Vec<SocketAddr>,
    stop: StopHandle,
    pin: bool,
}

impl Server {
    /// A builder with the defaults.
    #[must_use]
    pub fn builder() -> Builder {
        Builder::default()
    }

    /// The addresses that the server listens on, with the ports that were given out for port 0.
    #[must_use]
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// What stops the server from another thread.
    #[must_use]
    pub fn stop_handle(&self) -> StopHandle {
        self.stop.clone()
    }

    /// Answers requests until the server is stopped, then lets those under way end.
    ///
    /// # Errors
    ///
    /// The first error that ended a worker; the others are stopped then.
    pub fn run(self) -> Result<(), Error> {
        let cpus = if self.pin {
            processors_for(self.listeners.len())
        } else {
            Vec::new()
        };
        let (router, settings, stop) = (&self.router, &self.settings, &self.stop);
        let mut outcomes = Vec::new();
        thread::scope(|scope| {
            let workers: Vec<_> = self
                .listeners
                .into_iter()
                .enumerate()
                .map(|(index, listeners)| {
                    let cpu = cpus.get(index).copied();
                    let event = Arc::clone(&stop.events[index]);
                    thread::Builder::new()
                        .name(format!("worker-{index}"))
                        .spawn_scoped(scope, move || {
                            // A worker that ends for whatever reason takes the others with it: a server that answers on a
                            // part of its listeners looks healthy and is not.
                            let _last = StopOnDrop(stop);
                            pin_to(cpu);
                            Worker::new(Arc::clone(router), settings.clone(), listeners, event)?.run()
                        })
                })
                .collect();
            for worker in workers {
                outcomes.push(match worker {
                    Ok(worker) => worker.join().unwrap_or(Err(Error::Worker)),
                    Err(source) => {
                        stop.stop();
                        Err(Error::System {
                            action: "start a worker's thread",
                            source,
                        })
                    }
                });
            }
        });
        outcomes.into_iter().collect()
    }
}

/// One processor for each of `workers`, or none where there are not enough or no choice.
fn processors_for(workers: usize) -> Vec<usize> {
    let Ok(allowed) = rustix::thread::sched_getaffinity(None) else {
        return Vec::new();
    };
    let cpus: Vec<usize> = (0..rustix::thread::CpuSet::MAX_CPU)
        .filter(|&cpu| allowed.is_set(cpu))
        .collect();
    if workers < 2 || cpus.len() < workers {
        Vec::new()
    } else {
        cpus
    }
}

fn pin_to(cpu: Option<usize>) {
    let Some(cpu) = cpu else { return };
    let mut set = rustix::thread::CpuSet::new();
    set.set(cpu);
    if let Err(error) = rustix::thread::sched_setaffinity(None, &set) {
        tracing::warn!("cannot pin a worker to processor {cpu}: {error}");
    }
}

struct StopOnDrop<'a>(&'a StopHandle);

impl Drop for StopOnDrop<'_> {
    fn drop(&mut self) {
        self.0.stop();
    }
}

/// Stops a running [`Server`], from any thread and more than once.
#[derive(Clone, Debug)]
pub struct StopHandle {
    events: Arc<[Arc<OwnedFd>]>,
}

impl StopHandle {
    /// Asks all workers to end: they accept nothing more, finish the requests under way and close idle connections.
    pub fn stop(&self) {
        for event in &*self.events {
            // Full means that it has been signalled already.
            let _full = rustix::io::write(event, &1u64.to_ne_bytes());
        }
    }
}
