//! Who runs the entries of a segment.

#[cfg(feature = "std")]
mod choice;
mod direct;
#[cfg(feature = "std")]
mod kernel;
#[cfg(feature = "std")]
mod uring;

use core::fmt;

use batch_table::{Errno, Table};
pub use direct::Direct;
#[cfg(feature = "std")]
pub use {
    choice::{AnyExecutor, ChoiceError},
    kernel::{Kernel, KernelError},
    uring::Uring,
};

#[cfg(feature = "alloc")]
use crate::TableMemory;

/// What an executor is, and why this one runs; its `Display` form is `name: why`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Description {
    /// Name, as in `ESCA_EXECUTOR`.
    pub name: &'static str,
    /// How it runs a batch, or why it was chosen.
    pub why: &'static str,
}

impl fmt::Display for Description {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.name, self.why)
    }
}

/// Runs the ready entries of a table.
///
/// All executors give the same results for the same entries: what plain calls, one after the other, would have returned.
///
/// # Safety
///
/// An implementation promises for [`run`](Self::run):
///
/// - When it returns `Ok(n)`, the first `n` entries have been completed or cancelled (those that were ready), and
///   the others are as they were.
/// - When it returns or unwinds, nothing is in flight: no memory that an entry names will be read or written any more.
/// - Entries act on each file in the order in which they stand in the table, and a chain is honoured
///   ([`Chain`](batch_table::Chain)).
pub unsafe trait Executor {
    /// Memory for a table of `capacity` entries, which this executor will be asked to run.
    ///
    /// # Errors
    ///
    /// `EINVAL` for a capacity that no table may have, `ENOMEM` or what the executor's device says.
    #[cfg(feature = "alloc")]
    fn allocate(&mut self, capacity: u32) -> Result<TableMemory, Errno> {
        TableMemory::heap(capacity)
    }

    /// Runs `count` entries from position `first` on and returns how many of them are finished. It may stop early, for
    /// instance for a signal; it is called again for the rest.
    ///
    /// # Errors
    ///
    /// The executor itself failed and no entry was touched.
    ///
    /// # Safety
    ///
    /// - Every ready entry among the `count` holds a call that is sound to make now ([`syscall`](crate::syscall)), and what
    ///   it points to stays valid until this returns.
    unsafe fn run(&mut self, table: &Table<'_>, first: u32, count: u32) -> Result<u32, Errno>;

    /// Whether [`run`](Self::run) would make plain calls, one for each of `count` entries on this thread, and nothing else.
    /// For a single entry a segment makes the call itself, then.
    #[inline]
    fn is_plain(&self, count: u32) -> bool {
        let _ = count;
        false
    }

    /// What this executor is.
    fn describe(&self) -> Description;
}

/// The error of a rustix call.
#[cfg(feature = "std")]
fn from_rustix(errno: rustix::io::Errno) -> Errno {
    u64::try_from(errno.raw_os_error())
        .ok()
        .and_then(Errno::from_raw)
        .unwrap_or(Errno::EINVAL)
}
