//! Entries over memory that somebody else owns, for as long as a guard lives.

use core::fmt;
use core::marker::PhantomData;

use batch_table::nr::native as nr;

use super::{FlushError, PushError, Segment};
use crate::operation::{Payload, int};
use crate::{Completion, Descriptor, Executor, MsgFlags, Operation, address};

/// An operation over memory that it borrows for `'b`. It can be recorded only under a guard that has the entry finished
/// before the borrow ends: [`Segment::push_borrowed`].
///
/// Its completion has no buffer; what was received is in the caller's memory.
#[derive(Debug)]
pub struct BorrowedOperation<'b> {
    operation: Operation,
    memory: PhantomData<&'b mut [u8]>,
}

impl<'b> BorrowedOperation<'b> {
    fn new(nr: u32, args: [u64; 6], file: Descriptor) -> Self {
        Self {
            operation: Operation::new(nr, args, Payload::None, file),
            memory: PhantomData,
        }
    }

    /// `send`: result is the number of bytes taken.
    #[must_use]
    pub fn send(socket: Descriptor, bytes: &'b [u8], flags: MsgFlags) -> Self {
        let pointer = address(bytes.as_ptr());
        let args = [
            int(socket.fd),
            pointer,
            bytes.len() as u64,
            flags.bits().into(),
            0,
            0,
        ];
        Self::new(nr::SENDTO, args, socket)
    }

    /// `write`: result is the number of bytes taken.
    #[must_use]
    pub fn write(file: Descriptor, bytes: &'b [u8]) -> Self {
        let args = [int(file.fd), address(bytes.as_ptr()), bytes.len() as u64, 0, 0, 0];
        Self::new(nr::WRITE, args, file)
    }

    /// `read`: result is the number of bytes received, 0 at the end of the file.
    #[must_use]
    pub fn read(file: Descriptor, into: &'b mut [u8]) -> Self {
        let args = [
            int(file.fd),
            address(into.as_mut_ptr()),
            into.len() as u64,
            0,
            0,
            0,
        ];
        Self::new(nr::READ, args, file)
    }

    /// `recv`: result is the number of bytes received, 0 at the end of the stream; with `MSG_TRUNC` it may be more than
    /// what fits.
    #[must_use]
    pub fn recv(socket: Descriptor, into: &'b mut [u8], flags: MsgFlags) -> Self {
        let pointer = address(into.as_mut_ptr());
        let args = [
            int(socket.fd),
            pointer,
            into.len() as u64,
            flags.bits().into(),
            0,
            0,
        ];
        Self::new(nr::RECVFROM, args, socket)
    }

    /// In one chain with the next operation, as [`Operation::linked`] says.
    #[must_use]
    pub const fn linked(mut self) -> Self {
        self.operation.call.flags = self.operation.call.flags.union(batch_table::EntryFlags::LINK);
        self
    }
}

/// An operation over borrowed memory could not be recorded, because the table was full and could not be flushed. The
/// operation is in here.
#[derive(Debug)]
pub struct BorrowedPushError<'b> {
    rejected: PushError,
    memory: PhantomData<&'b mut [u8]>,
}

impl<'b> BorrowedPushError<'b> {
    /// The operation and its token.
    #[must_use]
    pub fn into_parts(self) -> (BorrowedOperation<'b>, u64) {
        let (operation, token) = self.rejected.into_parts();
        let memory = PhantomData;
        (BorrowedOperation { operation, memory }, token)
    }

    /// Why the table could not be flushed.
    #[must_use]
    pub fn cause(&self) -> FlushError {
        self.rejected.cause()
    }
}

impl fmt::Display for BorrowedPushError<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.rejected.fmt(f)
    }
}

impl core::error::Error for BorrowedPushError<'_> {}

/// Keeps a segment, and the memory that entries of it borrow for `'b`, until those entries are finished.
///
/// Dropping it runs what is recorded, the entries before the guard's included, also while a panic unwinds: a plain call in
/// the place of each entry would have run, too. Where the executor fails as a whole, plain calls stand in. So when the guard
/// is gone, every entry has its result, and completions wait in the segment.
///
/// The segment itself cannot be reached in the meantime; otherwise it could be swapped for another one.
pub struct Borrowing<'s, 'b, X: Executor> {
    segment: &'s mut Segment<X>,
    memory: PhantomData<&'b mut [u8]>,
}

impl<X: Executor> Segment<X> {
    /// Records an operation over borrowed memory. The guard records more of them, and has all of them finished when it is
    /// dropped.
    ///
    /// # Errors
    ///
    /// [`BorrowedPushError`] with the operation, where the executor failed as a whole.
    ///
    /// # Safety
    ///
    /// - The guard is dropped before the memory that entries under it borrow is used otherwise, moved or freed. That is
    ///   so wherever it simply goes out of scope; what must not happen is that it is leaked: by
    ///   [`forget`](core::mem::forget), in a [`ManuallyDrop`](core::mem::ManuallyDrop), in a cycle of counted references.
    ///   The borrow would end with the guard's last use, and the entries would still point there.
    pub unsafe fn push_borrowed<'b>(
        &mut self,
        operation: BorrowedOperation<'b>,
        token: u64,
    ) -> Result<Borrowing<'_, 'b, X>, BorrowedPushError<'b>> {
        let mut guard = Borrowing {
            segment: self,
            memory: PhantomData,
        };
        match guard.record(operation, token) {
            Ok(()) => Ok(guard),
            Err(error) => {
                // Nothing was recorded under it: its drop would run what the caller recorded before and may want to keep.
                core::mem::forget(guard);
                Err(error)
            }
        }
    }
}

impl<'b, X: Executor> Borrowing<'_, 'b, X> {
    fn record(&mut self, operation: BorrowedOperation<'b>, token: u64) -> Result<(), BorrowedPushError<'b>> {
        let memory = PhantomData;
        let pushed = self.segment.push(operation.operation, token);
        pushed.map_err(|rejected| BorrowedPushError { rejected, memory })
    }

    /// Records another operation over borrowed memory, under the same promise as that of the guard.
    ///
    /// # Errors
    ///
    /// [`BorrowedPushError`] with the operation, where the executor failed as a whole.
    pub fn push_borrowed(
        &mut self,
        operation: BorrowedOperation<'b>,
        token: u64,
    ) -> Result<(), BorrowedPushError<'b>> {
        self.record(operation, token)
    }

    /// Records an operation that owns its memory: [`Segment::push`].
    ///
    /// # Errors
    ///
    /// [`PushError`] with the operation, where the executor failed as a whole.
    pub fn push(&mut self, operation: Operation, token: u64) -> Result<(), PushError> {
        self.segment.push(operation, token)
    }

    /// Runs everything that has been recorded: [`Segment::flush`].
    ///
    /// # Errors
    ///
    /// [`FlushError`] where the executor failed as a whole; what has not run stays recorded, until the guard is dropped at
    /// the latest.
    pub fn flush(&mut self) -> Result<usize, FlushError> {
        self.segment.flush()
    }

    /// The next completion: [`Segment::next_completion`].
    pub fn next_completion(&mut self) -> Option<Completion> {
        self.segment.next_completion()
    }

    /// Number of operations that wait for a flush.
    #[must_use]
    pub const fn pending(&self) -> usize {
        self.segment.pending()
    }
}

impl<X: Executor> fmt::Debug for Borrowing<'_, '_, X> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Borrowing")
            .field("pending", &self.pending())
            .finish_non_exhaustive()
    }
}

impl<X: Executor> Drop for Borrowing<'_, '_, X> {
    fn drop(&mut self) {
        /// Finishes the rest, even where the executor panics.
        struct Rest<'a, X: Executor>(&'a mut Segment<X>);
        impl<X: Executor> Drop for Rest<'_, X> {
            fn drop(&mut self) {
                self.0.flush_plain();
                // Nothing is left for the executor; the chain ends.
                let _ = self.0.flush();
            }
        }
        let rest = Rest(self.segment);
        // What it could not run, the plain calls do.
        let _ = rest.0.flush();
    }
}
