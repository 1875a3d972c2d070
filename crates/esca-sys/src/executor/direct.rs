//! One system call for each entry.

use batch_table::{Chain, Errno, Step, Table};

use super::{Description, Executor};

/// Makes the calls one after the other: the executor that is always there, and the meaning that the others have to match.
#[derive(Clone, Copy, Debug, Default)]
pub struct Direct;

impl Direct {
    /// The executor; it has no state.
    #[must_use]
    pub const fn new() -> Self {
        Self
    }
}

// SAFETY: `walk` completes or cancels each ready entry in order and keeps the chain; a system call has ended when it
// returns, so nothing is in flight.
unsafe impl Executor for Direct {
    #[inline]
    unsafe fn run(&mut self, table: &Table<'_>, first: u32, count: u32) -> Result<u32, Errno> {
        let done = table.executor().walk(first, count, &mut Chain::new(), |_, call| {
            // SAFETY: the caller promises that the entry's call is sound to make now; `walk` hands out a copy of a ready
            // entry among the `count`.
            Step::Done(unsafe { crate::syscall(call.nr, &call.args) })
        });
        Ok(done)
    }

    #[inline]
    fn is_plain(&self, _: u32) -> bool {
        true
    }

    fn describe(&self) -> Description {
        Description {
            name: "direct",
            why: "one system call for each entry",
        }
    }
}
