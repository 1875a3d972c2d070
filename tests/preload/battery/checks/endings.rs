//! Servers that reload or end.

use std::thread::sleep;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use rustix::process::Signal;

use super::client::Client;
use super::http::{Request, expect};
use super::many::Load;
use crate::library::{Mode, entries};
use crate::place::Place;
use crate::process::Server;

/// Reloads by `signal` under load: every request is answered, on new connections without exception.
pub(crate) fn reloads(server: &Server, signal: Signal, count: usize) -> Result<()> {
    let load = Load::new();
    load.around(server.address(), 6, || {
        for _ in 0..count {
            load.wait_for(60)?;
            server.signal(signal)?;
            sleep(Duration::from_millis(150));
        }
        load.wait_for(200)
    })
}

/// Asks it to end while bodies are on their way: they arrive whole, and it ends without an error. Where `defers`, the
/// library has deferred something by its own count, so that what passes here has not passed for want of a library.
pub(crate) fn ends_gracefully(
    place: &Place,
    mode: &Mode,
    signal: Signal,
    defers: bool,
    start: impl Fn(&Place, &str, &Mode) -> Result<Server>,
) -> Result<()> {
    let counts = place.server("counts")?.join("counts");
    // All that can be: what the library learns to be in vain is counted by nobody here.
    let mode = mode.with("ESCA_DEFER", "always");
    let mut server = start(place, "preloaded", &mode.counting(&counts))?;
    // Small ones: large ones are not deferred where they follow nothing. And apart: the first is not deferred, nor is what
    // the server answers before it waits for events again, which may be all that comes at once.
    for _ in 0..20 {
        sleep(Duration::from_millis(10));
        let request = Request::file(100);
        let mut client = Client::connect(server.address())?;
        client.send(&request.bytes())?;
        request.check(&expect(&mut client, &request)?)?;
    }
    let request = Request::file(20_000_003).with("Connection: close");
    let mut clients = Vec::new();
    for _ in 0..4 {
        let mut client = Client::connect(server.address())?;
        client.send(&request.bytes())?;
        // It has begun to answer, and cannot have ended: no socket takes so much.
        client.receive(1)?;
        clients.push(client);
    }
    server.signal(signal)?;
    sleep(Duration::from_millis(100));
    for client in &mut clients {
        request.check(&expect(client, &request)?)?;
        client.expect_end()?;
    }
    drop(clients);
    let status = server.ends()?;
    ensure!(status.success(), "{status}: {}", server.said());
    let entries = entries(&counts)?;
    println!("{entries} entries were deferred");
    ensure!(
        entries > 0 || !defers,
        "nothing was deferred: {}",
        std::fs::read_to_string(&counts)?
    );
    Ok(())
}

/// Asks for a file of 4 KiB, so that a server must be there.
pub(crate) fn answers(server: &Server) -> Result<()> {
    let request = Request::file(4096);
    let mut client = Client::connect(server.address())?;
    client.send(&request.bytes())?;
    request
        .check(&expect(&mut client, &request)?)
        .context("a plain request")
}
