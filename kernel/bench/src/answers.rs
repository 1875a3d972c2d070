//! Answers as a server of files gives them: a header and a file on each connection.

use core::fmt;
use std::io::Write;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::sync::Arc;

use batch_table::nr::native as nr;
use esca_sys::{Descriptor, Direct, Executor, Kernel, MsgFlags, Operation, Segment, Uring};

use crate::counter::Counter;
use crate::net::{Connections, Shared};
use crate::sample::{Report, Way, least};

static HEADER: [u8; 200] = [b'h'; 200];
const FILE_LEN: usize = 4096;

/// What N answers take.
#[derive(Debug)]
pub(crate) struct Row {
    size: usize,
    /// In the order of `NAMES`.
    costs: Vec<f64>,
}

/// Plain calls; with `MSG_MORE` given by hand; segments over the module (with and without merging), over plain calls, and
/// over io_uring.
const NAMES: [&str; 6] = ["plain", "more", "kernel", "unmerged", "direct", "uring"];
const KERNEL: usize = 2;

pub(crate) const HEAD: &str =
    "  N       plain    MSG_MORE      kernel   not merged    direct    io_uring   plain/kernel";

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:>3}", self.size)?;
        for cost in &self.costs {
            write!(f, " {cost:>11.0}")?;
        }
        write!(f, " {:>11.3}", self.costs[0] / self.costs[KERNEL])
    }
}

impl Row {
    pub(crate) fn ratios(&self, prefix: &str, report: &mut Report) {
        for (name, cost) in NAMES.iter().zip(&self.costs) {
            if *name != NAMES[KERNEL] {
                report.ratio(
                    format!("{prefix}.header_sendfile.{name}"),
                    cost / self.costs[KERNEL],
                );
            }
        }
    }
}

fn body() -> Result<Arc<OwnedFd>, String> {
    // SAFETY: the name ends with a zero.
    let fd = unsafe { libc::memfd_create(c"body".as_ptr(), libc::MFD_CLOEXEC) };
    if fd < 0 {
        return Err(format!("a file in memory: {}", std::io::Error::last_os_error()));
    }
    // SAFETY: it was just made, and nobody else has the number.
    let mut file = unsafe { std::fs::File::from_raw_fd(fd) };
    file.write_all(&[b'b'; FILE_LEN])
        .map_err(|error| error.to_string())?;
    Ok(Arc::new(file.into()))
}

/// Two calls an answer.
struct Plain<'a> {
    counter: &'a Counter,
    connections: Shared,
    file: Arc<OwnedFd>,
    flags: u64,
}

impl Way for Plain<'_> {
    fn prepare(&mut self) {
        self.connections.borrow_mut().empty();
    }

    fn run(&mut self) -> (f64, i64) {
        let sockets = self.connections.borrow().numbers();
        let address = HEADER.as_ptr().expose_provenance() as u64;
        let file = self.file.as_raw_fd() as u64;
        let mut sum = 0;
        let cost = self.counter.measure(|| {
            for &socket in &sockets {
                let flags = self.flags | libc::MSG_NOSIGNAL as u64;
                let args = [socket as u64, address, HEADER.len() as u64, flags, 0, 0];
                // SAFETY: reads the header, which is static.
                sum += unsafe { esca_sys::syscall(nr::SENDTO, &args) }.to_raw();
                let mut offset = 0_u64;
                let offset = (&raw mut offset).expose_provenance() as u64;
                let args = [socket as u64, file, offset, FILE_LEN as u64, 0, 0];
                // SAFETY: reads and writes the offset, which lives as long as the call.
                sum += unsafe { esca_sys::syscall(nr::SENDFILE, &args) }.to_raw();
            }
        });
        (cost, sum)
    }
}

/// A chain of two entries an answer.
struct Batched<'a, X: Executor> {
    counter: &'a Counter,
    // Before the connections, whose numbers it has: dropped first.
    segment: Segment<X>,
    descriptors: Vec<Descriptor>,
    connections: Shared,
    file: Descriptor,
}

impl<'a, X: Executor> Batched<'a, X> {
    fn new(
        counter: &'a Counter,
        executor: X,
        connections: Shared,
        file: &Arc<OwnedFd>,
    ) -> Result<Self, String> {
        let numbers = connections.borrow().numbers();
        // SAFETY: the connections live longer than the segment that uses the numbers.
        let tcp = |number| unsafe { Descriptor::raw(number) }.assume_tcp();
        Ok(Self {
            counter,
            segment: Segment::new(executor, 128).map_err(|error| error.to_string())?,
            descriptors: numbers.into_iter().map(tcp).collect(),
            connections,
            file: Descriptor::shared(Arc::clone(file)),
        })
    }

    fn answer(&mut self) -> i64 {
        for descriptor in &self.descriptors {
            let header = Operation::send(descriptor.clone(), &HEADER, MsgFlags::NOSIGNAL).linked();
            let file = Operation::sendfile(descriptor.clone(), self.file.clone(), 0, FILE_LEN as u64);
            for operation in [header, file] {
                if self.segment.push(operation, 0).is_err() {
                    return i64::MIN;
                }
            }
        }
        if self.segment.flush().is_err() {
            return i64::MIN;
        }
        let mut sum = 0;
        while let Some(completion) = self.segment.next_completion() {
            sum += completion.result.to_raw();
        }
        sum
    }
}

impl<X: Executor> Way for Batched<'_, X> {
    fn prepare(&mut self) {
        self.connections.borrow_mut().empty();
    }

    fn run(&mut self) -> (f64, i64) {
        let mut sum = 0;
        let counter = self.counter;
        let cost = counter.measure(|| sum = self.answer());
        (cost, sum)
    }
}

pub(crate) fn measure(counter: &Counter, size: usize, rounds: usize) -> Result<Row, String> {
    let file = body()?;
    let connections = Connections::shared(size)?;
    let shared = || connections.clone();
    let plain = |flags| -> Result<Box<dyn Way + '_>, String> {
        Ok(Box::new(Plain {
            counter,
            connections: shared(),
            file: Arc::clone(&file),
            flags,
        }))
    };
    let kernel = || Kernel::new().map_err(|error| error.to_string());
    let mut unmerged = Batched::new(counter, kernel()?, shared(), &file)?;
    unmerged.segment.set_optimise(false);
    let uring = Uring::new().map_err(|error| format!("io_uring: {error}"))?;
    let mut ways: Vec<Box<dyn Way + '_>> = vec![
        plain(0)?,
        plain(libc::MSG_MORE as u64)?,
        Box::new(Batched::new(counter, kernel()?, shared(), &file)?),
        Box::new(unmerged),
        Box::new(Batched::new(counter, Direct::new(), shared(), &file)?),
        Box::new(Batched::new(counter, uring, shared(), &file)?),
    ];
    Ok(Row {
        size,
        costs: least(&mut ways, rounds)?,
    })
}
