//! Unmodified nginx and lighttpd, as they are and with `libesca_preload.so`, in alternation: the processor time of a
//! request, the requests and their latency as wrk and ab see them, and what the batches came to.

mod ab;
mod calls;
mod wrk;

use core::net::SocketAddr;
use core::time::Duration;
use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use tempfile::TempDir;

use self::wrk::Load;
use crate::compare::{Comparison, Options, Report, Samples, allowed_cpus, pin_to};
use crate::server::child::{Place, Server};
use crate::server::client::Connection;
use crate::server::contestants::{HELLO, lighttpd_command, nginx_command};

/// Variables that the library reads.
const VARIABLES: [&str; 5] = [
    "LD_PRELOAD",
    "ESCA_DEFER",
    "ESCA_PRELOAD",
    "ESCA_PRELOAD_OPTIMISE",
    "ESCA_STATS",
];

/// A server's configuration, and what is asked of it.
struct Workload {
    key: &'static str,
    path: &'static str,
    command: fn(Place<'_>, SocketAddr) -> Result<Command>,
    /// Whether the calls are counted, and under which part of a key.
    counted: Option<&'static str>,
}

const WORKLOADS: [Workload; 4] = [
    Workload {
        key: "preload.nginx4k_nopush_off",
        path: "/file4k",
        command: |place, address| nginx_command(place, address, false),
        counted: None,
    },
    Workload {
        key: "preload.nginx4k_nopush_on",
        path: "/file4k",
        command: |place, address| nginx_command(place, address, true),
        counted: Some("nginx4k"),
    },
    Workload {
        key: "preload.lighttpd4k",
        path: "/file4k",
        command: lighttpd_command,
        counted: Some("lighttpd4k"),
    },
    Workload {
        key: "preload.nginx_hello",
        path: "/hello",
        command: |place, address| nginx_command(place, address, true),
        counted: None,
    },
];

/// Measures everything, or what has `only` in its key, and returns the ratios and figures. Without `library`, the one beside
/// the running program is taken.
///
/// # Errors
///
/// When a server, a client or the library is missing or fails, when the machine has a single processor, when a client sees
/// an error, and when the two answer with different bodies.
pub fn run(options: &Options, library: Option<&Path>, only: Option<&str>) -> Result<Report> {
    let library = library.map_or_else(find_library, |library| Ok(library.canonicalize()?))?;
    let &[server_cpu, client_cpu, ..] = allowed_cpus()?.as_slice() else {
        anyhow::bail!("server and client need a processor each, and this machine allows only one");
    };
    pin_to(None, client_cpu)?;
    let scratch = TempDir::new().context("cannot make a temporary folder")?;
    let root = scratch.path().join("www");
    fs::create_dir(&root)?;
    fs::write(root.join("hello"), HELLO)?;
    fs::write(
        root.join("file4k"),
        (b'a'..=b'z').cycle().take(4 << 10).collect::<Vec<u8>>(),
    )?;

    let mut report = Report::new();
    let wanted = |workload: &&Workload| only.is_none_or(|only| workload.key.contains(only));
    for workload in WORKLOADS.iter().filter(wanted) {
        let home = scratch.path().join(workload.key);
        let bench = Bench {
            workload,
            options,
            library: &library,
            home: &home,
            root: &root,
            cpus: [server_cpu, client_cpu],
        };
        bench.run(&mut report).context(workload.key)?;
    }
    Ok(report)
}

fn find_library() -> Result<PathBuf> {
    let own = env::current_exe().context("cannot find the running program")?;
    let beside = own.with_file_name("libesca_preload.so");
    ensure!(
        beside.is_file(),
        "{} is missing: build it with `cargo build --release -p esca-preload`",
        beside.display()
    );
    Ok(beside)
}

/// A workload with all that it needs.
struct Bench<'a> {
    workload: &'a Workload,
    options: &'a Options,
    library: &'a Path,
    home: &'a Path,
    root: &'a Path,
    /// Of the server, and of the client and this program.
    cpus: [usize; 2],
}

impl Bench<'_> {
    fn run(&self, report: &mut Report) -> Result<()> {
        let stats = self.home.join("stats");
        let servers = [self.start("preloaded", Some(&stats))?, self.start("plain", None)?];
        self.check_bodies(&servers)?;
        self.alternate(report, &servers)?;
        if let Some(name) = self.workload.counted {
            for (server, suffix) in servers.iter().zip(["", ".plain"]) {
                let calls =
                    calls::per_request(server, self.home, || self.load(server, Duration::from_secs(1)))?;
                report.figure(
                    format!("preload.syscalls_per_request.{name}{suffix}"),
                    calls,
                    "calls",
                );
            }
        }
        // What they did is written when they end.
        drop(servers);
        if let Some(name) = self.workload.counted {
            let (entries, flushes) = calls::entries_and_flushes(&stats)?;
            let per_flush = entries as f64 / flushes.max(1) as f64;
            report.figure(format!("preload.entries_per_flush.{name}"), per_flush, "entries");
        }
        Ok(())
    }

    /// Starts the server, with the library where there is a file for its counts.
    fn start(&self, name: &str, stats: Option<&Path>) -> Result<Server> {
        let scratch = self.home.join(name);
        fs::create_dir_all(&scratch)?;
        let place = Place {
            scratch: &scratch,
            root: self.root,
            cpu: self.cpus[0],
            home: self.cpus[1],
        };
        Server::start(name, place, |address| {
            let mut command = (self.workload.command)(place, address)?;
            for variable in VARIABLES {
                command.env_remove(variable);
            }
            if let Some(stats) = stats {
                command.env("LD_PRELOAD", self.library).env("ESCA_STATS", stats);
            }
            Ok(command)
        })
    }

    fn load(&self, server: &Server, time: Duration) -> Result<Load> {
        wrk::load(server.address(), self.workload.path, self.cpus[1], time)
    }

    fn check_bodies(&self, servers: &[Server; 2]) -> Result<()> {
        let get = |server: &Server| {
            let response = Connection::open(server.address())?.get(self.workload.path)?;
            ensure!(response.status == 200, "status {}", response.status);
            Ok(response.body)
        };
        ensure!(
            get(&servers[0])? == get(&servers[1])?,
            "the two answer with different bodies"
        );
        Ok(())
    }

    /// Rounds of one after the other, each first in every other round.
    fn alternate(&self, report: &mut Report, servers: &[Server; 2]) -> Result<()> {
        // With eight short rounds the median moved by a tenth from run to run.
        let (rounds, time, requests) = if self.options.quick {
            (20, Duration::from_millis(350), 10_000)
        } else {
            (24, Duration::from_secs(1), 50_000)
        };
        // cost, requests per second, mean and 99th percentile of the latency, requests per second by ab
        let mut samples: [[Vec<f64>; 2]; 5] = Default::default();
        for round in 0..rounds {
            for turn in 0..2 {
                let turn = (round + turn) % 2;
                let server = &servers[turn];
                let before = server.cpu_time()?;
                let load = self.load(server, time).context(server.name().to_owned())?;
                let spent = server
                    .cpu_time()?
                    .checked_sub(before)
                    .context("one of its processes ended meanwhile")?;
                samples[0][turn].push(spent.as_secs_f64() / load.requests as f64 * 1e6);
                samples[1][turn].push(load.per_second);
                samples[2][turn].push(load.mean);
                samples[3][turn].push(load.late);
                if round % 4 == 0 {
                    let per_second = ab::load(server.address(), self.workload.path, self.cpus, requests)
                        .context(server.name().to_owned())?;
                    samples[4][turn].push(per_second);
                }
            }
        }
        let key = self.workload.key;
        let units = [
            ("cpu", "s per 1e6 requests"),
            ("rate", "requests/s by wrk"),
            ("latency", "us on average"),
            ("latency99", "us, 99th percentile"),
            ("ab", "requests/s by ab -k"),
        ];
        for ((name, unit), [ours, plain]) in units.into_iter().zip(samples) {
            let ours = Samples::new("preloaded", ours);
            let comparison = Comparison::new(
                format!("{key}.{name}"),
                unit,
                Some(ours),
                vec![Samples::new("plain", plain)],
            );
            println!("{comparison}");
            if name == "cpu"
                && let Some((_, ratio)) = comparison.ratios().next()
            {
                report.ratio(format!("{key}.cpu"), ratio);
            }
        }
        Ok(())
    }
}
