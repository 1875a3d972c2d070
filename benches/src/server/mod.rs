//! HTTP servers on loopback: ours, nginx and lighttpd under Debian's wrk, and the floor that the kernel sets.
//!
//! Server and client each have a processor of their own. The figure that holds on a noisy machine is not requests
//! per second, which is the client's limit as often as the server's, but the processor time that the server takes
//! for a million requests.

pub(crate) mod child;
pub(crate) mod client;
pub(crate) mod contestants;
mod memory;
mod wrk;

pub(crate) use memory::raise_open_files;

use core::net::SocketAddr;
use core::time::Duration;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use tempfile::TempDir;

use self::child::{Place, Server};
use self::client::Connection;
use self::contestants::HELLO;
use self::wrk::Wrk;
use crate::batch::{EXECUTORS, executor};
use crate::compare::{Comparison, Options, Report, Samples, allowed_cpus, pin_to};

/// What is asked of the servers, and how often.
struct Workload {
    key: &'static str,
    path: &'static str,
    pipelined: bool,
    rivals: &'static [&'static str],
    /// Whether each executor is measured by itself, too.
    by_executor: bool,
    /// Rounds of a quick and of a full run.
    rounds: (usize, usize),
    /// The length of a round of a quick run in milliseconds: more for requests that take long, since those under way at
    /// the end are not counted.
    quick_milliseconds: u64,
}

/// The unit of a server's cost.
const COST: &str = "s per 1e6 requests";

/// A figure of each entrant in each round.
type PerRound = Vec<Vec<f64>>;

const WORKLOADS: [Workload; 4] = [
    Workload {
        key: "server.hello",
        path: "/hello",
        pipelined: false,
        rivals: &["nginx", "lighttpd", "epoll_floor"],
        by_executor: true,
        rounds: (7, 13),
        quick_milliseconds: 250,
    },
    Workload {
        key: "server.hello16",
        path: "/hello",
        pipelined: true,
        rivals: &["nginx", "epoll_floor"],
        by_executor: false,
        rounds: (5, 9),
        quick_milliseconds: 250,
    },
    Workload {
        key: "server.file4k",
        path: "/file4k",
        pipelined: false,
        rivals: &["nginx", "lighttpd"],
        by_executor: true,
        rounds: (7, 13),
        quick_milliseconds: 250,
    },
    Workload {
        key: "server.file1m",
        path: "/file1m",
        pipelined: false,
        rivals: &["nginx", "lighttpd"],
        by_executor: false,
        rounds: (3, 9),
        quick_milliseconds: 500,
    },
];

/// Runs the epoll floor on `address` until it is killed.
///
/// # Errors
///
/// When it cannot listen there.
pub fn epoll_floor(address: SocketAddr) -> Result<()> {
    crate::rivals::serve_epoll_floor(address).with_context(|| format!("the floor on {address}"))
}

/// Measures everything and returns the ratios and figures. Without `ours`, the example server beside the running
/// program is taken.
///
/// # Errors
///
/// When a server or wrk is missing or fails, when the machine has a single processor, when a request fails, and
/// when two servers answer with different bodies.
pub fn run(options: &Options, ours: Option<&Path>) -> Result<Report> {
    let ours = ours.map_or_else(contestants::find_ours, |ours| Ok(ours.to_path_buf()))?;
    let &[server_cpu, client_cpu, ..] = allowed_cpus()?.as_slice() else {
        anyhow::bail!("server and client need a processor each, and this machine allows only one");
    };
    memory::raise_open_files()?;
    pin_to(None, client_cpu)?;
    let scratch = TempDir::new().context("cannot make a temporary folder")?;
    let root = scratch.path().join("www");
    write_files(&root)?;
    let place = Place {
        scratch: scratch.path(),
        root: &root,
        cpu: server_cpu,
        home: client_cpu,
    };
    let wrk = Wrk::new(scratch.path(), client_cpu, client_cpu)?;

    let servers = [
        contestants::ours(&ours, place)?,
        contestants::nginx(place)?,
        contestants::lighttpd(place)?,
        contestants::epoll_floor(place)?,
    ];
    let mut report = Report::new();
    for workload in &WORKLOADS {
        workload.run(&mut report, options, &servers, &wrk)?;
    }
    let [_, nginx, ..] = servers;
    by_executor(&mut report, options, &wrk, nginx, |executor| {
        contestants::ours_by(executor, &ours, place)
    })?;

    memory::figures(&mut report, || contestants::ours(&ours, place), "")?;
    memory::figures(&mut report, || contestants::nginx(place), ".nginx")?;
    if !options.quick {
        memory::figures(&mut report, || contestants::lighttpd(place), ".lighttpd")?;
    }
    Ok(report)
}

/// Ours under each executor that can be had here, against nginx: `server.WORKLOAD.EXECUTOR.cpu.nginx`.
fn by_executor(
    report: &mut Report,
    options: &Options,
    wrk: &Wrk,
    nginx: Server,
    start: impl Fn(&str) -> Result<Server>,
) -> Result<()> {
    let mut servers = vec![nginx];
    for name in EXECUTORS {
        match executor(name) {
            Ok(_) => servers.push(start(name)?),
            Err(error) => println!("not measured with the executor {name}: {error}\n"),
        }
    }
    let entrants: Vec<&Server> = servers.iter().collect();
    for workload in WORKLOADS.iter().filter(|workload| workload.by_executor) {
        workload.check_bodies(&entrants)?;
        let rounds = if options.quick { 5 } else { workload.rounds.1 };
        let costs = workload.rounds(&entrants, wrk, options, rounds)?.0;
        let samples = entrants.iter().map(|server| server.name()).zip(costs);
        let mut samples = samples.map(|(name, rounds)| Samples::new(name, rounds));
        let nginx = samples.next().context("no rival")?;
        for ours in samples {
            let key = format!("{}.{}.cpu", workload.key, ours.name());
            report.add(&Comparison::new(key, COST, Some(ours), vec![nginx.clone()]));
        }
    }
    Ok(())
}

fn write_files(root: &Path) -> Result<()> {
    fs::create_dir(root)?;
    fs::write(root.join("hello"), HELLO)?;
    for (name, size) in [("file4k", 4 << 10), ("file1m", 1 << 20)] {
        let text: Vec<u8> = (b'a'..=b'z').cycle().take(size).collect();
        fs::write(root.join(name), text)?;
    }
    Ok(())
}

impl Workload {
    fn run(&self, report: &mut Report, options: &Options, servers: &[Server], wrk: &Wrk) -> Result<()> {
        let (ours, rivals) = servers.split_first().context("no server")?;
        let entrants: Vec<&Server> = core::iter::once(ours)
            .chain(rivals.iter().filter(|rival| self.rivals.contains(&rival.name())))
            .collect();
        self.check_bodies(&entrants)?;

        let rounds = if options.quick {
            self.rounds.0
        } else {
            self.rounds.1
        };
        let (cost, rate) = self.rounds(&entrants, wrk, options, rounds)?;

        let samples = |per_round: Vec<Vec<f64>>| -> Vec<Samples> {
            let names = entrants.iter().map(|server| server.name());
            names
                .zip(per_round)
                .map(|(name, rounds)| Samples::new(name, rounds))
                .collect()
        };
        let mut costs = samples(cost);
        let ours = costs.remove(0);
        report.add(&Comparison::new(
            format!("{}.cpu", self.key),
            COST,
            Some(ours),
            costs,
        ));
        report.add(&Comparison::new(
            format!("{}.rate", self.key),
            "requests/s",
            None,
            samples(rate),
        ));
        Ok(())
    }

    /// Of each entrant in each round, CPU seconds per million requests, and requests per second.
    fn rounds(
        &self,
        entrants: &[&Server],
        wrk: &Wrk,
        options: &Options,
        rounds: usize,
    ) -> Result<(PerRound, PerRound)> {
        let time = if options.quick {
            Duration::from_millis(self.quick_milliseconds)
        } else {
            Duration::from_secs(2)
        };
        let mut cost = vec![Vec::new(); entrants.len()];
        let mut rate = vec![Vec::new(); entrants.len()];
        for round in 0..rounds {
            for turn in 0..entrants.len() {
                let turn = (round + turn) % entrants.len();
                let server = entrants[turn];
                let (seconds, per_second) = self
                    .round(server, wrk, time)
                    .with_context(|| format!("{} of {}", self.key, server.name()))?;
                cost[turn].push(seconds);
                rate[turn].push(per_second);
            }
        }
        Ok((cost, rate))
    }

    /// CPU seconds per million requests and requests per second of one round.
    fn round(&self, server: &Server, wrk: &Wrk, time: Duration) -> Result<(f64, f64)> {
        let before = server.cpu_time()?;
        let load = wrk.load(server.address(), self.path, self.pipelined, time)?;
        let spent = server
            .cpu_time()?
            .checked_sub(before)
            .context("one of its processes ended meanwhile")?;
        Ok((
            spent.as_secs_f64() / load.requests as f64 * 1e6,
            load.requests_per_second,
        ))
    }

    fn check_bodies(&self, entrants: &[&Server]) -> Result<()> {
        let mut expected = None;
        for server in entrants {
            let name = server.name();
            let response = Connection::open(server.address())
                .and_then(|mut connection| connection.get(self.path))
                .with_context(|| format!("{} of {name}", self.path))?;
            ensure!(
                response.status == 200,
                "{} of {name}: status {}",
                self.path,
                response.status
            );
            let (first, body) = expected.get_or_insert_with(|| (name, response.body.clone()));
            ensure!(
                *body == response.body,
                "{}: {name} and {first} answer with different bodies",
                self.path
            );
        }
        Ok(())
    }
}
