//! Runs the records of a segment, by whichever executor there is, and sees to what comes back.

use core::sync::atomic::Ordering;

use batch_table::nr::native as nr;
use batch_table::{Call, EntryFlags, Errno, Outcome};
use libc::c_int;

use crate::process::Process;
use crate::queue::batch::Batch;
use crate::queue::fds::{Fd, REMAINDER, SYNCHRONOUS, UNCORKED};
use crate::queue::left::Item;
use crate::queue::plan::{self, Step};
use crate::queue::record::Kind;
use crate::queue::segment::{Flushing, Segment};
use crate::queue::{remainder, thread};
use crate::settings;
use crate::stats::{self, Reason, STATS};
use crate::sys::{self, address, int};

/// Values of an option, for the kernel to read.
static VALUES: [c_int; 2] = [0, 1];

/// The bytes of a step.
fn bytes(segment: &Segment, step: Step) -> *const u8 {
    segment.arena().wrapping_add(step.start as usize)
}

/// The call of a step.
fn call(segment: &Segment, step: Step) -> Call {
    let fd = int(step.fd);
    match step.kind {
        Kind::Send { more } => {
            // A broken connection is reported by the next call, and that raises the signal.
            let flags = libc::MSG_NOSIGNAL | libc::MSG_DONTWAIT | if more { libc::MSG_MORE } else { 0 };
            let start = address(bytes(segment, step));
            Call::new(nr::SENDTO, [fd, start, step.len.into(), int(flags), 0, 0])
        }
        Kind::Cork(on) => {
            let value = address(&raw const VALUES[usize::from(on)]);
            let (level, name) = (int(libc::IPPROTO_TCP), int(libc::TCP_CORK));
            Call::new(nr::SETSOCKOPT, [fd, level, name, value, 4, 0])
        }
        Kind::Shutdown(how) => Call::new(nr::SHUTDOWN, [fd, int(how), 0, 0, 0, 0]),
        Kind::Close => Call::new(nr::CLOSE, [fd, 0, 0, 0, 0, 0]),
    }
}

/// Sees to the result of a step.
fn settle(process: &Process, segment: &Segment, step: Step, outcome: Outcome) {
    let Some(fd) = process.fd(step.fd) else {
        return;
    };
    let result = match outcome {
        Outcome::Done(result) => result,
        Outcome::Canceled if fd.word() & REMAINDER != 0 => {
            keep(process, segment, step, 0);
            return;
        }
        // The connection broke: what is left of its data goes nowhere, but it is still closed.
        Outcome::Canceled if matches!(step.kind, Kind::Send { .. }) => return,
        Outcome::Canceled => {
            if step.kind == Kind::Close {
                fd.reset(0);
            }
            let call = call(segment, step);
            // SAFETY: a call on the program's own descriptor that it asked for.
            unsafe { sys::run(&call) }
        }
    };
    match (step.kind, result.into_result()) {
        (Kind::Send { .. }, Ok(taken)) if taken >= u64::from(step.len) => {}
        (Kind::Send { .. }, Ok(taken)) => keep(process, segment, step, u32::try_from(taken).unwrap_or(0)),
        (Kind::Send { .. }, Err(Errno::EAGAIN | Errno::ENOBUFS | Errno::ENOMEM | Errno::EINTR)) => {
            keep(process, segment, step, 0);
        }
        (Kind::Send { .. }, Err(Errno::ENOTSOCK)) => write(segment, step),
        // The kernel says so again to the next call, and raises the signal then.
        _ if step.closed => {}
        (Kind::Send { .. }, Err(Errno::EPIPE | Errno::EBADF)) => fd.set(SYNCHRONOUS),
        (Kind::Send { .. }, Err(errno)) => {
            stats::count(&STATS.latched, 1);
            fd.latch(errno.raw().into());
        }
        (Kind::Cork(false), Ok(_)) => fd.set(UNCORKED),
        (Kind::Cork(_), _) => fd.clear(UNCORKED),
        (Kind::Shutdown(_) | Kind::Close, _) => {}
    }
}

/// The number was closed and used again behind the shim's back, and is no socket: do what the program asked for.
#[cold]
fn write(segment: &Segment, step: Step) {
    let args = [int(step.fd), address(bytes(segment, step)), step.len.into()];
    // SAFETY: the bytes are in the arena.
    let _ = unsafe { sys::call(libc::SYS_write, &args) };
}

/// Keeps what the kernel did not take.
#[cold]
fn keep(process: &Process, segment: &Segment, step: Step, taken: u32) {
    let item = match step.kind {
        Kind::Send { more } => {
            let rest = step.len.saturating_sub(taken) as usize;
            let start = bytes(segment, step).wrapping_add(taken as usize);
            // SAFETY: part of the bytes of the step, which are in the arena, written by `append`'s caller, and stay as they
            // are until the flush has ended.
            let bytes = unsafe { core::slice::from_raw_parts(start, rest) };
            Item::Bytes {
                bytes: bytes.to_vec(),
                at: 0,
                more,
            }
        }
        Kind::Cork(on) => Item::Cork(on),
        Kind::Shutdown(how) => Item::Shutdown(how),
        Kind::Close => {
            remainder::close(process, step.fd);
            return;
        }
    };
    stats::count(&STATS.remainders, 1);
    remainder::append(process, step.fd, item);
}

/// Runs a batch, and sees to its results.
fn complete(process: &Process, segment: &Segment, batch: &mut Batch, own: bool) {
    batch.run(own);
    batch.finish(|step, outcome| settle(process, segment, step, outcome));
}

/// Runs what any thread has queued.
pub(crate) fn flush_all(process: &Process, why: Reason) {
    for segment in process.segments() {
        flush(process, segment, why);
    }
}

/// Runs all records of a segment.
pub(crate) fn flush(process: &Process, segment: &Segment, why: Reason) {
    if let Some(flushing) = segment.begin(false) {
        run_all(process, flushing, why).end();
    }
}

/// The same, and this descriptor is not the segment's any more, even if it was claimed for a record that does not count yet.
pub(crate) fn flush_for(process: &Process, segment: &Segment, why: Reason, fd: &Fd) {
    if let Some(flushing) = segment.begin(true) {
        let index = segment.index();
        let flushing = run_all(process, flushing, why);
        fd.release(index);
        flushing.end();
    }
}

fn run_all<'s>(process: &Process, mut flushing: Flushing<'s>, why: Reason) -> Flushing<'s> {
    if flushing.count() == 0 {
        return flushing;
    }
    stats::flushed(why);
    thread::forget_drained();
    let segment = flushing.segment();
    let own = thread::has(segment);
    run(process, &mut flushing, own);
    let mut closes = 0;
    // The records of one connection mostly follow each other; to release it twice would cost a locked operation each.
    let mut released = -1;
    for at in 0..flushing.count() {
        let Some(record) = flushing.record(at) else {
            break;
        };
        if record.kind == Kind::Close {
            closes += 1;
            released = -1;
        } else if record.fd != released
            && let Some(fd) = process.fd(record.fd)
        {
            fd.release(segment.index());
            released = record.fd;
        }
    }
    if closes != 0 {
        process.closes.fetch_sub(closes, Ordering::AcqRel);
    }
    flushing
}

fn run(process: &Process, flushing: &mut Flushing<'_>, own: bool) {
    let segment = flushing.segment();
    let optimise = settings::optimises();
    let uncorked = |fd| process.fd(fd).is_some_and(|fd| fd.word() & UNCORKED != 0);
    let plan = |flushing: &Flushing<'_>, at| plan::step(|at| flushing.record(at), at, optimise, uncorked);
    let mut next = plan(flushing, 0);
    let mut linked = false;
    while let Some(step) = next {
        next = plan(flushing, step.next);
        let Some(fd) = process.fd(step.fd) else {
            continue;
        };
        let Some(batch) = flushing.batch() else {
            return;
        };
        if fd.batch() == batch.number() && !linked {
            complete(process, segment, batch, own);
        }
        if fd.word() & REMAINDER != 0 && !linked {
            keep(process, segment, step, 0);
            continue;
        }
        let full = batch.is_all_but_full();
        linked = !full && next.is_some_and(|next| next.fd == step.fd);
        let mut call = call(segment, step);
        if linked {
            call.flags = EntryFlags::LINK;
        }
        if step.kind == Kind::Close {
            // Before the kernel can give the number to somebody else.
            fd.close();
            batch.closed(step.fd);
        } else {
            fd.set_batch(batch.number());
        }
        batch.publish(
            Step {
                closed: step.kind == Kind::Close,
                ..step
            },
            &call,
        );
        if full {
            complete(process, segment, batch, own);
        }
    }
    if let Some(batch) = flushing.batch() {
        complete(process, segment, batch, own);
    }
}
