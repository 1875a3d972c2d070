//! The same program twice.

use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};

use crate::library::Mode;
use crate::place::Place;
use crate::process::{PATIENCE, Server};

/// One server as it is, and one with the library.
#[derive(Debug)]
pub(crate) struct Pair {
    pub(crate) plain: Server,
    pub(crate) preloaded: Server,
}

impl Pair {
    pub(crate) fn start(
        place: &Place,
        mode: &Mode,
        start: impl Fn(&Place, &str, &Mode) -> Result<Server>,
    ) -> Result<Self> {
        let pair = Self {
            plain: start(place, "plain", &Mode::Plain)?,
            preloaded: start(place, "preloaded", mode)?,
        };
        if let Some(library) = mode.library() {
            // A program that has just executed itself anew has it in a moment.
            let begin = Instant::now();
            while !pair.preloaded.has_mapped(library)? {
                ensure!(begin.elapsed() < PATIENCE, "the library is not in the program");
                sleep(Duration::from_millis(10));
            }
        }
        Ok(pair)
    }

    /// Open sockets of both, once they do not change any more.
    pub(crate) fn settled_sockets(&self) -> Result<[usize; 2]> {
        Ok([self.plain.settled_sockets()?, self.preloaded.settled_sockets()?])
    }

    /// Both, with their names.
    pub(crate) fn both(&self) -> [(&'static str, &Server); 2] {
        [("plain", &self.plain), ("preloaded", &self.preloaded)]
    }
}
