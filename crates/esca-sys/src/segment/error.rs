//! What can go wrong with a segment as a whole. What goes wrong with a call is its result.

use alloc::boxed::Box;
use core::fmt;

use batch_table::{Errno, LayoutError};

use crate::Operation;

/// A segment could not be made.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum SegmentError {
    /// The capacity is not a power of two in `1..=4096`.
    Capacity(u32),
    /// There is no memory for the table, or the executor's device gave none.
    Memory(Errno),
    /// The memory that the executor gave is not a table.
    Layout(LayoutError),
}

impl fmt::Display for SegmentError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Capacity(capacity) => {
                write!(
                    f,
                    "segment capacity {capacity} is not a power of two between 1 and 4096"
                )
            }
            Self::Memory(errno) => write!(f, "no memory for the table of a segment: {errno}"),
            Self::Layout(error) => write!(f, "the memory given for a segment is not a table: {error}"),
        }
    }
}

impl core::error::Error for SegmentError {}

/// The executor failed as a whole. What has not run is still recorded, and another flush tries again.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct FlushError {
    pub(super) errno: Errno,
}

impl FlushError {
    /// What the executor said.
    #[must_use]
    pub const fn errno(self) -> Errno {
        self.errno
    }
}

impl fmt::Display for FlushError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the executor could not run the batch: {}", self.errno)
    }
}

impl core::error::Error for FlushError {}

/// An operation could not be recorded, because the table was full and could not be flushed. The operation is in here.
#[derive(Debug)]
pub struct PushError(pub(super) Box<Rejected>);

#[derive(Debug)]
pub(super) struct Rejected {
    pub(super) operation: Operation,
    pub(super) token: u64,
    pub(super) cause: FlushError,
}

impl PushError {
    /// The operation and its token.
    #[must_use]
    pub fn into_parts(self) -> (Operation, u64) {
        (self.0.operation, self.0.token)
    }

    /// Why the table could not be flushed.
    #[must_use]
    pub fn cause(&self) -> FlushError {
        self.0.cause
    }
}

impl fmt::Display for PushError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "the table of the segment is full and could not be flushed: {}",
            self.0.cause
        )
    }
}

impl core::error::Error for PushError {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        Some(&self.0.cause)
    }
}
