//! Many connections.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Condvar, Mutex};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use super::answers::Traits;
use super::client::Client;
use super::http::{Answer, Request, expect};
use crate::pair::Pair;
use crate::patience::Patience;
use crate::place::SIZES;

/// Holds this many connections, each of which asks, and asks again when all have asked. They are fewer where this process may
/// not open so many files.
pub(crate) fn held(pair: &Pair, connections: usize, traits: Traits) -> Result<()> {
    let wanted = connections.min(traits.most_connections);
    let places = Places::take(wanted)?;
    let connections = places.0;
    if connections < wanted {
        println!("{connections} connections in place of {wanted}: the limit of open files is too low");
    }
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

/// Some of the files that this process may open, for all its tests.
#[derive(Debug)]
struct Places(usize);

/// Files that are not counted: those of all other checks.
const OTHER_FILES: usize = 1000;
static TAKEN: Mutex<usize> = Mutex::new(0);
static GIVEN_BACK: Condvar = Condvar::new();

impl Places {
    /// Waits until that many are free, or takes as many as there are at most.
    fn take(wanted: usize) -> Result<Self> {
        let all = usize::try_from(raise_file_limit()?).unwrap_or(usize::MAX);
        let most = all.saturating_sub(OTHER_FILES).max(all / 4);
        let wanted = wanted.min(most);
        let taken = TAKEN.lock().ok().context("a test panicked")?;
        let taken = GIVEN_BACK.wait_while(taken, |taken| *taken + wanted > most);
        *taken.ok().context("a test panicked")? += wanted;
        Ok(Self(wanted))
    }
}

impl Drop for Places {
    fn drop(&mut self) {
        if let Ok(mut taken) = TAKEN.lock() {
            *taken -= self.0;
        }
        GIVEN_BACK.notify_all();
    }
}

/// Raises the number of files that this test may open, and that servers inherit, to the hard limit, and says what that is.
pub(crate) fn raise_file_limit() -> Result<u64> {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    let current = maximum;
    setrlimit(Resource::Nofile, Rlimit { current, maximum })?;
    Ok(maximum.unwrap_or(u64::MAX))
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
        let mut patience = Patience::new();
        let goal = self.answered.load(Ordering::Relaxed) + more;
        while self.answered.load(Ordering::Relaxed) < goal {
            ensure!(
                patience.lasts(Duration::from_millis(1)),
                "of {more} answers the clients have got {}, and get no more",
                (self.answered.load(Ordering::Relaxed) + more).saturating_sub(goal)
            );
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
