//! Counts of what was deferred, joined and flushed, and why; printed at exit where `ESCA_STATS` asks for it.

use core::fmt::{self, Write};
use core::sync::atomic::{AtomicPtr, AtomicU64, Ordering};

use libc::{c_char, c_int};

use crate::sys;

/// Why a segment was flushed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[repr(u8)]
pub(crate) enum Reason {
    /// The program waits for events.
    Wait,
    /// A call on a descriptor with queued work.
    Touch,
    /// A call that may wait, or that the shim knows nothing about.
    Other,
    /// A call that makes a descriptor, while a close was queued.
    Number,
    /// The segment was full.
    Full,
    /// What may be promised had to be asked for.
    Room,
    /// Another thread used a descriptor.
    Thread,
    /// The time was up.
    Deadline,
    /// The process forks, executes or ends, or the thread does.
    Process,
}

const REASONS: [&str; 9] = [
    "wait", "touch", "other", "number", "full", "room", "thread", "deadline", "process",
];

/// What was deferred.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[repr(u8)]
pub(crate) enum Deferred {
    Send,
    Sendfile,
    Cork,
    Shutdown,
    Close,
}

const DEFERRED: [&str; 5] = ["send", "sendfile", "cork", "shutdown", "close"];

/// The counters of a process.
#[derive(Debug)]
pub(crate) struct Stats {
    pub(crate) deferred: [AtomicU64; 5],
    pub(crate) flushes: [AtomicU64; 9],
    /// Calls that the flushes made.
    pub(crate) calls: AtomicU64,
    /// Sends on sockets that could be deferred on, but that were passed through.
    pub(crate) passed: AtomicU64,
    /// Those of them for which company was not to be expected.
    pub(crate) lone: AtomicU64,
    /// Reads that were known to find nothing.
    pub(crate) unread: AtomicU64,
    /// Questions for room.
    pub(crate) asked: AtomicU64,
    /// Promises that came back short.
    pub(crate) remainders: AtomicU64,
    /// Errors that came after the promise.
    pub(crate) latched: AtomicU64,
}

pub(crate) static STATS: Stats = Stats {
    deferred: [const { AtomicU64::new(0) }; 5],
    flushes: [const { AtomicU64::new(0) }; 9],
    calls: AtomicU64::new(0),
    passed: AtomicU64::new(0),
    lone: AtomicU64::new(0),
    unread: AtomicU64::new(0),
    asked: AtomicU64::new(0),
    remainders: AtomicU64::new(0),
    latched: AtomicU64::new(0),
};

/// Adds to a counter. Two threads at once may lose a count, which costs less than the lock prefix.
#[inline]
pub(crate) fn count(counter: &AtomicU64, by: u64) {
    counter.store(
        counter.load(Ordering::Relaxed).wrapping_add(by),
        Ordering::Relaxed,
    );
}

#[inline]
pub(crate) fn deferred(what: Deferred) {
    if let Some(counter) = STATS.deferred.get(what as usize) {
        count(counter, 1);
    }
}

#[inline]
pub(crate) fn flushed(why: Reason) {
    if let Some(counter) = STATS.flushes.get(why as usize) {
        count(counter, 1);
    }
}

/// Value of `ESCA_STATS`, or null.
static TARGET: AtomicPtr<c_char> = AtomicPtr::new(core::ptr::null_mut());

/// Keeps the value of `ESCA_STATS`: nothing or `0` for no statistics, `1` for the standard error, else a file to append to.
///
/// # Safety
///
/// - `value` is null or a C string that lives as long as the process.
pub(crate) unsafe fn set_up(value: *mut c_char) {
    TARGET.store(value, Ordering::Release);
}

/// Zeroes the counters: a child counts for itself.
pub(crate) fn reset() {
    let stats = &STATS;
    let singles = [
        &stats.calls,
        &stats.passed,
        &stats.lone,
        &stats.unread,
        &stats.asked,
        &stats.remainders,
        &stats.latched,
    ];
    for counter in stats.deferred.iter().chain(&stats.flushes).chain(singles) {
        counter.store(0, Ordering::Relaxed);
    }
}

/// A line that does not grow.
struct Text {
    bytes: [u8; 2048],
    len: usize,
}

impl Write for Text {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let room = self.bytes.get_mut(self.len..).unwrap_or_default();
        let len = text.len().min(room.len());
        if let (Some(to), Some(from)) = (room.get_mut(..len), text.as_bytes().get(..len)) {
            to.copy_from_slice(from);
        }
        self.len += len;
        Ok(())
    }
}

/// Prints the counters where they were asked for, and zeroes them.
pub(crate) fn print() {
    let target = TARGET.load(Ordering::Acquire);
    if target.is_null() {
        return;
    }
    // SAFETY: not null, so a C string that lives as long as the process (`set_up`).
    let value = unsafe { core::ffi::CStr::from_ptr(target) };
    let fd = match value.to_bytes() {
        b"" | b"0" => return,
        b"1" => 2,
        _ => {
            let flags = libc::O_WRONLY | libc::O_APPEND | libc::O_CREAT | libc::O_CLOEXEC;
            let args = [
                sys::int(libc::AT_FDCWD),
                sys::address(target),
                sys::int(flags),
                0o644,
            ];
            // SAFETY: the path is a C string; see above.
            match unsafe { sys::call(libc::SYS_openat, &args) } {
                Ok(fd) => c_int::try_from(fd).unwrap_or(2),
                Err(_) => return,
            }
        }
    };
    let mut text = Text {
        bytes: [0; 2048],
        len: 0,
    };
    let _ = describe(&mut text);
    sys::print(fd, text.bytes.get(..text.len).unwrap_or_default());
    if fd != 2 {
        // SAFETY: opened above, and known to nobody else.
        let _ = unsafe { sys::call(libc::SYS_close, &[sys::int(fd)]) };
    }
}

fn describe(text: &mut Text) -> fmt::Result {
    let take = |counter: &AtomicU64| counter.swap(0, Ordering::Relaxed);
    // SAFETY: takes nothing and cannot fail.
    let pid = unsafe { libc::getpid() };
    let mut entries = 0;
    write!(text, "esca[{pid}]: deferred:")?;
    for (name, counter) in DEFERRED.iter().zip(&STATS.deferred) {
        let value = take(counter);
        entries += value;
        write!(text, " {name} {value}")?;
    }
    write!(text, "\nesca[{pid}]: flushed for:")?;
    let mut flushes = 0;
    for (name, counter) in REASONS.iter().zip(&STATS.flushes) {
        let value = take(counter);
        flushes += value;
        write!(text, " {name} {value}")?;
    }
    writeln!(
        text,
        "\nesca[{pid}]: entries {entries} flushes {flushes} calls {} passed {} lone {} unread {} asked {} remainders {} latched {}",
        take(&STATS.calls),
        take(&STATS.passed),
        take(&STATS.lone),
        take(&STATS.unread),
        take(&STATS.asked),
        take(&STATS.remainders),
        take(&STATS.latched),
    )
}
