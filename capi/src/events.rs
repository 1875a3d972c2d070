//! Calls of an event loop: accepting, watching, waiting.

use std::ffi::c_int;

use batch_table::nr::native as nr;
use esca_sys::Operation;
use libc::{epoll_event, sockaddr, socklen_t};

use crate::calls::{address, int, submit, submit_raw};
use crate::thread::Thread;

/// Bytes of the kernel's signal set, which `epoll_pwait` wants to know even without one.
const SIGSET_BYTES: u64 = 8;

/// `esca_accept4()` of `esca.h`.
///
/// # Safety
///
/// - `addr` and `addrlen` are null, or belong to this call until the batch has been flushed: `*addrlen` bytes at `addr`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn esca_accept4(
    sock: c_int,
    addr: *mut sockaddr,
    addrlen: *mut socklen_t,
    flags: c_int,
) -> i64 {
    let (addr, addrlen) = (address(addr.cast_const()), address(addrlen.cast_const()));
    // SAFETY: the kernel writes memory that is this call's until the flush.
    unsafe { submit_raw(nr::ACCEPT4, [int(sock), addr, addrlen, int(flags), 0, 0]) }
}

/// `esca_epoll_ctl()` of `esca.h`.
///
/// # Safety
///
/// - `event` is null or can be read during the call.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn esca_epoll_ctl(epfd: c_int, op: c_int, fd: c_int, event: *const epoll_event) -> i64 {
    let args = [int(epfd), int(op), int(fd), address(event), 0, 0];
    // SAFETY: the caller's promise. The structure is packed on x86-64, and copied as such.
    let Some(&copy) = (unsafe { event.as_ref() }) else {
        // SAFETY: without an event there is nothing to read; the kernel refuses it where it needs one.
        return unsafe { submit_raw(nr::EPOLL_CTL, args) };
    };
    let operation = |thread: &mut Thread| {
        let mut block = thread.blocks.take();
        block.clear();
        block.resize(size_of::<epoll_event>().div_ceil(size_of::<u64>()), 0);
        let place = block.as_mut_ptr().cast::<epoll_event>();
        // SAFETY: the block has room for it, and the alignment of a word is enough.
        unsafe { place.write(copy) };
        let args = [int(epfd), int(op), int(fd), address(block.as_ptr()), 0, 0];
        thread.hold(block);
        // SAFETY: the kernel reads an event in a block that is held until the call has run.
        Ok(unsafe { Operation::raw(nr::EPOLL_CTL, args) })
    };
    // SAFETY: the kernel reads an event that can be read now.
    unsafe { submit(nr::EPOLL_CTL, &args, operation) }
}

/// `esca_epoll_wait()` of `esca.h`.
///
/// # Safety
///
/// - `maxevents` events at `events` belong to this call until the batch has been flushed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn esca_epoll_wait(
    epfd: c_int,
    events: *mut epoll_event,
    maxevents: c_int,
    timeout: c_int,
) -> i64 {
    let events = address(events.cast_const());
    let args = [int(epfd), events, int(maxevents), int(timeout), 0, SIGSET_BYTES];
    // SAFETY: the kernel writes events that are this call's until the flush.
    let operation = || unsafe { Operation::raw(nr::EPOLL_PWAIT, args) }.may_block();
    // SAFETY: as above.
    unsafe { submit(nr::EPOLL_PWAIT, &args, |_| Ok(operation())) }
}
