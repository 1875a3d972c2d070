//! memcached, whose threads each have an event loop, over its text protocol.

use std::process::Command;

use anyhow::{Context, Result};
use rustix::process::geteuid;

use super::{Values, on_each_executor, serve_values};
use crate::checks::Verdict;
use crate::checks::client::Client;
use crate::checks::exchange::{self, Pace};
use crate::library::Mode;
use crate::pair::Pair;
use crate::place::{Place, SIZES, content};
use crate::process::{Server, program};
use crate::scale::Scale;

on_each_executor! {
    one_thread => hold(1);
    four_threads => hold(4);
}

const VALUES: Values = Values {
    values,
    reads,
    read_reply,
    aborts,
};

fn hold(threads: u32) -> impl Fn(&Mode, &Scale, &mut Verdict) {
    move |mode, scale, verdict| {
        let start = |place: &_, name: &_, mode: &_| start(place, name, mode, threads);
        serve_values(mode, scale, &VALUES, verdict, start, |pair, verdict| {
            verdict.check("many gets", || {
                exchange::same(pair, read_reply, &many(scale.load), Pace::Pipelined)
            });
        });
    }
}

fn start(place: &Place, name: &str, mode: &Mode, threads: u32) -> Result<Server> {
    Server::start(&place.server(name)?, mode, |address| {
        let mut command = Command::new(program("memcached", "memcached")?);
        command.args([
            "-l",
            &address.ip().to_string(),
            "-p",
            &address.port().to_string(),
            "-U",
            "0",
        ]);
        command.args(["-t", &threads.to_string(), "-m", "256", "-I", "32m", "-c", "4096"]);
        if geteuid().is_root() {
            command.args(["-u", "root"]);
        }
        Ok(command)
    })
}

fn set(size: usize) -> exchange::Command {
    let mut bytes = format!("set k{size} 7 0 {size}\r\n").into_bytes();
    bytes.extend_from_slice(content(size));
    bytes.extend_from_slice(b"\r\n");
    exchange::Command {
        what: format!("set k{size}"),
        bytes,
        reply: Some(b"STORED\r\n".to_vec()),
    }
}

/// One command for several keys, whose values leave in one message.
fn get(sizes: &[usize]) -> exchange::Command {
    let keys: Vec<_> = sizes.iter().map(|size| format!("k{size}")).collect();
    let what = format!("get {}", keys.join(" "));
    let mut reply = Vec::new();
    for &size in sizes {
        reply.extend(format!("VALUE k{size} 7 {size}\r\n").into_bytes());
        reply.extend_from_slice(content(size));
        reply.extend_from_slice(b"\r\n");
    }
    reply.extend_from_slice(b"END\r\n");
    exchange::Command {
        bytes: format!("{what}\r\n").into_bytes(),
        what,
        reply: Some(reply),
    }
}

fn values() -> Vec<exchange::Command> {
    SIZES
        .iter()
        .map(|&size| set(size))
        .chain(reads(SIZES.len()))
        .collect()
}

fn reads(count: usize) -> Vec<exchange::Command> {
    let sizes = &SIZES[..count];
    let mut commands: Vec<_> = sizes.iter().map(|size| get(&[*size])).collect();
    commands.push(get(&sizes[..count.min(10)]));
    commands.push(exchange::Command {
        what: "nonsense".to_owned(),
        bytes: b"nonsense\r\n".to_vec(),
        reply: Some(b"ERROR\r\n".to_vec()),
    });
    commands.push(get(&sizes[2..5]));
    commands
}

fn many(count: usize) -> Vec<exchange::Command> {
    (0..count)
        .map(|number| get(&[SIZES[number % 8], SIZES[number * 3 % 8]]))
        .collect()
}

/// Clients that go away in the midst of a large reply.
fn aborts(pair: &Pair, count: usize) -> Result<()> {
    let large = get(&[SIZES[SIZES.len() - 1]]);
    for (_, server) in pair.both() {
        for number in 0..count {
            let mut client = Client::connect(server.address())?;
            client.send(&large.bytes)?;
            client.take(number * 999 + 1)?;
            client.abort()?;
        }
    }
    exchange::same(pair, read_reply, &reads(10), Pace::Turns)
}

/// Lines and values up to the line that ends a reply.
fn read_reply(client: &mut Client) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    loop {
        let line = client
            .take_until(b"\r\n")?
            .context("the end in place of a reply")?;
        let text = String::from_utf8_lossy(&line).into_owned();
        bytes.extend(line);
        let Some(value) = text.strip_prefix("VALUE ") else {
            return Ok(bytes);
        };
        let length = value
            .trim_end()
            .rsplit(' ')
            .next()
            .and_then(|length| length.parse::<usize>().ok());
        bytes.extend(client.take(length.with_context(|| format!("no length in {text:?}"))? + 2)?);
    }
}
