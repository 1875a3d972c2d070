//! The echo server of coro-asm's examples, over coro-asm and over the C library's contexts: the same loop and the same body, and
//! only the switch differs.

mod client;
mod server;

use core::time::Duration;
use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use tempfile::TempDir;

pub use self::server::serve;

use self::client::Clients;
use crate::compare::{Comparison, Options, Report, Samples, allowed_cpus, pin_to};
use crate::proc;
use crate::server::child::{Place, Server, find_program};
use crate::server::raise_open_files;

/// What switches between the connections.
#[derive(Clone, Copy, Debug, Eq, PartialEq, clap::ValueEnum)]
#[value(rename_all = "snake_case")]
pub enum Backend {
    /// Ours.
    CoroAsm,
    /// The C library's contexts.
    Ucontext,
}

/// The hidden subcommand that serves.
const SUBCOMMAND: &str = "echo-server";
const BACKENDS: [Backend; 2] = [Backend::CoroAsm, Backend::Ucontext];
const CONNECTIONS: [usize; 2] = [100, 10_000];

impl Backend {
    const fn name(self) -> &'static str {
        match self {
            Self::CoroAsm => "coro_asm",
            Self::Ucontext => "ucontext",
        }
    }
}

/// Measures time, processor time and memory at 100 and 10,000 connections.
///
/// # Errors
///
/// When there are not two processors, or an echo differs.
pub fn run(options: &Options) -> Result<Report> {
    let cpus = allowed_cpus()?;
    ensure!(
        cpus.len() >= 2,
        "the server and its clients need a processor each"
    );
    raise_open_files()?;
    let (messages, rounds) = if options.quick { (40_000, 5) } else { (400_000, 5) };
    let scratch = TempDir::new().context("no folder for logs")?;
    let place = Place {
        scratch: scratch.path(),
        root: scratch.path(),
        cpu: cpus[0],
        home: cpus[1],
    };
    pin_to(None, place.home)?;
    let mut report = Report::new();
    for connections in CONNECTIONS {
        speed(&mut report, place, connections, messages, rounds)?;
    }
    heap(
        &mut report,
        place,
        if options.quick {
            &CONNECTIONS[..1]
        } else {
            &CONNECTIONS
        },
    )?;
    Ok(report)
}

/// Both servers by turns.
fn speed(
    report: &mut Report,
    place: Place<'_>,
    connections: usize,
    messages: usize,
    rounds: usize,
) -> Result<()> {
    let mut runs = Vec::new();
    for backend in BACKENDS {
        let server = start(backend, place, connections, None)?;
        let before = resident(&server)?;
        let mut clients = Clients::connect(server.address(), connections)?;
        clients.exchange(connections)?;
        let each = (resident(&server)? - before) as f64 / connections as f64;
        report.figure(key(connections, "resident", backend), each, "bytes");
        runs.push((backend, server, Vec::new(), Vec::new()));
    }
    for round in 0..rounds {
        for turn in 0..runs.len() {
            let turn = (round + turn) % runs.len();
            let (_, server, wall, processor) = &mut runs[turn];
            // Anew each time, for a process may not have files open for both servers' connections.
            let mut clients = Clients::connect(server.address(), connections)?;
            clients.exchange(connections)?;
            let before = server.cpu_time()?;
            let took = clients.exchange(messages)?;
            wall.push(each(took, messages));
            processor.push(each(server.cpu_time()? - before, messages));
        }
    }
    let mut times = Vec::new();
    let mut processors = Vec::new();
    for (backend, _, wall, processor) in runs {
        let time = Samples::new(backend.name(), wall);
        let rate = 1e6 / time.percentile(0.5);
        report.figure(key(connections, "rate", backend), rate, "echoes/s");
        times.push(time);
        processors.push(Samples::new(backend.name(), processor));
    }
    for (name, mut samples) in [("time", times), ("cpu", processors)] {
        let ours = samples.remove(0);
        let key = format!("echo.{connections}.{name}");
        // Microseconds for one are seconds for a million.
        report.add(&Comparison::new(key, "us/echo", Some(ours), samples));
    }
    Ok(())
}

fn each(time: Duration, messages: usize) -> f64 {
    time.as_secs_f64() * 1e6 / messages as f64
}

fn key(connections: usize, name: &str, backend: Backend) -> String {
    format!("echo.{connections}.{name}.{}", backend.name())
}

/// What Valgrind's massif counts page by page: everything that is mapped, whether touched or not.
fn heap(report: &mut Report, place: Place<'_>, counts: &[usize]) -> Result<()> {
    let Ok(valgrind) = find_program("valgrind", "valgrind") else {
        println!("no massif figures: valgrind is not installed\n");
        return Ok(());
    };
    for &connections in counts {
        for backend in BACKENDS {
            let output = place.scratch.join("massif");
            let server = start(backend, place, connections, Some((&valgrind, &output)))?;
            Clients::connect(server.address(), connections)?.exchange(connections)?;
            // Ends it, upon which Valgrind writes the file.
            drop(server);
            let bytes = peak(&output)?;
            report.figure(key(connections, "massif", backend), bytes / 1e6, "MB");
        }
    }
    Ok(())
}

/// The most that massif has seen.
fn peak(file: &Path) -> Result<f64> {
    let text = fs::read_to_string(file).context("massif left no file")?;
    text.lines()
        .filter_map(|line| line.strip_prefix("mem_heap_B=")?.parse::<f64>().ok())
        .reduce(f64::max)
        .context("massif's file has no snapshot")
}

fn start(
    backend: Backend,
    place: Place<'_>,
    connections: usize,
    massif: Option<(&Path, &Path)>,
) -> Result<Server> {
    let own = std::env::current_exe().context("cannot find the running program")?;
    // One more for whoever tries whether it listens.
    let limit = connections + 1;
    Server::start(backend.name(), place, |address| {
        let mut command = if let Some((valgrind, output)) = massif {
            let mut command = Command::new(valgrind);
            command.args(["--tool=massif", "--pages-as-heap=yes"]);
            command.arg(format!("--massif-out-file={}", output.display()));
            command.arg(own);
            command
        } else {
            Command::new(own)
        };
        command.args([
            SUBCOMMAND,
            backend.name(),
            &address.to_string(),
            &limit.to_string(),
        ]);
        Ok(command)
    })
}

fn resident(server: &Server) -> Result<u64> {
    server.processes()?.into_iter().map(proc::resident_bytes).sum()
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, TcpListener};
    use std::thread;

    use super::*;

    #[test]
    fn both_backends_echo() {
        for backend in BACKENDS {
            let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
            let address = listener.local_addr().unwrap();
            drop(listener);
            thread::spawn(move || serve(backend, address, 20));
            while std::net::TcpStream::connect(address).is_err() {
                thread::yield_now();
            }
            // More than one after the other fits at a time, so stacks are used again.
            for _ in 0..3 {
                Clients::connect(address, 19).unwrap().exchange(500).unwrap();
                thread::sleep(Duration::from_millis(50));
            }
        }
    }
}
