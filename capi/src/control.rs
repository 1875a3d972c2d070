//! Beginning and ending batches, and asking for results.

use std::ffi::{c_char, c_int};
use std::ptr;

use crate::errors::{negated, negated_int};
use crate::thread::with;

/// `esca_init()` of `esca.h`.
#[unsafe(no_mangle)]
pub extern "C" fn esca_init() -> c_int {
    match with(|thread| thread.prepare().map(drop)) {
        Ok(Ok(())) => 0,
        Ok(Err(errno)) | Err(errno) => negated_int(errno),
    }
}

/// `esca_executor_name()` of `esca.h`.
#[unsafe(no_mangle)]
pub extern "C" fn esca_executor_name() -> *const c_char {
    match with(|thread| thread.executor_name()) {
        Ok(Some(name)) => name.as_ptr(),
        _ => ptr::null(),
    }
}

/// `esca_error()` of `esca.h`.
#[unsafe(no_mangle)]
pub extern "C" fn esca_error() -> *const c_char {
    let text = with(|thread| thread.failure.as_ref().map(|failure| failure.text.as_ptr()));
    match text {
        Ok(Some(text)) => text,
        _ => c"".as_ptr(),
    }
}

/// `batch_start()` of `esca.h`.
#[unsafe(no_mangle)]
pub extern "C" fn batch_start() -> c_int {
    match with(|thread| thread.begin()) {
        Ok(Ok(())) => 0,
        Ok(Err(errno)) | Err(errno) => negated_int(errno),
    }
}

/// `batch_flush()` of `esca.h`.
#[unsafe(no_mangle)]
pub extern "C" fn batch_flush() -> i64 {
    match with(|thread| thread.end()) {
        Ok(Ok(count)) => count,
        Ok(Err(errno)) | Err(errno) => negated(errno),
    }
}

/// `esca_result()` of `esca.h`.
#[unsafe(no_mangle)]
pub extern "C" fn esca_result(token: i64) -> i64 {
    with(|thread| thread.result(token)).unwrap_or_else(negated)
}

/// `esca_link()` of `esca.h`.
#[unsafe(no_mangle)]
pub extern "C" fn esca_link() {
    // Where there is no state, nothing can be recorded either.
    let _ = with(|thread| thread.link_next());
}

/// `esca_assume_tcp()` of `esca.h`.
#[unsafe(no_mangle)]
pub extern "C" fn esca_assume_tcp(fd: c_int) {
    // As above.
    let _ = with(|thread| thread.assume_tcp(fd));
}
