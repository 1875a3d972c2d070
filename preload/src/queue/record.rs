//! A deferred call.

use libc::c_int;

/// A call that was deferred.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Kind {
    /// Send the bytes; `more` is `MSG_MORE`.
    Send {
        more: bool,
    },
    Cork(bool),
    Shutdown(c_int),
    Close,
}

/// A deferred call.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Record {
    pub(crate) fd: c_int,
    pub(crate) kind: Kind,
    /// Where its bytes are in the arena.
    pub(crate) start: u32,
    pub(crate) len: u32,
}

impl Record {
    /// Where the bytes of the next record begin.
    pub(crate) const fn end(&self) -> usize {
        (self.start + self.len) as usize
    }
}
