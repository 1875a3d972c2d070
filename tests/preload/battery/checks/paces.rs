//! Clients that do not just ask and read: pipelines, slow readers, breakers-off, crowds that arrive at once.

use std::net::SocketAddr;
use std::thread::sleep;
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use super::answers::Traits;
use super::client::Client;
use super::http::{Answer, Request, compare, expect};
use crate::pair::Pair;
use crate::patience::Patience;
use crate::place::SIZES;
use crate::process::Server;

/// 64 requests in one send, then 64 that take more room than the two ends have, read late.
pub(crate) fn pipelined(pair: &Pair, traits: Traits) -> Result<()> {
    let small: Vec<_> = (0..64)
        .map(|number| Request::file(SIZES[number * 5 % 9]))
        .collect();
    let large: Vec<_> = (0..64)
        .map(|number| match number % 7 {
            0 if traits.ranges => Request::range(300_000, &format!("{number}-"), number..300_000),
            1 => Request::other("HEAD", "/4096.bin", 200),
            2 if traits.survives_errors => Request::other("GET", "/nothing", 404),
            _ => Request::file(SIZES[number * 7 % 10]),
        })
        .collect();
    for (requests, pause) in [(&small, 0), (&large, 60)] {
        let plain = in_one_send(&pair.plain, requests, pause)?;
        compare(requests, &plain, &in_one_send(&pair.preloaded, requests, pause)?)?;
    }
    Ok(())
}

fn in_one_send(server: &Server, requests: &[Request], pause: u64) -> Result<Vec<Answer>> {
    let mut client = Client::connect(server.address())?;
    let sending = client.send_beside(requests.iter().flat_map(Request::bytes).collect())?;
    sleep(Duration::from_millis(pause));
    let answers = requests
        .iter()
        .map(|request| expect(&mut client, request))
        .collect();
    sending.join().ok().context("the sender")??;
    answers
}

/// Readers with a tiny receive buffer, who begin late and read in small bites.
pub(crate) fn slow_readers(pair: &Pair) -> Result<()> {
    let requests = [
        Request::file(4097),
        Request::file(300_000),
        Request::file(1_000_003),
        Request::file(100),
    ];
    let plain = sip(pair.plain.address(), &requests)?;
    compare(&requests, &plain, &sip(pair.preloaded.address(), &requests)?)
}

fn sip(address: SocketAddr, requests: &[Request]) -> Result<Vec<Answer>> {
    let mut client = Client::connect_narrow(address, 2048)?;
    let mut answers = Vec::new();
    for request in requests {
        client.send(&request.bytes())?;
        sleep(Duration::from_millis(30));
        for bite in 1..30 {
            if client.received().len() > 16_000
                || client.received().len() >= request.content.map_or(0, <[u8]>::len)
            {
                break;
            }
            client.receive(bite * 41).context("in small bites")?;
            sleep(Duration::from_millis(1));
        }
        answers.push(expect(&mut client, request)?);
    }
    Ok(answers)
}

/// Several slow readers of a file that no buffer holds, at once.
pub(crate) fn slow_crowd(pair: &Pair) -> Result<()> {
    let request = Request::file(20_000_003);
    for (name, server) in pair.both() {
        let mut clients = Vec::new();
        for _ in 0..4 {
            let mut client = Client::connect(server.address())?;
            client.send(&request.bytes())?;
            clients.push(client);
        }
        sleep(Duration::from_millis(50));
        for client in &mut clients {
            for _ in 0..20 {
                client.receive(10_000)?;
            }
        }
        for client in &mut clients {
            request.check(&expect(client, &request)?).context(name)?;
        }
    }
    Ok(())
}

/// Clients that go away in the middle of a body, by a reset or by an end, and do not disturb the others.
pub(crate) fn aborts(pair: &Pair, count: usize) -> Result<()> {
    let request = Request::file(20_000_003);
    for (name, server) in pair.both() {
        for number in 0..count {
            let mut client = Client::connect(server.address())?;
            client.send(&request.bytes())?;
            if number % 4 != 0 {
                client.take(1000 * number + 1).context(name)?;
            }
            if number % 2 == 0 {
                client.abort()?;
            } else {
                drop(client);
            }
            let mut other = Client::connect(server.address())?;
            let whole = Request::file(SIZES[number % 9]);
            other.send(&whole.bytes())?;
            whole.check(&expect(&mut other, &whole)?).context(name)?;
        }
    }
    Ok(())
}

/// Forty clients whose requests the server finds all at once, so that one round of its loop answers many.
pub(crate) fn crowd(pair: &Pair) -> Result<()> {
    let requests: Vec<_> = (0..40)
        .map(|number| match number % 8 {
            7 => Request::other("GET", "/nothing", 404),
            6 => Request::other("HEAD", "/4096.bin", 200),
            _ => Request::file(SIZES[number * 3 % 11]),
        })
        .collect();
    for round in 0..3 {
        let plain = at_once(&pair.plain, &requests, round > 0)?;
        let preloaded = at_once(&pair.preloaded, &requests, round > 0)?;
        compare(&requests, &plain, &preloaded)?;
    }
    Ok(())
}

fn at_once(server: &Server, requests: &[Request], accepted_before: bool) -> Result<Vec<Answer>> {
    let mut clients = Vec::new();
    let first = Request::file(1);
    for _ in requests {
        let mut client = Client::connect(server.address())?;
        if accepted_before {
            client.send(&first.bytes())?;
            first.check(&expect(&mut client, &first)?)?;
        }
        clients.push(client);
    }
    server.pause()?;
    let sent: Result<()> = clients
        .iter_mut()
        .zip(requests)
        .try_for_each(|(client, request)| client.send(&request.bytes()));
    server.resume()?;
    sent?;
    let answers = clients.iter_mut().zip(requests);
    answers.map(|(client, request)| expect(client, request)).collect()
}

/// That no connection is left over when all clients have gone. Those that the program closes only after a while, for a
/// reason of its own, are left over in the plain program too.
pub(crate) fn nothing_left(pair: &Pair, before: [usize; 2]) -> Result<()> {
    let mut patience = Patience::new();
    loop {
        let now = [pair.plain.sockets()?, pair.preloaded.sockets()?];
        if now[1] <= before[1] || now[1] + before[0] <= now[0] + before[1] {
            return Ok(());
        }
        ensure!(
            patience.lasts(Duration::from_millis(20)),
            "open sockets, plain and preloaded: {before:?} before and {now:?} after; the connections: {}\nand, preloaded: {}",
            pair.plain.connections()?,
            pair.preloaded.connections()?
        );
    }
}
