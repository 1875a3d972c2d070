//! The calls that a batch records.

use std::ffi::{c_int, c_uint, c_void};
use std::slice;

use batch_table::nr::native as nr;
use esca_sys::{Errno, MsgFlags, Operation, SpliceFlags, Vectored};
use libc::{iovec, socklen_t};

use crate::errors::negated;
use crate::payload::Bytes;
use crate::thread::{Thread, with};

/// `UIO_MAXIOV`: more parts the kernel refuses before it looks at any.
pub(crate) const MAX_PARTS: usize = 1024;

/// An `int` as an argument: sign-extended, as a C compiler passes it.
pub(crate) const fn int(value: c_int) -> u64 {
    (value as i64).cast_unsigned()
}

pub(crate) fn address<T>(pointer: *const T) -> u64 {
    pointer.expose_provenance() as u64
}

/// Makes the call at once or, in a batch, records what `operation` makes of it. Returns the token.
///
/// # Safety
///
/// - The call with these arguments is sound to make now.
pub(crate) unsafe fn submit(
    nr: u32,
    args: &[u64; 6],
    operation: impl FnOnce(&mut Thread) -> Result<Operation, Errno>,
) -> i64 {
    let token = with(|thread| {
        if thread.in_batch() {
            let operation = operation(thread);
            thread.record(operation)
        } else {
            // SAFETY: sound now, by the caller's promise.
            unsafe { thread.call(nr, args) }
        }
    });
    token.unwrap_or_else(negated)
}

/// Makes the call at once or, in a batch, records it with its arguments as they are.
///
/// # Safety
///
/// - The call with these arguments is sound to make at any moment until the batch has been flushed.
pub(crate) unsafe fn submit_raw(nr: u32, args: [u64; 6]) -> i64 {
    // SAFETY: sound until the flush, by the caller's promise.
    let operation = || unsafe { Operation::raw(nr, args) };
    // SAFETY: sound now, by the same promise.
    unsafe { submit(nr, &args, |_| Ok(operation())) }
}

/// `send` or, without flags and for any file, `write`, in the form that can be merged where the file is a TCP socket:
/// there both are the same call.
pub(crate) fn send_or_write(
    thread: &mut Thread,
    fd: c_int,
    flags: Option<c_int>,
    bytes: impl Into<esca_sys::Buffer>,
) -> Operation {
    let file = thread.descriptor(fd);
    let bytes = bytes.into();
    match flags {
        Some(flags) => Operation::send(file, bytes, MsgFlags::from_bits(flags.cast_unsigned())),
        None if file.is_tcp() && !bytes.is_empty() => Operation::send(file, bytes, MsgFlags::NONE),
        None => Operation::write(file, bytes),
    }
}

/// The arguments of `send`, or without flags of `write`.
fn arguments(fd: c_int, flags: Option<c_int>, bytes: Bytes) -> (u32, [u64; 6]) {
    let nr = if flags.is_some() { nr::SENDTO } else { nr::WRITE };
    let flags = flags.map_or(0, int);
    (
        nr,
        [int(fd), address(bytes.pointer), bytes.len as u64, flags, 0, 0],
    )
}

/// `send` or `write` of a copy.
///
/// # Safety
///
/// - The bytes can be read during the call.
unsafe fn copied(fd: c_int, flags: Option<c_int>, bytes: Bytes) -> i64 {
    let (nr, args) = arguments(fd, flags, bytes);
    if !bytes.plausible() {
        // SAFETY: the kernel refuses a null pointer with a length, and a length that no memory has, without touching memory.
        return unsafe { submit_raw(nr, args) };
    }
    let operation = |thread: &mut Thread| {
        // SAFETY: readable during this call, by the caller's promise.
        let bytes = unsafe { bytes.as_slice() };
        let copy = thread.pool.copy(bytes)?;
        Ok(send_or_write(thread, fd, flags, copy))
    };
    // SAFETY: the kernel reads bytes that can be read now.
    unsafe { submit(nr, &args, operation) }
}

/// `send` or `write` of the program's own bytes.
///
/// # Safety
///
/// - The bytes can be read, and do not change, until the batch has been flushed.
unsafe fn borrowed(fd: c_int, flags: Option<c_int>, bytes: Bytes) -> i64 {
    let (nr, args) = arguments(fd, flags, bytes);
    if !bytes.plausible() {
        // SAFETY: as in `copied`.
        return unsafe { submit_raw(nr, args) };
    }
    let operation = |thread: &mut Thread| {
        // SAFETY: readable and unchanged until the flush, by the caller's promise. The operation is gone by then, or when
        // the thread ends, which does not look at the bytes.
        let bytes: &'static [u8] = unsafe { bytes.as_slice() };
        Ok(send_or_write(thread, fd, flags, bytes))
    };
    // SAFETY: the kernel reads bytes that can be read now.
    unsafe { submit(nr, &args, operation) }
}

/// `esca_send()` of `esca.h`.
///
/// # Safety
///
/// - `buf` points to `len` bytes that can be read during the call.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn esca_send(sock: c_int, buf: *const c_void, len: usize, flags: c_int) -> i64 {
    // SAFETY: passed on to the caller.
    unsafe { copied(sock, Some(flags), Bytes { pointer: buf, len }) }
}

/// `esca_write()` of `esca.h`.
///
/// # Safety
///
/// - `buf` points to `len` bytes that can be read during the call.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn esca_write(fd: c_int, buf: *const c_void, len: usize) -> i64 {
    // SAFETY: passed on to the caller.
    unsafe { copied(fd, None, Bytes { pointer: buf, len }) }
}

/// `esca_send_borrowed()` of `esca.h`.
///
/// # Safety
///
/// - `buf` points to `len` bytes that can be read and do not change until the batch has been flushed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn esca_send_borrowed(
    sock: c_int,
    buf: *const c_void,
    len: usize,
    flags: c_int,
) -> i64 {
    // SAFETY: passed on to the caller.
    unsafe { borrowed(sock, Some(flags), Bytes { pointer: buf, len }) }
}

/// `esca_write_borrowed()` of `esca.h`.
///
/// # Safety
///
/// - `buf` points to `len` bytes that can be read and do not change until the batch has been flushed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn esca_write_borrowed(fd: c_int, buf: *const c_void, len: usize) -> i64 {
    // SAFETY: passed on to the caller.
    unsafe { borrowed(fd, None, Bytes { pointer: buf, len }) }
}

/// `esca_writev()` of `esca.h`.
///
/// # Safety
///
/// - `iov` points to `iovcnt` parts, and each of them to its bytes; all can be read during the call.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn esca_writev(fd: c_int, iov: *const iovec, iovcnt: c_int) -> i64 {
    let args = [int(fd), address(iov), int(iovcnt), 0, 0, 0];
    let count = usize::try_from(iovcnt).ok().filter(|&count| count <= MAX_PARTS);
    let Some(count) = count.filter(|&count| !iov.is_null() || count == 0) else {
        // SAFETY: the kernel refuses this number of parts, or a null pointer to them, before it looks at any.
        return unsafe { submit_raw(nr::WRITEV, args) };
    };
    let operation = |thread: &mut Thread| {
        let parts = if count == 0 {
            &[]
        } else {
            // SAFETY: not null, and the caller promises so many parts, readable during this call.
            unsafe { slice::from_raw_parts(iov, count) }
        };
        // SAFETY: readable during this call, by the caller's promise.
        let copy = unsafe { thread.pool.gather(parts) }?;
        if thread.descriptor(fd).is_tcp() {
            return Ok(send_or_write(thread, fd, None, copy));
        }
        let mut whole = Vectored::new();
        // One part, so there is room, and it is not itself gathered.
        whole.push(copy).map_err(|_| Errno::EINVAL)?;
        Ok(Operation::writev(thread.descriptor(fd), whole))
    };
    // SAFETY: the kernel reads parts that can be read now.
    unsafe { submit(nr::WRITEV, &args, operation) }
}

/// `esca_recv()` of `esca.h`.
///
/// # Safety
///
/// - `buf` points to `len` bytes that belong to this call until the batch has been flushed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn esca_recv(sock: c_int, buf: *mut c_void, len: usize, flags: c_int) -> i64 {
    let args = [int(sock), address(buf.cast_const()), len as u64, int(flags), 0, 0];
    // SAFETY: the kernel writes bytes that are this call's until the flush.
    unsafe { submit_raw(nr::RECVFROM, args) }
}

/// `esca_read()` of `esca.h`.
///
/// # Safety
///
/// - `buf` points to `len` bytes that belong to this call until the batch has been flushed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn esca_read(fd: c_int, buf: *mut c_void, len: usize) -> i64 {
    let args = [int(fd), address(buf.cast_const()), len as u64, 0, 0, 0];
    // SAFETY: the kernel writes bytes that are this call's until the flush.
    unsafe { submit_raw(nr::READ, args) }
}

/// `esca_sendfile()` of `esca.h`.
#[unsafe(no_mangle)]
pub extern "C" fn esca_sendfile(out_fd: c_int, in_fd: c_int, offset: i64, count: usize) -> i64 {
    let mut position = offset;
    let place = address((&raw mut position).cast_const());
    let args = [int(out_fd), int(in_fd), place, count as u64, 0, 0];
    let operation = |thread: &mut Thread| {
        let (to, from) = (thread.descriptor(out_fd), thread.descriptor(in_fd));
        Ok(Operation::sendfile(
            to,
            from,
            offset.cast_unsigned(),
            count as u64,
        ))
    };
    // SAFETY: the kernel reads and writes `position`, which is alive; recorded, the call has an offset of its own.
    unsafe { submit(nr::SENDFILE, &args, operation) }
}

/// `esca_splice()` of `esca.h`.
#[unsafe(no_mangle)]
pub extern "C" fn esca_splice(
    fd_in: c_int,
    off_in: i64,
    fd_out: c_int,
    off_out: i64,
    len: usize,
    flags: c_uint,
) -> i64 {
    /// `ESCA_POSITION`
    const POSITION: i64 = -1;
    let mut offsets = [off_in, off_out];
    let given = offsets.map(|offset| (offset != POSITION).then_some(offset.cast_unsigned()));
    let places = offsets
        .each_mut()
        .map(|offset| address((&raw mut *offset).cast_const()));
    let place = |index: usize| given[index].map_or(0, |_| places[index]);
    let args = [
        int(fd_in),
        place(0),
        int(fd_out),
        place(1),
        len as u64,
        flags.into(),
    ];
    let operation = |thread: &mut Thread| {
        let (from, to) = (thread.descriptor(fd_in), thread.descriptor(fd_out));
        let flags = SpliceFlags::from_bits(flags);
        Ok(Operation::splice(from, given[0], to, given[1], len as u64, flags))
    };
    // SAFETY: the kernel reads and writes `offsets`, which are alive; recorded, the call has offsets of its own.
    unsafe { submit(nr::SPLICE, &args, operation) }
}

/// `esca_fsync()` of `esca.h`.
#[unsafe(no_mangle)]
pub extern "C" fn esca_fsync(fd: c_int) -> i64 {
    // SAFETY: the call touches no memory.
    unsafe { submit_raw(nr::FSYNC, [int(fd), 0, 0, 0, 0, 0]) }
}

/// `esca_setsockopt()` of `esca.h`.
///
/// # Safety
///
/// - `value` points to `len` bytes that can be read during the call.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn esca_setsockopt(
    sock: c_int,
    level: c_int,
    name: c_int,
    value: *const c_void,
    len: socklen_t,
) -> i64 {
    let args = [int(sock), int(level), int(name), address(value), len.into(), 0];
    let bytes = Bytes {
        pointer: value,
        len: len as usize,
    };
    if value.is_null() || c_int::try_from(len).is_err() {
        // SAFETY: without a value there is nothing to read; a length that is negative as an `int` the kernel refuses.
        return unsafe { submit_raw(nr::SETSOCKOPT, args) };
    }
    let operation = |thread: &mut Thread| {
        // SAFETY: readable during this call, by the caller's promise.
        let bytes = unsafe { bytes.as_slice() };
        let socket = thread.descriptor(sock);
        if let Ok(value) = bytes.try_into() {
            return Ok(Operation::setsockopt_int(
                socket,
                level,
                name,
                c_int::from_ne_bytes(value),
            ));
        }
        Ok(Operation::setsockopt(
            socket,
            level,
            name,
            thread.pool.copy(bytes)?,
        ))
    };
    // SAFETY: the kernel reads a value that can be read now.
    unsafe { submit(nr::SETSOCKOPT, &args, operation) }
}

/// `esca_shutdown()` of `esca.h`.
#[unsafe(no_mangle)]
pub extern "C" fn esca_shutdown(sock: c_int, how: c_int) -> i64 {
    // SAFETY: the call touches no memory.
    unsafe { submit_raw(nr::SHUTDOWN, [int(sock), int(how), 0, 0, 0, 0]) }
}

/// `esca_close()` of `esca.h`.
#[unsafe(no_mangle)]
pub extern "C" fn esca_close(fd: c_int) -> i64 {
    // SAFETY: the call touches no memory. That the program owns the file is for it to know, as with close(2).
    unsafe { submit_raw(nr::CLOSE, [int(fd), 0, 0, 0, 0, 0]) }
}
