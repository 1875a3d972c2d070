//! One kind of call, many times.

use core::fmt;
use std::fs::File;
use std::os::fd::AsRawFd;

use batch_table::{Call, nr::native as nr};

use crate::counter::Counter;
use crate::net::{Connections, Shared};
use crate::sample::{Way, least};
use crate::ways::{Module, Plain, Ring, Runner};

/// What is called.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Kind {
    Getppid,
    Write,
    Send64,
    Send4096,
}

pub(crate) const ALL: [Kind; 4] = [Kind::Getppid, Kind::Write, Kind::Send64, Kind::Send4096];

/// Break-even is looked for up to here.
const MOST: usize = 16;

static BYTES: [u8; 4096] = [b's'; 4096];

impl Kind {
    pub(crate) const fn key(self) -> &'static str {
        match self {
            Self::Getppid => "getppid",
            Self::Write => "write_null",
            Self::Send64 => "send_64",
            Self::Send4096 => "send_4096",
        }
    }
}

/// What a batch of `size` takes, each way.
#[derive(Debug)]
pub(crate) struct Row {
    kind: Kind,
    size: usize,
    plain: f64,
    module: f64,
    ring: f64,
}

pub(crate) const HEAD: &str =
    "call          N       plain       flush  saved/call    share    io_uring  flush saves of it";

impl Row {
    /// Instructions that a call in the batch saves against a plain one.
    pub(crate) fn saved(&self) -> f64 {
        (self.plain - self.module) / self.size as f64
    }
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{:<11} {:>3} {:>11.0} {:>11.0} {:>11.1} {:>7.2}% {:>11.0} {:>17.1}%",
            self.kind.key(),
            self.size,
            self.plain,
            self.module,
            self.saved(),
            100.0 * (self.plain - self.module) / self.plain,
            self.ring,
            100.0 * (self.ring - self.module) / self.ring,
        )
    }
}

/// A batch of one kind and one way to run it.
struct Batch<'a, R> {
    counter: &'a Counter,
    runner: R,
    calls: Vec<Call>,
    repeats: usize,
    connections: Option<Shared>,
    _file: Option<File>,
}

impl<'a, R: Runner> Batch<'a, R> {
    fn new(
        counter: &'a Counter,
        runner: R,
        kind: Kind,
        size: usize,
        connections: Option<Shared>,
    ) -> Result<Self, String> {
        let mut file = None;
        let address = BYTES.as_ptr().expose_provenance() as u64;
        let calls = match kind {
            Kind::Getppid => vec![Call::new(nr::GETPPID, [0; 6]); size],
            Kind::Write => {
                let null = File::options()
                    .write(true)
                    .open("/dev/null")
                    .map_err(|error| format!("/dev/null: {error}"))?;
                let fd = null.as_raw_fd() as u64;
                file = Some(null);
                vec![Call::new(nr::WRITE, [fd, address, 64, 0, 0, 0]); size]
            }
            Kind::Send64 | Kind::Send4096 => {
                let len = if kind == Kind::Send64 { 64 } else { 4096 };
                let flags = libc::MSG_NOSIGNAL as u64;
                let one = |fd| Call::new(nr::SENDTO, [fd as u64, address, len, flags, 0, 0]);
                let numbers = connections.as_ref().map(|made| made.borrow().numbers());
                let calls: Vec<Call> = numbers.into_iter().flatten().map(one).collect();
                calls
            }
        };
        Ok(Self {
            counter,
            runner,
            calls,
            // The clock of an AArch64 machine ticks every sixteen instructions.
            repeats: (16 / size).max(1),
            connections,
            _file: file,
        })
    }
}

impl<R: Runner> Way for Batch<'_, R> {
    fn prepare(&mut self) {
        if let Some(connections) = &self.connections {
            connections.borrow_mut().empty();
        }
    }

    fn run(&mut self) -> (f64, i64) {
        let mut sum = 0_i64;
        let cost = self.counter.measure(|| {
            for _ in 0..self.repeats {
                sum = sum.wrapping_add(self.runner.run(&self.calls));
            }
        });
        (cost / self.repeats as f64, sum)
    }
}

pub(crate) fn measure(counter: &Counter, kind: Kind, size: usize, rounds: usize) -> Result<Row, String> {
    let connections = match kind {
        Kind::Getppid | Kind::Write => None,
        Kind::Send64 | Kind::Send4096 => Some(Connections::shared(size)?),
    };
    let shared = || connections.clone();
    let mut ways: [Box<dyn Way>; 3] = [
        Box::new(Batch::new(counter, Plain, kind, size, shared())?),
        Box::new(Batch::new(counter, Module::new()?, kind, size, shared())?),
        Box::new(Batch::new(counter, Ring::new()?, kind, size, shared())?),
    ];
    // io_uring has no getppid; its executor makes the calls itself, which says nothing.
    let count = if kind == Kind::Getppid { 2 } else { 3 };
    let costs = least(&mut ways[..count], rounds)?;
    Ok(Row {
        kind,
        size,
        plain: costs[0],
        module: costs[1],
        ring: costs.get(2).copied().unwrap_or(f64::NAN),
    })
}

/// The fewest calls of the cheapest kind of which a batch costs less than plain calls.
pub(crate) fn break_even(counter: &Counter, rounds: usize) -> Result<usize, String> {
    for size in 1..=MOST {
        if measure(counter, Kind::Getppid, size, rounds)?.saved() > 0.0 {
            return Ok(size);
        }
    }
    Err(format!("a batch of {MOST} calls costs more than plain calls"))
}
