//! From records to the fewest calls that do the same.
//!
//! - Sends on one socket that follow each other are one send: their bytes lie one behind the other in the arena. It carries
//!   `MSG_MORE` as the last of them does.
//! - Between a cork and its uncork sends carry `MSG_MORE`, which says the same, so the cork is left out. Where the socket is
//!   known to be uncorked and the sends became one, so is the uncork: there is nothing to hold back.
//!
//! A promise has no result that would have to be split, so this is simpler than what a segment of `esca-sys` has to do: only
//! how many of the bytes were taken matters.

use crate::queue::segment::{Kind, Record};

/// A call to make for one or more records.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Step {
    pub(crate) fd: i32,
    pub(crate) kind: Kind,
    /// Bytes in the arena.
    pub(crate) start: u32,
    pub(crate) len: u32,
    /// The record behind those it stands for.
    pub(crate) next: usize,
    /// The descriptor is closed by this or by a later call of its batch.
    pub(crate) closed: bool,
}

/// The call for the record at `at`, and for those behind it that can be joined with it.
pub(crate) fn step(
    record: impl Fn(usize) -> Option<Record>,
    at: usize,
    optimise: bool,
    uncorked: impl Fn(i32) -> bool,
) -> Option<Step> {
    let first = record(at)?;
    let alone = Step {
        fd: first.fd,
        kind: first.kind,
        start: first.start,
        len: first.len,
        next: at + 1,
        closed: false,
    };
    if !optimise {
        return Some(alone);
    }
    let of_this = |index| record(index).filter(|other| other.fd == first.fd);
    match first.kind {
        Kind::Send { .. } => Some(join(of_this, alone)),
        Kind::Cork(true) => {
            let Some(send) = of_this(at + 1).filter(|next| matches!(next.kind, Kind::Send { .. })) else {
                return Some(alone);
            };
            let body = Step {
                fd: send.fd,
                kind: send.kind,
                start: send.start,
                len: send.len,
                next: at + 2,
                closed: false,
            };
            let mut body = join(of_this, body);
            if of_this(body.next).is_none_or(|last| last.kind != Kind::Cork(false)) {
                return Some(alone);
            }
            if uncorked(first.fd) {
                body.kind = Kind::Send { more: false };
                body.next += 1;
            } else {
                body.kind = Kind::Send { more: true };
            }
            Some(body)
        }
        _ => Some(alone),
    }
}

/// Adds the sends that follow.
fn join(of_this: impl Fn(usize) -> Option<Record>, mut step: Step) -> Step {
    while let Some(next) = of_this(step.next) {
        if !matches!(next.kind, Kind::Send { .. }) || next.start != step.start + step.len {
            break;
        }
        step.len += next.len;
        step.kind = next.kind;
        step.next += 1;
    }
    step
}
