//! redis-server, alone and with threads for its input and output, with a file that it appends to and forks to rewrite;
//! under a client that checks every byte and under redis-benchmark.

use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};

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
    io_threads => hold(2);
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
            let same = |pace| exchange::same(pair, read_reply, &kinds(), pace);
            verdict.check("kinds", || same(Pace::Turns));
            verdict.check("kinds, pipelined", || same(Pace::Pipelined));
            verdict.check("while it forks", || forks(pair));
            // With threads of their own for input and output, all of which spin, two processors are soon at an end.
            let requests = if threads == 1 {
                scale.load * 50
            } else {
                scale.load * 5
            };
            verdict.check("redis-benchmark", || benchmark(&pair.preloaded, requests));
        });
    }
}

fn start(place: &Place, name: &str, mode: &Mode, threads: u32) -> Result<Server> {
    let folder = place.server(name)?;
    Server::start(&folder, mode, |address| {
        let mut command = Command::new(program("redis-server", "redis-server")?);
        command.args([
            "--bind",
            &address.ip().to_string(),
            "--port",
            &address.port().to_string(),
        ]);
        command.args([
            "--io-threads",
            &threads.to_string(),
            "--io-threads-do-reads",
            "yes",
        ]);
        command
            .args(["--appendonly", "yes", "--save", "", "--dir"])
            .arg(&folder);
        command.arg("--logfile").arg(folder.join("redis.log"));
        Ok(command)
    })
}

fn command(words: &[&[u8]], reply: Option<Vec<u8>>) -> exchange::Command {
    let what = words
        .iter()
        .map(|word| word[..word.len().min(20)].escape_ascii().to_string());
    exchange::Command {
        what: what.collect::<Vec<_>>().join(" "),
        bytes: array(words),
        reply,
    }
}

/// An array of bulk strings, which is how commands are sent.
fn array(words: &[&[u8]]) -> Vec<u8> {
    let mut bytes = format!("*{}\r\n", words.len()).into_bytes();
    for word in words {
        bytes.extend(bulk(word));
    }
    bytes
}

fn bulk(word: &[u8]) -> Vec<u8> {
    let mut bytes = format!("${}\r\n", word.len()).into_bytes();
    bytes.extend_from_slice(word);
    bytes.extend_from_slice(b"\r\n");
    bytes
}

/// Sets a value of every size and reads it back.
fn values() -> Vec<exchange::Command> {
    let sets = SIZES.iter().map(|&size| {
        let key = size.to_string();
        command(
            &[b"SET", key.as_bytes(), content(size)],
            Some(b"+OK\r\n".to_vec()),
        )
    });
    sets.chain(reads(SIZES.len())).collect()
}

/// Reads the first `count` sizes back, whole and in part, twice.
fn reads(count: usize) -> Vec<exchange::Command> {
    let mut commands = Vec::new();
    for &size in SIZES[..count].iter().chain(&SIZES[..count]) {
        let key = size.to_string();
        commands.push(command(&[b"GET", key.as_bytes()], Some(bulk(content(size)))));
        let part = &content(size)[size / 3..];
        let begin = (size / 3).to_string();
        if size > 0 {
            commands.push(command(
                &[b"GETRANGE", key.as_bytes(), begin.as_bytes(), b"-1"],
                Some(bulk(part)),
            ));
        }
    }
    commands
}

/// Replies of every kind.
fn kinds() -> Vec<exchange::Command> {
    let mut commands = vec![
        command(&[b"SELECT", b"1"], Some(b"+OK\r\n".to_vec())),
        command(&[b"FLUSHDB"], Some(b"+OK\r\n".to_vec())),
        command(&[b"PING"], Some(b"+PONG\r\n".to_vec())),
        command(&[b"GET", b"nothing"], Some(b"$-1\r\n".to_vec())),
        command(&[b"NONSENSE"], None),
    ];
    for number in 0..64 {
        commands.push(command(
            &[b"INCR", b"count"],
            Some(format!(":{}\r\n", number + 1).into_bytes()),
        ));
    }
    for number in 0..200_usize {
        commands.push(command(&[b"RPUSH", b"list", &content(4096)[..number * 7]], None));
    }
    let parts: Vec<_> = (0..200_usize)
        .map(|number| &content(4096)[..number * 7])
        .collect();
    commands.push(command(&[b"LRANGE", b"list", b"0", b"-1"], Some(array(&parts))));
    commands.push(command(&[b"MULTI"], None));
    commands.push(command(&[b"SET", b"a", b"1"], None));
    commands.push(command(&[b"LRANGE", b"list", b"0", b"99"], None));
    commands.push(command(&[b"EXEC"], None));
    commands.push(command(
        &[b"EVAL", b"return {1, 'two', redis.call('GET', 'a')}", b"0"],
        None,
    ));
    commands
}

/// Rewrites its file, for which it forks, while it is asked.
fn forks(pair: &Pair) -> Result<()> {
    for (_, server) in pair.both() {
        let mut client = Client::connect(server.address())?;
        for _ in 0..2 {
            client.send(&array(&[b"BGREWRITEAOF"]))?;
            read_reply(&mut client)?;
            exchange::same(pair, read_reply, &reads(10), Pace::Pipelined)?;
        }
    }
    Ok(())
}

/// Clients that go away in the midst of a large reply.
fn aborts(pair: &Pair, count: usize) -> Result<()> {
    let key = SIZES[SIZES.len() - 1].to_string();
    for (_, server) in pair.both() {
        for number in 0..count {
            let mut client = Client::connect(server.address())?;
            client.send(&array(&[b"GET", key.as_bytes()]).repeat(2))?;
            client.take(number * 999 + 1)?;
            client.abort()?;
        }
    }
    exchange::same(pair, read_reply, &reads(10), Pace::Turns)
}

/// Debian's load generator, which ends with an error where a reply is one.
fn benchmark(server: &Server, requests: usize) -> Result<()> {
    let port = server.address().port().to_string();
    for pipeline in ["1", "16"] {
        let mut command = Command::new(program("redis-benchmark", "redis-tools")?);
        command.args([
            "-h",
            "127.0.0.1",
            "-p",
            &port,
            "-q",
            "-c",
            "50",
            "-n",
            &requests.to_string(),
            "-P",
            pipeline,
        ]);
        command.args(["-d", "700", "-t", "set,get,incr,lpush,mset"]);
        let output = command.stdin(Stdio::null()).output().context("redis-benchmark")?;
        let said =
            String::from_utf8_lossy(&output.stderr).into_owned() + &String::from_utf8_lossy(&output.stdout);
        let sound = output.status.success() && !said.to_ascii_lowercase().contains("error");
        ensure!(sound, "redis-benchmark: {}: {said}", output.status);
    }
    Ok(())
}

/// One reply of RESP2, with everything in it.
fn read_reply(client: &mut Client) -> Result<Vec<u8>> {
    let mut bytes = client
        .take_until(b"\r\n")?
        .context("the end in place of a reply")?;
    let line = std::str::from_utf8(&bytes)
        .context("no line")?
        .trim_end()
        .to_owned();
    let number = || {
        line[1..]
            .parse::<i64>()
            .with_context(|| format!("no number in {line:?}"))
    };
    match line.as_bytes().first() {
        Some(b'+' | b'-' | b':') => {}
        Some(b'$') => {
            if let Ok(length) = usize::try_from(number()?) {
                bytes.extend(client.take(length + 2)?);
            }
        }
        Some(b'*') => {
            for _ in 0..number()? {
                bytes.extend(read_reply(client)?);
            }
        }
        _ => anyhow::bail!("this is no reply: {line:?}"),
    }
    Ok(bytes)
}
