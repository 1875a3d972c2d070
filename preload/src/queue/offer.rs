//! The rule: what may be deferred, and what has to happen before a call that is not.

use core::sync::atomic::Ordering;

use libc::{c_int, iovec};

use crate::helper;
use crate::process::{self, Process};
use crate::queue::fds::{
    ATTENTION, Claim, Fd, LATCHED, NEVER_WAITS, NONBLOCK, QUEUED, REMAINDER, SYNCHRONOUS, TCP, UNIX,
};
use crate::queue::left::Item;
use crate::queue::record::{Kind, Record};
use crate::queue::segment::{ARENA, RECORDS};
use crate::queue::{company, engine, own, remainder, thread};
use crate::stats::{self, Deferred, Reason, STATS};
use crate::sys;

/// Most bytes that are copied; more are sent at once.
const MAX_COPY: usize = 16 << 10;
/// Most bytes that are copied for a send that follows nothing: to copy more costs more than company could save.
const MAX_ALONE: usize = 2 << 10;
/// Message flags that change nothing about deferring.
const PLAIN_FLAGS: c_int = libc::MSG_NOSIGNAL | libc::MSG_DONTWAIT | libc::MSG_MORE;

/// What the program is to be told.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Offer {
    /// This many bytes were taken: they are queued.
    Taken(usize),
    /// The call fails with this error.
    Fail(c_int),
    /// Make the call.
    Pass,
}

/// What the kernel counts for a send of `len` bytes, at most.
fn cost(word: u32, len: usize) -> i32 {
    let bytes = i32::try_from(len).unwrap_or(i32::MAX / 4);
    // TCP counts bytes and a header for each buffer; the Unix domain rounds its buffers up to a power of two.
    let bytes = if word & UNIX != 0 {
        2 * bytes
    } else {
        bytes + bytes / 8
    };
    bytes + 2304
}

/// Whether the send buffer has room for what is counted as `cost`. What this socket has queued is sent before the kernel
/// is asked.
fn has_room(process: &Process, fd: c_int, entry: &Fd, cost: i32) -> bool {
    if entry.room() >= cost {
        return true;
    }
    flush_owner(process, entry, Reason::Room);
    stats::count(&STATS.asked, 1);
    let room = sys::send_memory(fd).map_or(0, |memory| memory.limit.saturating_sub(memory.used));
    entry.set_room(i32::try_from(room).unwrap_or(i32::MAX));
    entry.room() >= cost
}

/// Flushes the segment with the entries of this descriptor.
#[cold]
pub(crate) fn flush_owner(process: &Process, entry: &Fd, why: Reason) {
    let word = entry.word();
    if word & QUEUED == 0 {
        return;
    }
    let owner = Fd::owner(word);
    if let Some(segment) = process.segment(owner) {
        let why = if thread::has(segment) { why } else { Reason::Thread };
        // It may be claimed for a record that is not there yet: that append fails, and claims it again.
        engine::flush_for(process, segment, why, entry);
    }
}

/// Queues a record of at most `len` bytes, which `fill` writes; it returns how many those are.
fn record(
    process: &Process,
    fd: c_int,
    entry: &Fd,
    kind: Kind,
    len: usize,
    mut fill: impl FnMut(*mut u8) -> Option<usize>,
) -> Option<usize> {
    let mut counted = false;
    let taken = thread::recording(|| {
        let segment = own::segment_or_new(process)?;
        loop {
            let state = segment.state();
            if state.is_flushing() {
                segment.wait();
                continue;
            }
            let start = segment.end(state);
            if state.count() >= RECORDS || start + len > ARENA {
                engine::flush(process, segment, Reason::Full);
                continue;
            }
            match entry.claim(segment.index()) {
                Claim::Owned => {}
                Claim::Other(_) => {
                    flush_owner(process, entry, Reason::Thread);
                    continue;
                }
                Claim::No => return None,
            }
            let taken = fill(segment.arena().wrapping_add(start))?;
            if matches!(kind, Kind::Close | Kind::Shutdown(_)) {
                // Before it counts: nothing may be queued behind it.
                entry.set(SYNCHRONOUS);
            }
            if kind == Kind::Close && !counted {
                process.closes.fetch_add(1, Ordering::AcqRel);
                counted = true;
            }
            // Both fit: an arena is smaller than 4 GiB.
            let (start, len) = (u32::try_from(start).ok()?, u32::try_from(taken).ok()?);
            if !segment.append(state, Record { fd, kind, start, len }) {
                continue;
            }
            if state.count() == 0 {
                process.wake_helper();
            }
            return Some(taken);
        }
    });
    if counted && taken.is_none() {
        // A flush came between, and what this was to follow has left.
        process.closes.fetch_sub(1, Ordering::AcqRel);
    }
    taken
}

/// Whether this thread may defer now.
#[inline]
fn may_defer(process: &Process) -> bool {
    thread::is_open() && process.has_helper() && process.ending.load(Ordering::Relaxed) == 0
}

/// A send of these parts, with the flags of `send`.
#[inline]
pub(crate) fn send(fd: c_int, parts: &[iovec], flags: c_int) -> Offer {
    let Some((process, entry)) = known(fd) else {
        return before_unknown();
    };
    let word = entry.word();
    if flags & !PLAIN_FLAGS != 0 || !Fd::is_deferrable(word) || !thread::is_open() {
        return send_at_once(process, fd, entry, flags);
    }
    let len = parts
        .iter()
        .fold(0_usize, |sum, part| sum.saturating_add(part.iov_len));
    if is_worth_it(entry, word, len, flags) {
        return try_send(process, fd, entry, parts, flags);
    }
    stats::count(&STATS.passed, 1);
    if word & QUEUED == 0 {
        // It does not wait, and there is nothing to see to.
        return Offer::Pass;
    }
    before_send(process, fd, entry, flags)
}

/// Before a send on a descriptor that is in no table.
#[cold]
pub(crate) fn before_unknown() -> Offer {
    own::flush(Reason::Other);
    Offer::Pass
}

/// A send that is not to be deferred.
fn send_at_once(process: &Process, fd: c_int, entry: &Fd, flags: c_int) -> Offer {
    if entry.word() & (TCP | UNIX) != 0 {
        stats::count(&STATS.passed, 1);
    }
    before_send(process, fd, entry, flags)
}

/// A send that is to be deferred, if that can be done.
fn try_send(process: &Process, fd: c_int, entry: &Fd, parts: &[iovec], flags: c_int) -> Offer {
    if may_defer(process)
        && let Some(taken) = defer_send(process, fd, entry, parts, flags)
    {
        stats::deferred(Deferred::Send);
        return Offer::Taken(taken);
    }
    send_at_once(process, fd, entry, flags)
}

/// Whether deferring can gain anything: there is something to join it with, or there will be. A long one that follows nothing and
/// announces nothing would only be copied.
#[inline]
fn is_worth_it(entry: &Fd, word: u32, len: usize, flags: c_int) -> bool {
    if len > MAX_COPY {
        return false;
    }
    let company = thread::expects_company(entry);
    if word & QUEUED != 0 || flags & libc::MSG_MORE != 0 {
        return true;
    }
    if len > MAX_ALONE {
        return false;
    }
    if !company && !company::is_lone_deferred() {
        stats::count(&STATS.lone, 1);
        return false;
    }
    true
}

#[inline]
fn defer_send(process: &Process, fd: c_int, entry: &Fd, parts: &[iovec], flags: c_int) -> Option<usize> {
    let mut len = 0_usize;
    for part in parts {
        len = len.checked_add(part.iov_len).filter(|&len| len <= MAX_COPY)?;
        if part.iov_len != 0 && !sys::is_plausible(part.iov_base) {
            return None;
        }
    }
    let cost = cost(entry.word(), len);
    if len == 0 || !has_room(process, fd, entry, cost) {
        return None;
    }
    let more = flags & libc::MSG_MORE != 0;
    let taken = record(process, fd, entry, Kind::Send { more }, len, |to| {
        let mut at = to;
        for part in parts {
            // SAFETY: the program vouches for the part's bytes, as it would to the kernel; behind `at` there is room for `len`
            // bytes in the arena, which nothing of the program's overlaps.
            unsafe { core::ptr::copy_nonoverlapping(part.iov_base.cast::<u8>(), at, part.iov_len) };
            at = at.wrapping_add(part.iov_len);
        }
        Some(len)
    })?;
    entry.use_room(cost);
    Some(taken)
}

/// A `sendfile` from an offset. A small piece of a file is read at once, so it is what the file holds now, whatever
/// becomes of the file.
///
/// # Safety
///
/// - `offset` is null or what the program gave `sendfile` for it.
pub(crate) unsafe fn sendfile(fd: c_int, file: c_int, offset: *mut i64, count: usize) -> Offer {
    let Some((process, entry)) = known(fd) else {
        return before_unknown();
    };
    let word = entry.word();
    if word & (TCP | UNIX) != 0 {
        if Fd::is_deferrable(word)
            && (1..=MAX_COPY).contains(&count)
            && sys::is_plausible(offset.cast())
            && process.fd(file).is_some_and(|file| file.word() & ATTENTION == 0)
            && thread::is_open()
            && follows_something(entry, word)
            && may_defer(process)
        {
            // SAFETY: the program vouches for the word, as it would to the kernel.
            let from = unsafe { offset.read() };
            let cost = cost(word, count);
            let taken = if from >= 0 && has_room(process, fd, entry, cost) {
                record(process, fd, entry, Kind::Send { more: false }, count, |to| {
                    let args = [
                        sys::int(file),
                        sys::address(to),
                        count as u64,
                        from.cast_unsigned(),
                    ];
                    // SAFETY: behind `to` there is room for `count` bytes in the arena.
                    let taken = unsafe { sys::call(libc::SYS_pread64, &args) }.ok()?;
                    usize::try_from(taken).ok().filter(|&taken| taken > 0)
                })
            } else {
                None
            };
            if let Some(taken) = taken {
                entry.use_room(cost);
                // Fits: at most `MAX_COPY`.
                let to = from.saturating_add(i64::try_from(taken).unwrap_or(0));
                // SAFETY: as above.
                unsafe { offset.write(to) };
                stats::deferred(Deferred::Sendfile);
                return Offer::Taken(taken);
            }
        }
        stats::count(&STATS.passed, 1);
    }
    // From a pipe or another socket it may wait.
    before(file);
    before_send(process, fd, entry, 0)
}

/// Whether there is something to join a piece of a file with: alone it is better sent as it is.
#[inline]
fn follows_something(entry: &Fd, word: u32) -> bool {
    thread::expects_company(entry);
    if word & QUEUED == 0 && !company::is_lone_deferred() {
        stats::count(&STATS.lone, 1);
        return false;
    }
    true
}

/// `TCP_CORK`. To set it announces company; to clear it changes something where something is held back.
pub(crate) fn cork(fd: c_int, on: bool) -> Offer {
    let Some((process, entry)) = known(fd) else {
        return Offer::Pass;
    };
    let word = entry.word();
    if word & TCP != 0
        && Fd::is_deferrable(word)
        && (on || word & QUEUED != 0 || company::is_lone_deferred())
        && may_defer(process)
        && record(process, fd, entry, Kind::Cork(on), 0, |_| Some(0)).is_some()
    {
        stats::deferred(Deferred::Cork);
        return Offer::Taken(0);
    }
    before(fd);
    Offer::Pass
}

/// `shutdown`: deferred where it has to queue behind a send.
pub(crate) fn shutdown(fd: c_int, how: c_int) -> Offer {
    let Some((process, entry)) = known(fd) else {
        return Offer::Pass;
    };
    if matches!(how, libc::SHUT_RD | libc::SHUT_WR | libc::SHUT_RDWR)
        && queues_here(process, entry)
        && Fd::is_deferrable(entry.word())
        && record(process, fd, entry, Kind::Shutdown(how), 0, |_| Some(0)).is_some()
    {
        stats::deferred(Deferred::Shutdown);
        return Offer::Taken(0);
    }
    entry.set(SYNCHRONOUS);
    before(fd);
    if entry.word() & REMAINDER != 0 {
        remainder::append(process, fd, Item::Shutdown(how));
        return Offer::Taken(0);
    }
    Offer::Pass
}

/// `close`: deferred where it has to queue behind a send.
pub(crate) fn close(fd: c_int) -> Offer {
    let Some((process, entry)) = known(fd) else {
        return Offer::Pass;
    };
    let word = entry.word();
    if word == 0 {
        return Offer::Pass;
    }
    if queues_here(process, entry) && record(process, fd, entry, Kind::Close, 0, |_| Some(0)).is_some() {
        stats::deferred(Deferred::Close);
        return Offer::Taken(0);
    }
    // A handler that comes now must not queue behind what is flushed here.
    if word & (TCP | UNIX) != 0 {
        entry.set(SYNCHRONOUS);
    }
    if entry.word() & ATTENTION != 0 {
        flush_owner(process, entry, Reason::Touch);
        if entry.word() & REMAINDER != 0 {
            remainder::close(process, fd);
            return Offer::Taken(0);
        }
    }
    // Before the kernel can give the number to somebody else.
    entry.reset(0);
    Offer::Pass
}

/// Whether this thread has queued something for it, and may go on.
pub(crate) fn queues_here(process: &Process, entry: &Fd) -> bool {
    let word = entry.word();
    word & QUEUED != 0
        && word & LATCHED == 0
        && may_defer(process)
        && thread::segment().is_some_and(|segment| segment.index() == Fd::owner(word))
}

#[inline]
pub(crate) fn known(fd: c_int) -> Option<(&'static Process, &'static Fd)> {
    let process = process::get()?;
    Some((process, process.fd(fd)?))
}

/// Before a send that is made at once.
fn before_send(process: &Process, fd: c_int, entry: &Fd, flags: c_int) -> Offer {
    if let Some(errno) = settle(process, fd, entry) {
        if errno == libc::EPIPE && flags & libc::MSG_NOSIGNAL == 0 {
            // SAFETY: raises a signal on this thread, as the kernel would have.
            unsafe { libc::raise(libc::SIGPIPE) };
        }
        return Offer::Fail(errno);
    }
    if entry.word() & REMAINDER != 0 {
        // The kernel has just refused to take all of it, so an edge will come when it takes more.
        return Offer::Fail(libc::EAGAIN);
    }
    Offer::Pass
}

/// Before a call on a descriptor that reads, or that asks or changes something. An error that came late is the call's.
#[inline]
pub(crate) fn before(fd: c_int) -> Option<c_int> {
    let process = process::get()?;
    match process.fd(fd) {
        Some(entry) => settle(process, fd, entry),
        None => {
            own::flush(Reason::Other);
            None
        }
    }
}

/// Before a call that reports no error of the connection, and does not wait.
#[inline]
pub(crate) fn touch(fd: c_int) {
    if let Some((process, entry)) = known(fd) {
        // What comes now is not joined with what came before.
        entry.set_sent(0);
        if entry.word() & (QUEUED | REMAINDER) != 0 {
            flush_owner(process, entry, Reason::Touch);
            if entry.word() & REMAINDER != 0 {
                remainder::push(process, Some(fd));
            }
        }
    }
}

#[inline]
pub(crate) fn settle(process: &Process, fd: c_int, entry: &Fd) -> Option<c_int> {
    let word = entry.word();
    if word & ATTENTION == 0 && (word & (NONBLOCK | NEVER_WAITS) != 0 || !thread::has_queue()) {
        return None;
    }
    settle_slowly(process, fd, entry)
}

#[cold]
fn settle_slowly(process: &Process, fd: c_int, entry: &Fd) -> Option<c_int> {
    flush_owner(process, entry, Reason::Touch);
    let word = entry.word();
    if word & REMAINDER != 0 {
        remainder::push(process, Some(fd));
    }
    if entry.word() & LATCHED != 0
        && let Some(errno) = entry.take_latch()
    {
        return Some(errno);
    }
    if word & (NONBLOCK | NEVER_WAITS) == 0 && thread::has_queue() {
        let flags = sys::file_flags(fd);
        if sys::is_regular(fd) || flags.is_ok_and(|flags| flags & libc::O_NONBLOCK != 0) {
            entry.set(NEVER_WAITS);
        } else {
            own::flush(Reason::Other);
        }
    }
    None
}

/// Before a call that makes a descriptor: its number is the lowest that is free, so what was closed is closed first.
#[inline]
pub(crate) fn numbers() {
    if let Some(process) = process::get()
        && process.closes.load(Ordering::Acquire) != 0
    {
        own::flush(Reason::Number);
        if process.closes.load(Ordering::Acquire) != 0 {
            engine::flush_all(process, Reason::Number);
        }
    }
}

/// The program waits for events.
#[inline]
pub(crate) fn wait_begins() {
    own::flush(Reason::Wait);
    thread::set_open(false);
    if let Some(process) = process::get()
        && process.remainders.load(Ordering::Acquire) != 0
    {
        remainder::push(process, None);
    }
}

/// It has got some, from this epoll instance, or in another way.
#[inline]
pub(crate) fn wait_ended(events: c_int, epoll: Option<c_int>) {
    if events > 0 {
        thread::set_source(epoll);
        thread::set_open(true);
        if let Some(process) = process::get() {
            helper::start_where_wanted(process);
        }
    }
}

/// A call that the shim knows too little about: what this thread has queued is run first.
pub(crate) fn unknown() {
    own::flush(Reason::Other);
    thread::begin_turn();
}

/// The same for a call that this thread may not come back from.
pub(crate) fn last_words() {
    thread::close();
    own::flush(Reason::Process);
}

/// What any thread has queued is run. This one may not come back.
pub(crate) fn everything() {
    thread::close();
    if let Some(process) = process::get() {
        engine::flush_all(process, Reason::Process);
    }
}
