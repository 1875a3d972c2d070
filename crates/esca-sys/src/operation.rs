//! System calls to record, and what belongs to them.

use alloc::vec::Vec;
use core::fmt;
#[cfg(feature = "std")]
use std::os::fd::{AsRawFd, OwnedFd};

use batch_table::{Call, EntryFlags, nr::native as nr};

use crate::descriptor::Owner;
use crate::optimise::Hint;
use crate::{
    AcceptFlags, Buffer, Descriptor, EpollEvent, EpollOp, MsgFlags, Shutdown, SpliceFlags, Vectored, address,
};

/// A system call with everything that it needs until it has run: arguments, buffers, open files.
///
/// Every constructor but [`raw`](Self::raw) and [`close_raw`](Self::close_raw) is safe, because the operation owns what
/// its arguments point to.
pub struct Operation {
    pub(crate) call: Call,
    pub(crate) payload: Payload,
    pub(crate) hint: Hint,
    pub(crate) blocks: bool,
    /// Keep the files open. Two fields rather than an array, which would be copied as one wide word right after its
    /// halves were stored, and wait for both.
    pub(crate) first: Owner,
    pub(crate) second: Owner,
}

/// What the arguments of an entry point to.
#[derive(Default)]
pub(crate) enum Payload {
    #[default]
    None,
    /// Bytes to send, or another buffer that comes back as it was.
    Buffer(Buffer),
    /// Receives into the spare capacity.
    Fill(Vec<u8>),
    /// Receives events into the spare capacity.
    FillEvents(Vec<EpollEvent>),
    /// Up to two words that live in the segment; each `Some` is the index of the argument that points to the word.
    Words { words: [u64; 2], args: [Option<u8>; 2] },
    /// A descriptor that the entry closes; where it does not run, dropping does.
    #[cfg(feature = "std")]
    Close(OwnedFd),
}

impl fmt::Debug for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Operation")
            .field("nr", &self.call.nr)
            .field("flags", &self.call.flags)
            .field("args", &self.call.args)
            .finish_non_exhaustive()
    }
}

/// A descriptor or another `int` as an argument: sign-extended, as a C compiler passes it.
pub(crate) const fn int(value: i32) -> u64 {
    (value as i64).cast_unsigned()
}

impl Operation {
    #[inline]
    pub(crate) fn new(nr: u32, args: [u64; 6], payload: Payload, file: Descriptor) -> Self {
        let Descriptor { stream, owner, .. } = file;
        Self {
            call: Call::new(nr, args),
            payload,
            hint: Hint {
                tcp: stream,
                option: None,
            },
            blocks: false,
            first: owner,
            second: Owner::default(),
        }
    }

    #[inline]
    fn with_second(mut self, file: Descriptor) -> Self {
        self.second = file.owner;
        self
    }

    /// `send`: result is the number of bytes taken. A gathered buffer goes out as [`send_vectored`](Self::send_vectored)
    /// does.
    #[inline]
    #[must_use]
    pub fn send(socket: Descriptor, bytes: impl Into<Buffer>, flags: MsgFlags) -> Self {
        let bytes = bytes.into();
        if bytes.is_vectored() {
            return Self::send_gathered(socket, bytes, flags);
        }
        let (pointer, len) = parts(&bytes);
        let args = [int(socket.fd), pointer, len, flags.bits().into(), 0, 0];
        Self::new(nr::SENDTO, args, Payload::Buffer(bytes), socket)
    }

    #[cold]
    fn send_gathered(socket: Descriptor, bytes: Buffer, flags: MsgFlags) -> Self {
        Self::send_vectored(socket, bytes.into_vectored().unwrap_or_default(), flags)
    }

    #[cold]
    fn write_gathered(file: Descriptor, bytes: Buffer) -> Self {
        Self::writev(file, bytes.into_vectored().unwrap_or_default())
    }

    /// `sendmsg` of several buffers: result is the number of bytes taken.
    #[inline]
    #[must_use]
    pub fn send_vectored(socket: Descriptor, mut parts: Vectored, flags: MsgFlags) -> Self {
        let (message, _, _) = parts.describe();
        let args = [
            int(socket.fd),
            message,
            flags.bits().into(),
            parts.len() as u64,
            0,
            0,
        ];
        Self::new(
            nr::SENDMSG,
            args,
            Payload::Buffer(Buffer::vectored(parts)),
            socket,
        )
    }

    /// `writev`: result is the number of bytes taken.
    #[inline]
    #[must_use]
    pub fn writev(file: Descriptor, mut parts: Vectored) -> Self {
        let (_, vectors, count) = parts.describe();
        let args = [int(file.fd), vectors, count, parts.len() as u64, 0, 0];
        Self::new(nr::WRITEV, args, Payload::Buffer(Buffer::vectored(parts)), file)
    }

    /// `write`: result is the number of bytes taken. A gathered buffer goes out as [`writev`](Self::writev) does.
    #[inline]
    #[must_use]
    pub fn write(file: Descriptor, bytes: impl Into<Buffer>) -> Self {
        let bytes = bytes.into();
        if bytes.is_vectored() {
            return Self::write_gathered(file, bytes);
        }
        let (pointer, len) = parts(&bytes);
        Self::new(
            nr::WRITE,
            [int(file.fd), pointer, len, 0, 0, 0],
            Payload::Buffer(bytes),
            file,
        )
    }

    /// `read` into the spare capacity of a vector: result is the number of bytes received, 0 at the end of the file.
    #[inline]
    #[must_use]
    pub fn read(file: Descriptor, mut into: Vec<u8>) -> Self {
        let (pointer, len) = spare(&mut into);
        Self::new(
            nr::READ,
            [int(file.fd), pointer, len, 0, 0, 0],
            Payload::Fill(into),
            file,
        )
    }

    /// `recv` into the spare capacity of a vector: result is the number of bytes received, 0 at the end of the stream.
    ///
    /// `MSG_TRUNC` is taken out of the flags: with it the result would be more than what was received.
    #[inline]
    #[must_use]
    pub fn recv(socket: Descriptor, mut into: Vec<u8>, flags: MsgFlags) -> Self {
        const MSG_TRUNC: u32 = 0x20;
        let (pointer, len) = spare(&mut into);
        let args = [
            int(socket.fd),
            pointer,
            len,
            (flags.bits() & !MSG_TRUNC).into(),
            0,
            0,
        ];
        Self::new(nr::RECVFROM, args, Payload::Fill(into), socket)
    }

    /// `sendfile` from `offset` of a file; the file's own position stays. Result is the number of bytes sent, 0 at the
    /// end of the file.
    #[inline]
    #[must_use]
    pub fn sendfile(socket: Descriptor, file: Descriptor, offset: u64, count: u64) -> Self {
        let args = [int(socket.fd), int(file.fd), 0, count, 0, 0];
        let payload = Payload::Words {
            words: [offset, 0],
            args: [Some(2), None],
        };
        Self::new(nr::SENDFILE, args, payload, socket).with_second(file)
    }

    /// `splice`, one side of which is a pipe. An offset stands for the file's own position, which then stays.
    #[inline]
    #[must_use]
    pub fn splice(
        from: Descriptor,
        from_offset: Option<u64>,
        to: Descriptor,
        to_offset: Option<u64>,
        count: u64,
        flags: SpliceFlags,
    ) -> Self {
        let args = [int(from.fd), 0, int(to.fd), 0, count, flags.bits().into()];
        let payload = Payload::Words {
            words: [from_offset.unwrap_or(0), to_offset.unwrap_or(0)],
            args: [from_offset.map(|_| 1), to_offset.map(|_| 3)],
        };
        Self::new(nr::SPLICE, args, payload, from).with_second(to)
    }

    /// `shutdown` of one or both directions.
    #[inline]
    #[must_use]
    pub fn shutdown(socket: Descriptor, how: Shutdown) -> Self {
        let args = [int(socket.fd), (how as u32).into(), 0, 0, 0, 0];
        Self::new(nr::SHUTDOWN, args, Payload::None, socket)
    }

    /// `close`. Where the entry does not run (its chain broke, the segment was dropped), the descriptor is closed when
    /// the completion is taken or the segment dropped; it never leaks.
    #[cfg(feature = "std")]
    #[inline]
    #[must_use]
    pub fn close(file: OwnedFd) -> Self {
        let args = [int(file.as_raw_fd()), 0, 0, 0, 0, 0];
        // SAFETY: the operation owns the descriptor, so it stays open until the entry itself closes it.
        let number = unsafe { Descriptor::raw(file.as_raw_fd()) };
        Self::new(nr::CLOSE, args, Payload::Close(file), number)
    }

    /// `close` of a number.
    ///
    /// # Safety
    ///
    /// - The caller owns the descriptor and gives it up: nothing else uses or closes the number, up to the completion of
    ///   this entry and after. Where the completion says that the entry did not run, the descriptor is the caller's again.
    #[inline]
    #[must_use]
    pub unsafe fn close_raw(fd: i32) -> Self {
        // SAFETY: the caller promises that the number is not reused before the entry has run.
        let number = unsafe { Descriptor::raw(fd) };
        Self::new(nr::CLOSE, [int(fd), 0, 0, 0, 0, 0], Payload::None, number)
    }

    /// `accept4` without the peer's address: result is the new descriptor, which the caller owns.
    #[inline]
    #[must_use]
    pub fn accept4(listener: Descriptor, flags: AcceptFlags) -> Self {
        let args = [int(listener.fd), 0, 0, flags.bits().into(), 0, 0];
        Self::new(nr::ACCEPT4, args, Payload::None, listener)
    }

    /// `epoll_ctl`.
    #[inline]
    #[must_use]
    pub fn epoll_ctl(epoll: Descriptor, op: EpollOp, file: Descriptor, event: EpollEvent) -> Self {
        let args = [int(epoll.fd), (op as u32).into(), int(file.fd), 0, 0, 0];
        let (events, data) = (event.events, event.data);
        let words = if cfg!(target_arch = "x86_64") {
            // Packed: the data begins in the upper half of the first word.
            [u64::from(events) | data << 32, data >> 32]
        } else {
            [events.into(), data]
        };
        let payload = Payload::Words {
            words,
            args: [Some(3), None],
        };
        Self::new(nr::EPOLL_CTL, args, payload, epoll).with_second(file)
    }

    /// `epoll_wait` into the spare capacity of a vector of events: result is their number. `timeout_ms` below 0 waits
    /// without limit.
    ///
    /// It may block, so it is the last entry of its batch: pushing another one behind it flushes first. A signal ends it
    /// with `EINTR`.
    #[inline]
    #[must_use]
    pub fn epoll_wait(epoll: Descriptor, mut into: Vec<EpollEvent>, timeout_ms: i32) -> Self {
        let room = into.spare_capacity_mut();
        let count = i32::try_from(room.len()).unwrap_or(i32::MAX);
        let args = [
            int(epoll.fd),
            address(room.as_mut_ptr()),
            int(count),
            int(timeout_ms),
            0,
            8,
        ];
        let mut operation = Self::new(nr::EPOLL_PWAIT, args, Payload::FillEvents(into), epoll);
        operation.blocks = true;
        operation
    }

    /// `setsockopt` with a value of type `int`.
    #[inline]
    #[must_use]
    pub fn setsockopt_int(socket: Descriptor, level: i32, name: i32, value: i32) -> Self {
        let args = [
            int(socket.fd),
            int(level),
            int(name),
            0,
            size_of::<i32>() as u64,
            0,
        ];
        let payload = Payload::Words {
            words: [value.cast_unsigned().into(), 0],
            args: [Some(3), None],
        };
        let mut operation = Self::new(nr::SETSOCKOPT, args, payload, socket);
        operation.hint.option = Some(value != 0);
        operation
    }

    /// `setsockopt` with a value of any form.
    #[inline]
    #[must_use]
    pub fn setsockopt(socket: Descriptor, level: i32, name: i32, value: impl Into<Buffer>) -> Self {
        let value = value.into();
        let (pointer, len) = parts(&value);
        let args = [int(socket.fd), int(level), int(name), pointer, len, 0];
        Self::new(nr::SETSOCKOPT, args, Payload::Buffer(value), socket)
    }

    /// `fsync`.
    #[inline]
    #[must_use]
    pub fn fsync(file: Descriptor) -> Self {
        Self::new(nr::FSYNC, [int(file.fd), 0, 0, 0, 0, 0], Payload::None, file)
    }

    /// Any system call.
    ///
    /// # Safety
    ///
    /// - The call must be sound to make at any moment until the completion has been taken, on the thread that flushes, and
    ///   what its arguments point to must stay valid for it until then. See [`syscall`](crate::syscall).
    #[inline]
    #[must_use]
    pub unsafe fn raw(nr: u32, args: [u64; 6]) -> Self {
        Self {
            call: Call::new(nr, args),
            payload: Payload::None,
            hint: Hint {
                tcp: false,
                option: None,
            },
            blocks: false,
            first: Owner::default(),
            second: Owner::default(),
        }
    }

    /// May block for long, as [`epoll_wait`](Self::epoll_wait) does, and so is the last entry of its batch: pushing another one
    /// behind it flushes first. For operations made by [`raw`](Self::raw).
    #[inline]
    #[must_use]
    pub const fn may_block(mut self) -> Self {
        self.blocks = true;
        self
    }

    /// In one chain with the next operation: if this one fails or is short, the rest of the chain does not run and
    /// completes with `ECANCELED`.
    ///
    /// Short means fewer bytes than asked for, in calls that move bytes; a `recv` counts only with `MSG_WAITALL`. A chain
    /// ends with the first operation that is not linked, or with an explicit flush.
    #[inline]
    #[must_use]
    pub const fn linked(mut self) -> Self {
        self.call.flags = self.call.flags.union(EntryFlags::LINK);
        self
    }
}

/// Address and length of the bytes to send.
#[inline]
fn parts(bytes: &Buffer) -> (u64, u64) {
    let slice = bytes.as_slice();
    (address(slice.as_ptr()), slice.len() as u64)
}

/// Address and length of the room behind the contents of a vector.
#[inline]
fn spare(into: &mut Vec<u8>) -> (u64, u64) {
    let room = into.spare_capacity_mut();
    (address(room.as_mut_ptr()), room.len() as u64)
}
