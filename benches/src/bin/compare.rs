//! `compare SUBJECT [--quick]`: measures a subject against its rivals and prints tables, ratios and figures.

use core::net::SocketAddr;
use std::path::PathBuf;

use anyhow::Result;
use benches::batch::{Counted, run_counted};
use benches::compare::{Options, Report, allowed_cpus, pin_to};
use benches::coro::{Candidate, report_own_memory};
use benches::echo::Backend;
use clap::{Args, Parser, Subcommand};

/// Measures our crates against their rivals, interleaved in one process.
///
/// After the tables, each ratio is one line, `ratio KEY VALUE`: the rival's cost divided by ours, so above 1 we win.
#[derive(Debug, Parser)]
struct Cli {
    #[command(subcommand)]
    subject: Subject,
}

#[derive(Debug, Subcommand)]
enum Subject {
    /// Coroutines: coro-asm, corosensei, generator, the C library's contexts and boxed futures
    Coro(Length),
    /// Suspends coroutines and prints what they cost: one cell of `coro`'s figures
    #[command(hide = true)]
    CoroMemory {
        /// Whose coroutines
        candidate: Candidate,
        /// How many
        count: usize,
    },
    /// The echo server of coro-asm's examples, over coro-asm and over the C library's contexts
    Echo(Length),
    /// Echoes until it is killed: one contestant of `echo`
    #[command(hide = true)]
    EchoServer {
        /// What switches
        backend: Backend,
        /// Where it listens
        address: SocketAddr,
        /// Connections at a time
        limit: usize,
    },
    /// Timers: tickless-wheel and other ways to keep deadlines
    Wheel(Length),
    /// Routing: trie8 and other longest-prefix matchers
    Trie(Length),
    /// HTTP servers: anglerfish, nginx, lighttpd and the bare epoll loop
    Server {
        #[command(flatten)]
        length: Length,
        /// The server to measure as ours, called with `--listen ADDRESS --root FOLDER`
        /// [default: examples/hello beside this program]
        #[arg(long, value_name = "PROGRAM")]
        ours: Option<PathBuf>,
    },
    /// Answers every request with the same bytes until it is killed: the floor of `server`
    #[command(hide = true)]
    EpollFloor {
        /// Where it listens
        address: SocketAddr,
    },
    /// Batches of system calls and plain ones
    Batch(Length),
    /// Runs some passes of one contestant of `batch` and prints how many operations they were
    #[command(hide = true)]
    BatchCalls {
        /// Which calls
        workload: Counted,
        /// The executor, or `plain`
        contestant: String,
    },
    /// Unmodified nginx and lighttpd, with libesca_preload.so and without
    Preload {
        #[command(flatten)]
        length: Length,
        /// The library to measure [default: libesca_preload.so beside this program]
        #[arg(long, value_name = "LIBRARY")]
        library: Option<PathBuf>,
        /// Measure only what has this in its key, such as `lighttpd`
        #[arg(long, value_name = "TEXT")]
        only: Option<String>,
    },
}

#[derive(Args, Debug)]
struct Length {
    /// Fewer and shorter rounds; ends within two and a half minutes
    #[arg(long)]
    quick: bool,
}

/// Runs a subject that is measured in this very process, on one processor.
fn in_process(length: &Length, run: fn(&Options) -> Result<Report>) -> Result<Report> {
    // The last one: the first is where interrupts are handled by default.
    if let Some(&cpu) = allowed_cpus()?.last() {
        pin_to(None, cpu)?;
    }
    run(&Options { quick: length.quick })
}

fn main() -> Result<()> {
    let report = match Cli::parse().subject {
        Subject::Coro(length) => in_process(&length, benches::coro::run),
        Subject::CoroMemory { candidate, count } => return report_own_memory(candidate, count),
        Subject::Echo(length) => benches::echo::run(&Options { quick: length.quick }),
        Subject::EchoServer {
            backend,
            address,
            limit,
        } => return benches::echo::serve(backend, address, limit),
        Subject::Server { length, ours } => {
            benches::server::run(&Options { quick: length.quick }, ours.as_deref())
        }
        Subject::EpollFloor { address } => return benches::server::epoll_floor(address),
        Subject::Wheel(length) => in_process(&length, benches::wheel::run),
        Subject::Trie(length) => in_process(&length, benches::trie::run),
        Subject::BatchCalls { workload, contestant } => {
            println!("{}", run_counted(workload, &contestant)?);
            return Ok(());
        }
        Subject::Batch(length) => in_process(&length, benches::batch::run),
        Subject::Preload {
            length,
            library,
            only,
        } => {
            let options = Options { quick: length.quick };
            benches::preload::run(&options, library.as_deref(), only.as_deref())
        }
    }?;
    print!("{report}");
    Ok(())
}
