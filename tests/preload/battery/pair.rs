//! The same program twice.

use std::time::Duration;

use anyhow::{Result, ensure};

use crate::library::Mode;
use crate::patience::Patience;
use crate::place::Place;
use crate::process::Server;

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
            let mut patience = Patience::new();
            while !pair.preloaded.has_mapped(library)? {
                ensure!(
                    patience.lasts(Duration::from_millis(10)),
                    "the library is not in the program"
                );
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
