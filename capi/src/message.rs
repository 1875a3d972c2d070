//! `sendmsg`: a structure that points to structures, all of which are copied.

use std::ffi::{c_int, c_void};
use std::slice;

use batch_table::nr::native as nr;
use esca_sys::{Errno, Operation};
use libc::{iovec, msghdr};

use crate::calls::{MAX_PARTS, address, int, send_or_write, submit, submit_raw};
use crate::payload::Bytes;
use crate::thread::Thread;

/// `sizeof(struct sockaddr_storage)`: the kernel cuts longer names to it.
const MAX_NAME: usize = 128;
/// More control data the kernel refuses without a look, with its largest `net.core.optmem_max`.
const MAX_CONTROL: usize = 1 << 20;
/// Words of `struct msghdr` and of `struct iovec`.
const HEADER: usize = size_of::<msghdr>() / size_of::<u64>();
const VECTOR: usize = size_of::<iovec>() / size_of::<u64>();
const _: () = assert!(HEADER == 7 && VECTOR == 2);

/// The bytes that are copied of a part of a message: none where there are none, or where the kernel refuses them unseen.
fn part(pointer: *const c_void, len: usize, limit: usize) -> Bytes {
    let copied = !pointer.is_null() && len <= limit;
    Bytes {
        pointer,
        len: if copied { len } else { 0 },
    }
}

/// Makes `block` a copy of the header, the name and the control data, and of the payload where there is one.
///
/// # Safety
///
/// - The name and the control data of `header` can be read during the call.
unsafe fn describe(block: &mut Vec<u64>, header: &msghdr, payload: Option<&[u8]>) -> Result<(), Errno> {
    // Below zero as an `int` the kernel refuses it.
    let name_len = usize::try_from(header.msg_namelen.cast_signed()).unwrap_or(0);
    let name = part(header.msg_name, name_len.min(MAX_NAME), MAX_NAME);
    let control = part(header.msg_control, header.msg_controllen, MAX_CONTROL);
    // SAFETY: readable, by the caller's promise; a part that is not copied is empty here.
    let [name, control] = [name, control].map(|bytes| unsafe { bytes.as_slice() });
    let parts = [name, control, payload.unwrap_or_default()];
    let mut words = HEADER + VECTOR;
    let places = parts.map(|bytes| {
        let place = words;
        words += bytes.len().div_ceil(size_of::<u64>());
        place
    });
    block.clear();
    block.try_reserve_exact(words).map_err(|_| Errno::ENOMEM)?;
    block.resize(words, 0);
    for (place, bytes) in places.into_iter().zip(parts) {
        for (word, chunk) in block[place..].iter_mut().zip(bytes.chunks(size_of::<u64>())) {
            let mut whole = [0; size_of::<u64>()];
            whole[..chunk.len()].copy_from_slice(chunk);
            *word = u64::from_ne_bytes(whole);
        }
    }
    let base = address(block.as_ptr());
    let at = |place: usize| base + (place * size_of::<u64>()) as u64;
    let [name, control, bytes] = [0, 1, 2].map(|index: usize| match parts[index] {
        [] => 0,
        _ => at(places[index]),
    });
    // A payload that could not be copied the kernel refuses: too many parts, or nowhere.
    let (vectors, count) = match payload {
        Some(_) => (at(HEADER), 1),
        None => (0, header.msg_iovlen as u64),
    };
    block[..HEADER + VECTOR].copy_from_slice(&[
        name,
        header.msg_namelen.into(),
        vectors,
        count,
        control,
        header.msg_controllen as u64,
        0,
        bytes,
        parts[2].len() as u64,
    ]);
    Ok(())
}

/// `esca_sendmsg()` of `esca.h`.
///
/// # Safety
///
/// - `msg` is null or points to a header whose name, parts and control data can be read during the call.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn esca_sendmsg(sock: c_int, msg: *const msghdr, flags: c_int) -> i64 {
    let args = [int(sock), address(msg), int(flags), 0, 0, 0];
    // SAFETY: the caller's promise.
    let Some(header) = (unsafe { msg.as_ref() }) else {
        // SAFETY: the kernel refuses a null pointer.
        return unsafe { submit_raw(nr::SENDMSG, args) };
    };
    let operation = |thread: &mut Thread| {
        let refused = header.msg_iovlen > MAX_PARTS || header.msg_iov.is_null() && header.msg_iovlen > 0;
        let parts = match header.msg_iovlen {
            0 => &[],
            _ if refused => &[],
            // SAFETY: not null, and the caller promises so many parts, readable during this call.
            count => unsafe { slice::from_raw_parts(header.msg_iov, count) },
        };
        // SAFETY: readable during this call, by the caller's promise.
        let copy = unsafe { thread.pool.gather(parts) }?;
        let bytes_alone =
            header.msg_name.is_null() && header.msg_control.is_null() && header.msg_controllen == 0;
        if bytes_alone && !refused {
            return Ok(send_or_write(thread, sock, Some(flags), copy));
        }
        let mut block = thread.blocks.take();
        // SAFETY: as above.
        let described = unsafe { describe(&mut block, header, (!refused).then_some(&copy)) };
        let len = copy.len() as u64;
        thread.pool.keep(copy);
        described?;
        // The length is for the chain: the kernel reads three arguments.
        let args = [int(sock), address(block.as_ptr()), int(flags), len, 0, 0];
        thread.hold(block);
        // SAFETY: the kernel reads a header and what it points to in a block that is held until the call has run.
        Ok(unsafe { Operation::raw(nr::SENDMSG, args) })
    };
    // SAFETY: the kernel reads a message that can be read now.
    unsafe { submit(nr::SENDMSG, &args, operation) }
}
