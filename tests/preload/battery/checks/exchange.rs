//! Protocols other than HTTP: commands and replies, their lengths in a line before them.

use std::net::SocketAddr;
use std::thread::sleep;
use std::time::Duration;

use anyhow::{Context, Result, bail};

use super::client::Client;
use super::difference;
use crate::pair::Pair;

/// How the end of a reply is found.
pub(crate) type ReadReply = fn(&mut Client) -> Result<Vec<u8>>;

/// A command, and its reply where that is known.
#[derive(Clone, Debug)]
pub(crate) struct Command {
    pub(crate) what: String,
    pub(crate) bytes: Vec<u8>,
    pub(crate) reply: Option<Vec<u8>>,
}

/// How the client goes about it.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Pace {
    /// Each reply is read before the next command.
    Turns,
    /// All commands at once.
    Pipelined,
    /// All commands at once, a tiny receive buffer, and late small bites.
    Slow,
}

/// Sends the same commands to both: the replies are the same bytes, and the right ones.
pub(crate) fn same(pair: &Pair, read: ReadReply, commands: &[Command], pace: Pace) -> Result<()> {
    let plain = ask(pair.plain.address(), read, commands, pace).context("the plain program itself")?;
    let preloaded = ask(pair.preloaded.address(), read, commands, pace)?;
    for ((command, plain), preloaded) in commands.iter().zip(plain).zip(preloaded) {
        let what = &command.what;
        if let Some(difference) = command.reply.as_ref().and_then(|reply| difference(reply, &plain)) {
            bail!("{what}: the plain program itself: {difference}");
        }
        if let Some(difference) = difference(&plain, &preloaded) {
            bail!("{what}: {difference}");
        }
    }
    Ok(())
}

fn ask(address: SocketAddr, read: ReadReply, commands: &[Command], pace: Pace) -> Result<Vec<Vec<u8>>> {
    let mut replies = Vec::new();
    if matches!(pace, Pace::Turns) {
        let mut client = Client::connect(address)?;
        for command in commands {
            client.send(&command.bytes)?;
            replies.push(read(&mut client).with_context(|| command.what.clone())?);
        }
        return Ok(replies);
    }
    let slow = matches!(pace, Pace::Slow);
    let mut client = if slow {
        Client::connect_narrow(address, 2048)?
    } else {
        Client::connect(address)?
    };
    let sending = client.send_beside(
        commands
            .iter()
            .flat_map(|command| command.bytes.clone())
            .collect(),
    )?;
    if slow {
        sleep(Duration::from_millis(50));
        for bite in 1..20 {
            client.receive(bite * 13)?;
            sleep(Duration::from_millis(1));
        }
    }
    for command in commands {
        replies.push(read(&mut client).with_context(|| command.what.clone())?);
    }
    sending.join().ok().context("the sender")??;
    Ok(replies)
}
