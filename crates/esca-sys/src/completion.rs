//! What comes back for an entry.

use batch_table::SysResult;

use crate::Buffer;

/// The end of an entry: its own result, and its memory.
#[derive(Debug)]
pub struct Completion {
    /// The value that was given with the operation.
    pub token: u64,
    /// What the call returned; [`SysResult::CANCELED`] where it did not run.
    pub result: SysResult,
    /// The buffer of the operation, if it had one. For a receiving operation it is the vector with what was received
    /// behind what it held before; the buffer's range is the received part.
    pub buffer: Option<Buffer>,
}

/// The `std::io::Error` for an error number.
#[cfg(feature = "std")]
#[must_use]
pub fn io_error(errno: batch_table::Errno) -> std::io::Error {
    std::io::Error::from_raw_os_error(errno.raw().into())
}
