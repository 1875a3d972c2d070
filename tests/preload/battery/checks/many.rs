//! Many connections.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

use anyhow::{Context, Result, ensure};

use super::answers::Traits;
use super::client::Client;
use super::http::{Answer, Request, expect};
use crate::pair::Pair;
use crate::place::SIZES;

/// Holds this many connections, each of which asks, and asks again when all have asked.
pub(crate) fn held(pair: &Pair, connections: usize, traits: Traits) -> Result<()> {
    let connections = connections.min(traits.most_connections);
    raise_file_limit()?;
    for (name, server) in pair.both() {
        let mut clients = Vec::new();
        for number in 0..connections {
            let mut client =
                Client::connect(server.address()).with_context(|| format!("{name}: {number}"))?;
            let request = Request::file(SIZES[number % 7]);
            client.send(&request.bytes())?;
            request
                .check(&expect(&mut client, &request).with_context(|| format!("{name}: {number}"))?)
                .with_context(|| format!("{name}: {number}"))?;
            clients.push(client);
        }
        for (group, clients) in clients.chunks_mut(traits.most_at_once).enumerate() {
            // All ask before the first one reads.
            for (number, client) in clients.iter_mut().enumerate() {
                client.send(&Request::file(SIZES[number % 8]).bytes())?;
            }
            for (number, client) in clients.iter_mut().enumerate() {
                let request = Request::file(SIZES[number % 8]);
                let who = || format!("{name}: {number} of group {group} again");
                request
                    .check(&expect(client, &request).with_context(who)?)
                    .with_context(who)?;
            }
        }
    }
    Ok(())
}

/// Raises the number of files that this test may open, and that servers inherit, to the hard limit.
pub(crate) fn raise_file_limit() -> Result<()> {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    let current = maximum;
    Ok(setrlimit(Resource::Nofile, Rlimit { current, maximum })?)
}

/// Clients that ask without pause, on several threads, until told to stop. Half of them keep their connections.
#[derive(Debug)]
pub(crate) struct Load {
    pub(crate) stop: AtomicBool,
    pub(crate) answered: AtomicUsize,
    /// Connections that ended in place of an answer, where others had been answered on them before: what a server that
    /// closes an idle connection cannot avoid.
    pub(crate) ended: AtomicUsize,
}

impl Load {
    pub(crate) const fn new() -> Self {
        Self {
            stop: AtomicBool::new(false),
            answered: AtomicUsize::new(0),
            ended: AtomicUsize::new(0),
        }
    }

    /// Runs `during` beside the clients.
    pub(crate) fn around(
        &self,
        address: SocketAddr,
        clients: usize,
        during: impl FnOnce() -> Result<()>,
    ) -> Result<()> {
        thread::scope(|scope| {
            let threads: Vec<_> = (0..clients)
                .map(|number| {
                    scope.spawn(move || {
                        self.client(address, number)
                            .with_context(|| format!("client {number}"))
                    })
                })
                .collect();
            let outcome = during();
            self.stop.store(true, Ordering::SeqCst);
            for thread in threads {
                thread.join().ok().context("a client panicked")??;
            }
            outcome
        })
    }

    /// Waits until so many requests more were answered.
    pub(crate) fn wait_for(&self, more: usize) -> Result<()> {
        let begin = std::time::Instant::now();
        let goal = self.answered.load(Ordering::Relaxed) + more;
        while self.answered.load(Ordering::Relaxed) < goal {
            ensure!(
                begin.elapsed() < crate::process::PATIENCE * 2,
                "the clients get no answers any more"
            );
            thread::sleep(std::time::Duration::from_millis(1));
        }
        Ok(())
    }

    fn client(&self, address: SocketAddr, number: usize) -> Result<()> {
        let keep = number.is_multiple_of(2);
        let mut turn = number;
        while !self.stop.load(Ordering::SeqCst) {
            let mut client = Client::connect(address)?;
            for on_this in 0..if keep { usize::MAX } else { 1 } {
                turn = turn.wrapping_mul(5).wrapping_add(number + 1) % 4096;
                let mut request = Request::file(SIZES[turn / 3 % 11]);
                if !keep {
                    request = request.with("Connection: close");
                }
                let sent = client.send(&request.bytes());
                let answer = match sent {
                    Ok(()) => Answer::read(&mut client, "GET")?,
                    Err(_) if on_this > 0 => None,
                    Err(error) => return Err(error),
                };
                let Some(answer) = answer else {
                    ensure!(on_this > 0, "a new connection ended without an answer");
                    self.ended.fetch_add(1, Ordering::Relaxed);
                    break;
                };
                request.check(&answer)?;
                self.answered.fetch_add(1, Ordering::Relaxed);
                if answer.closes() {
                    client.expect_end()?;
                    break;
                }
                if self.stop.load(Ordering::SeqCst) {
                    break;
                }
            }
        }
        Ok(())
    }
}

/// Eight clients without pause, each of whose answers is checked.
pub(crate) fn loaded(pair: &Pair, requests: usize) -> Result<()> {
    for (name, server) in pair.both() {
        let load = Load::new();
        load.around(server.address(), 8, || load.wait_for(requests * 8))
            .context(name)?;
        let ended = load.ended.load(Ordering::Relaxed);
        ensure!(
            ended == 0,
            "{name}: {ended} connections ended in place of an answer"
        );
    }
    Ok(())
}
