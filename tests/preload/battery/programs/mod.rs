//! The programs, one a file: how each is started, and what is asked of it.

mod apache;
mod cpython;
mod curl;
mod haproxy;
mod lighttpd;
mod memcached;
mod naive;
mod nginx;
mod redis;

use anyhow::Result;

use crate::checks::answers::{self, Traits};
use crate::checks::client::Client;
use crate::checks::exchange::{self, Pace};
use crate::checks::{Verdict, many, paces};
use crate::library::{Mode, can_run};
use crate::pair::Pair;
use crate::place::{Place, SIZES};
use crate::process::Server;
use crate::scale::Scale;

/// Makes a test for each executor of each configuration.
macro_rules! on_each_executor {
    ($($name:ident => $hold:expr;)*) => { $(
        mod $name {
            use super::*;

            #[test]
            fn direct() {
                $crate::programs::rounds("direct", $hold);
            }

            #[test]
            fn uring() {
                $crate::programs::rounds("uring", $hold);
            }
        }
    )* };
}
use on_each_executor;

/// Calls `hold` as often as this run asks for.
fn rounds(executor: &'static str, hold: impl Fn(&Mode, &Scale, &mut Verdict)) {
    if !can_run(executor) {
        return;
    }
    let scale = Scale::of_this_run();
    let mode = Mode::preloaded(executor).expect("the library");
    for _ in 0..scale.rounds {
        let mut verdict = Verdict::default();
        hold(&mode, &scale, &mut verdict);
        verdict.deliver();
    }
}

/// Everything that a server of files is asked.
fn serve_files(
    mode: &Mode,
    scale: &Scale,
    traits: Traits,
    verdict: &mut Verdict,
    start: impl Fn(&Place, &str, &Mode) -> Result<Server>,
) {
    let (place, pair) = match pair(mode, start) {
        Ok(both) => both,
        Err(error) => return verdict.check("the pair", || Err(error)),
    };
    verdict.check("keep-alive", || answers::keep_alive(&pair));
    let before = pair.settled_sockets();
    verdict.check("close", || answers::close(&pair));
    verdict.check("kinds", || answers::kinds(&pair));
    if traits.ranges {
        verdict.check("ranges", || answers::ranges(&pair));
    }
    verdict.check("pipelined", || paces::pipelined(&pair, traits));
    verdict.check("slow readers", || paces::slow_readers(&pair));
    verdict.check("slow crowd", || paces::slow_crowd(&pair));
    verdict.check("aborts", || paces::aborts(&pair, scale.aborts));
    verdict.check("crowd", || paces::crowd(&pair));
    verdict.check("many held", || many::held(&pair, scale.connections, traits));
    verdict.check("loaded", || many::loaded(&pair, scale.load));
    verdict.check("nothing left", || paces::nothing_left(&pair, before?));
    drop(place);
}

/// How a server of values is asked.
struct Values {
    /// Stores a value of every size and reads it back.
    values: fn() -> Vec<exchange::Command>,
    /// Reads so many of them back.
    reads: fn(usize) -> Vec<exchange::Command>,
    read_reply: fn(&mut Client) -> Result<Vec<u8>>,
    /// So many clients that go away in the midst of a large reply.
    aborts: fn(&Pair, usize) -> Result<()>,
}

/// Everything that a server of values is asked, and `more` that is its own.
fn serve_values(
    mode: &Mode,
    scale: &Scale,
    asked: &Values,
    verdict: &mut Verdict,
    start: impl Fn(&Place, &str, &Mode) -> Result<Server>,
    more: impl FnOnce(&Pair, &mut Verdict),
) {
    let (place, pair) = match pair(mode, start) {
        Ok(both) => both,
        Err(error) => return verdict.check("the pair", || Err(error)),
    };
    let before = pair.settled_sockets();
    let same = |commands: &[_], pace| exchange::same(&pair, asked.read_reply, commands, pace);
    verdict.check("values", || same(&(asked.values)(), Pace::Turns));
    verdict.check("values, pipelined", || same(&(asked.values)(), Pace::Pipelined));
    verdict.check("values, slowly", || same(&(asked.reads)(10), Pace::Slow));
    verdict.check("aborts", || (asked.aborts)(&pair, scale.aborts));
    more(&pair, verdict);
    let all = (asked.reads)(SIZES.len());
    verdict.check("values, again", || same(&all, Pace::Pipelined));
    verdict.check("nothing left", || paces::nothing_left(&pair, before?));
    drop(place);
}

fn pair(mode: &Mode, start: impl Fn(&Place, &str, &Mode) -> Result<Server>) -> Result<(Place, Pair)> {
    many::raise_file_limit()?;
    let place = Place::new()?;
    let pair = Pair::start(&place, mode, start)?;
    Ok((place, pair))
}
