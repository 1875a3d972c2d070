use core::time::Duration;
use std::thread::sleep;
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use super::child::Server;
use super::client::Connection;
use super::contestants::HELLO;
use crate::compare::Report;

/// Connections held at once.
pub(super) const CONNECTIONS: usize = 10_000;
/// The server counts as settled when its memory stood still for this long.
const CALM: Duration = Duration::from_millis(150);
const SETTLE_LIMIT: Duration = Duration::from_secs(3);
const HALF_A_HEAD: &[u8] = b"GET /hello HTTP/1.1\r\nHost: loc";
const OTHER_HALF: &[u8] = b"alhost\r\n\r\n";

/// Lets this process, and what it starts from now on, open as many files as the system allows.
pub(crate) fn raise_open_files() -> Result<()> {
    let limit = getrlimit(Resource::Nofile);
    setrlimit(
        Resource::Nofile,
        Rlimit {
            current: limit.maximum,
            maximum: limit.maximum,
        },
    )
    .context("cannot raise the limit of open files")?;
    let needed = CONNECTIONS as u64 + 100;
    ensure!(
        limit.maximum.is_none_or(|maximum| maximum >= needed),
        "{needed} open files are needed for {CONNECTIONS} connections, but the hard limit is {:?}",
        limit.maximum
    );
    Ok(())
}

/// User-space memory that idle and half-headed connections cost a server, in bytes each, under
/// `server.idle_bytes` and `server.halfhead_bytes` followed by `suffix`.
///
/// Each figure has a server of its own, because what one has allocated the next would use again.
pub(super) fn figures(report: &mut Report, start: impl Fn() -> Result<Server>, suffix: &str) -> Result<()> {
    let idle = start()?;
    let idle = growth(&idle, one_request, one_request)
        .with_context(|| format!("{} with {CONNECTIONS} idle connections", idle.name()))?;
    let halfhead = start()?;
    let halfhead = growth(&halfhead, half_a_head, finish_the_head)
        .with_context(|| format!("{} with {CONNECTIONS} half-headed connections", halfhead.name()))?;
    report.figure(format!("server.idle_bytes{suffix}"), idle, "bytes");
    report.figure(format!("server.halfhead_bytes{suffix}"), halfhead, "bytes");
    Ok(())
}

/// Opens the connections, takes each to the state in question, and reads what the server's memory grew by. At the
/// end each must still work.
fn growth(
    server: &Server,
    prepare: fn(&mut Connection) -> Result<()>,
    still_works: fn(&mut Connection) -> Result<()>,
) -> Result<f64> {
    // What the first connections alone allocate belongs to the server, not to a connection.
    for _ in 0..4 {
        one_request(&mut Connection::open(server.address())?)?;
    }
    let before = settled(server)?;
    let mut connections = Vec::with_capacity(CONNECTIONS);
    for _ in 0..CONNECTIONS {
        let mut connection = Connection::open(server.address())?;
        prepare(&mut connection)?;
        connections.push(connection);
    }
    let after = settled(server)?;
    connections.iter_mut().try_for_each(still_works)?;
    Ok(after.saturating_sub(before) as f64 / CONNECTIONS as f64)
}

fn one_request(connection: &mut Connection) -> Result<()> {
    check(connection.get("/hello")?)
}

fn half_a_head(connection: &mut Connection) -> Result<()> {
    connection.send(HALF_A_HEAD)
}

fn finish_the_head(connection: &mut Connection) -> Result<()> {
    connection.send(OTHER_HALF)?;
    check(connection.receive()?)
}

fn check(response: super::client::Response) -> Result<()> {
    ensure!(
        response.status == 200 && response.body == HELLO.as_bytes(),
        "unexpected answer: {response:?}"
    );
    Ok(())
}

fn settled(server: &Server) -> Result<u64> {
    let started = Instant::now();
    let mut last = server.memory()?;
    loop {
        sleep(CALM);
        let now = server.memory()?;
        if now == last || started.elapsed() > SETTLE_LIMIT {
            return Ok(now);
        }
        last = now;
    }
}
