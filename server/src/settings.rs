//! What can be tuned, with the defaults.

use std::time::Duration;

use esca_sys::{AnyExecutor, ChoiceError};

/// How long each phase of a connection may take.
///
/// Every limit is on a phase as a whole, not on the gap between two reads, which one byte a minute would stretch for
/// ever. Bodies and responses earn time as they move, one second for each [`Limits::min_rate`] bytes, but never more than
/// their own limit ahead.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Timeouts {
    /// From a head's first byte to its last: 10 s.
    pub head: Duration,
    /// From a response to the next request's first byte, and from accept to the first byte: 15 s.
    pub idle: Duration,
    /// For a request's body, besides what it earns: 30 s.
    pub body: Duration,
    /// For a response that the client is slow to take, besides what it earns: 30 s.
    pub write: Duration,
    /// For the requests that are being answered when the server stops: 10 s.
    pub shutdown: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            head: Duration::from_secs(10),
            idle: Duration::from_secs(15),
            body: Duration::from_secs(30),
            write: Duration::from_secs(30),
            shutdown: Duration::from_secs(10),
        }
    }
}

/// How much a client may ask for.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Limits {
    /// Bytes of a request's head: 16 KiB, at least 512. Past it, `431`, or `414` when the request line alone is longer.
    pub head: usize,
    /// Bytes of a request's body: 1 MiB. Past it, `413`.
    pub body: u64,
    /// Connections that one worker holds: 65,536. One more is answered with `503` and closed.
    pub connections: usize,
    /// Bytes a second below which a body or a response runs out of time: 1,024.
    pub min_rate: u64,
    /// Bytes of stack for a handler: 64 KiB, at least 16 KiB. Memory is spent on what is touched.
    pub stack: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            head: 16 * 1024,
            body: 1024 * 1024,
            connections: 65_536,
            min_rate: 1024,
            stack: 64 * 1024,
        }
    }
}

impl Limits {
    /// Smallest and largest [`head`](Self::head): a small request fits, and one read's worth of buffer holds the rest.
    pub(crate) const HEAD: core::ops::RangeInclusive<usize> = 512..=1024 * 1024;
    /// Smallest and largest [`stack`](Self::stack).
    pub(crate) const STACK: core::ops::RangeInclusive<usize> = 16 * 1024..=16 * 1024 * 1024;
}

/// What runs the batches of system calls. All of them give the same results.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub enum Executor {
    /// What the variable `ESCA_EXECUTOR` names, else the one that costs least on this machine.
    #[default]
    Auto,
    /// One system call for each entry.
    Direct,
    /// One `io_uring_enter` for a batch.
    Uring,
    /// One call of the module behind `/dev/esca` for a batch.
    Kernel,
}

impl Executor {
    /// The executor with this name: `auto`, `direct`, `uring` or `kernel`.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Some(match name {
            "auto" => Self::Auto,
            "direct" => Self::Direct,
            "uring" => Self::Uring,
            "kernel" => Self::Kernel,
            _ => return None,
        })
    }

    /// Whether it can be set up.
    ///
    /// That is tried on a thread of its own: when a ring goes, the kernel interrupts the blocking calls of the thread that
    /// made it, and this one belongs to the program.
    pub(crate) fn check(self) -> Result<(), ChoiceError> {
        let attempt = std::thread::Builder::new().spawn(move || self.start().map(drop));
        // Where no thread can be had, the workers find out for themselves.
        attempt.map_or(Ok(()), |attempt| attempt.join().unwrap_or(Ok(())))
    }

    /// Sets it up on this thread.
    pub(crate) fn start(self) -> Result<AnyExecutor, ChoiceError> {
        match self {
            Self::Auto => AnyExecutor::probe(),
            Self::Direct => AnyExecutor::named("direct"),
            Self::Uring => AnyExecutor::named("uring"),
            Self::Kernel => AnyExecutor::named("kernel"),
        }
    }
}

/// All of it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Settings {
    pub(crate) executor: Executor,
    pub(crate) timeouts: Timeouts,
    pub(crate) limits: Limits,
}
