//! What the environment asks for, read when the process starts: a server may clear its environment, as nginx does.

use core::ffi::CStr;
use core::sync::atomic::{AtomicBool, AtomicPtr, Ordering};

use libc::c_char;

use crate::sys;

static EXECUTOR: AtomicPtr<c_char> = AtomicPtr::new(core::ptr::null_mut());
static OPTIMISE: AtomicBool = AtomicBool::new(true);
static LEARNS: AtomicBool = AtomicBool::new(true);

/// Whether the library is to pass everything through.
pub(crate) fn is_off() -> bool {
    says_off(c"ESCA_PRELOAD")
}

/// Reads the rest. To be called once, before anything is deferred.
pub(crate) fn read() {
    OPTIMISE.store(!says_off(c"ESCA_PRELOAD_OPTIMISE"), Ordering::Relaxed);
    EXECUTOR.store(copy(c"ESCA_EXECUTOR"), Ordering::Relaxed);
    let defer = bytes(c"ESCA_DEFER");
    LEARNS.store(defer != b"always", Ordering::Relaxed);
    if !matches!(defer, b"" | b"always" | b"gainful") {
        sys::print(
            2,
            b"esca: ESCA_DEFER is none of always and gainful: taken for gainful\n",
        );
    }
}

/// Whether something else than plain calls is likely to run the batches. Which it is is known when the first one is made.
pub(crate) fn expects_executor() -> bool {
    match executor() {
        "" | "auto" => sys::may_use(c"/dev/esca"),
        name => name != "direct",
    }
}

/// Whether what is deferred depends on what was gained; else it is everything that can be.
pub(crate) fn learns() -> bool {
    LEARNS.load(Ordering::Relaxed)
}

/// Whether adjacent calls are joined.
#[inline]
pub(crate) fn optimises() -> bool {
    OPTIMISE.load(Ordering::Relaxed)
}

/// The name of the executor that was asked for; nothing where it was not, or is not to be read.
pub(crate) fn executor() -> &'static str {
    let name = EXECUTOR.load(Ordering::Relaxed);
    if name.is_null() {
        return "";
    }
    // SAFETY: not null, so the copy made in `read`, a C string that is never freed.
    let name = unsafe { CStr::from_ptr(name) };
    name.to_str().unwrap_or("?")
}

/// A copy of a variable's value, never freed, or null: the program may write its title over the environment.
pub(crate) fn copy(name: &CStr) -> *mut c_char {
    let value = variable(name);
    if value.is_null() {
        return value;
    }
    // SAFETY: not null, so a C string of the environment.
    unsafe { libc::strdup(value) }
}

fn variable(name: &CStr) -> *mut c_char {
    // SAFETY: `name` is a C string. The program may change its environment later; at start nobody does.
    unsafe { libc::getenv(name.as_ptr()) }
}

fn says_off(name: &CStr) -> bool {
    matches!(bytes(name), b"off" | b"0")
}

/// A variable's value, or nothing; to be looked at before the program can change it.
fn bytes<'a>(name: &CStr) -> &'a [u8] {
    let value = variable(name);
    if value.is_null() {
        return b"";
    }
    // SAFETY: not null, so a C string of the environment.
    unsafe { CStr::from_ptr(value) }.to_bytes()
}
