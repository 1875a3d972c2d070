//! From records to the fewest calls that do the same.
//!
//! - Sends on one socket that follow each other are one send: their bytes lie one behind the other in the arena. It carries
//!   `MSG_MORE` as the last of them does.
//! - Between a cork and its uncork sends carry `MSG_MORE`, which says the same, so the cork is left out. Where the socket is
//!   known to be uncorked and the sends became one, so is the uncork: there is nothing to hold back.
//!
//! A promise has no result that would have to be split, so this is simpler than what a segment of `esca-sys` has to do: only
//! how many of the bytes were taken matters.

use crate::queue::record::{Kind, Record};

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

#[cfg(test)]
mod tests {
    use super::{Step, step};
    use crate::queue::record::{Kind, Record};

    /// What a socket would have been given: bytes of the arena in order, options, and the end.
    fn effects(steps: &[Step], fd: i32) -> (Vec<u32>, bool, bool) {
        let (mut bytes, mut corked, mut held) = (Vec::new(), false, false);
        for step in steps.iter().filter(|step| step.fd == fd) {
            match step.kind {
                Kind::Send { more } => {
                    bytes.extend(step.start..step.start + step.len);
                    held = more || corked;
                }
                Kind::Cork(on) => {
                    corked = on;
                    held &= on;
                }
                Kind::Shutdown(_) | Kind::Close => {}
            }
        }
        (bytes, corked, held)
    }

    fn plan(records: &[Record], optimise: bool, uncorked: bool) -> Vec<Step> {
        let mut steps = Vec::new();
        while let Some(next) = step(
            |at| records.get(at).copied(),
            steps.last().map_or(0, |last: &Step| last.next),
            optimise,
            |_| uncorked,
        ) {
            steps.push(next);
        }
        steps
    }

    #[test]
    fn joined_calls_do_what_single_ones_do() {
        let mut random = 1_u32;
        let mut next = |below: u32| {
            random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (random >> 16) % below
        };
        for round in 0..20_000 {
            let mut start = 0;
            let records: Vec<Record> = (0..next(12))
                .map(|_| {
                    let kind = match next(8) {
                        0..4 => Kind::Send { more: next(4) == 0 },
                        4 | 5 => Kind::Cork(true),
                        6 => Kind::Cork(false),
                        _ => Kind::Shutdown(1),
                    };
                    let len = if matches!(kind, Kind::Send { .. }) {
                        1 + next(5)
                    } else {
                        0
                    };
                    let fd = i32::from(next(4) == 0);
                    let record = Record { fd, kind, start, len };
                    start += len;
                    record
                })
                .collect();
            for fd in 0..2 {
                let single = effects(&plan(&records, false, false), fd);
                // Whether a cork was on before is not known, so the uncork is made.
                assert_eq!(
                    effects(&plan(&records, true, false), fd),
                    single,
                    "round {round}: {records:?}"
                );
            }
            let calls = plan(&records, true, false);
            assert_eq!(calls.last().map_or(0, |last| last.next), records.len());
        }
    }

    #[test]
    fn a_cork_around_a_header_and_a_body_costs_nothing() {
        let record = |kind, start, len| Record {
            fd: 5,
            kind,
            start,
            len,
        };
        let records = [
            record(Kind::Cork(true), 0, 0),
            record(Kind::Send { more: false }, 0, 200),
            record(Kind::Send { more: false }, 200, 4096),
            record(Kind::Cork(false), 4296, 0),
        ];
        let known = plan(&records, true, true);
        assert_eq!(known.len(), 1);
        assert_eq!((known[0].kind, known[0].len), (Kind::Send { more: false }, 4296));
        let unknown: Vec<Kind> = plan(&records, true, false).iter().map(|step| step.kind).collect();
        assert_eq!(unknown, [Kind::Send { more: true }, Kind::Cork(false)]);
        assert_eq!(plan(&records, false, true).len(), 4);
    }
}
