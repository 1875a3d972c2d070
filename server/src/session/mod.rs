//! What the coroutines of one worker run on: its clock, its buffers, its batch of system calls, and their connections.

mod buffers;
mod clock;
mod context;
pub(crate) mod encode;
mod io;

pub(crate) use self::context::Context;
pub(crate) use self::io::{Broken, Io, Park, RecvError, Wake};
