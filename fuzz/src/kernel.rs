//! The kernel module's walk over a table of anything, with a kernel that answers as the input says, against the rules
//! written down plainly.

use std::ptr::NonNull;

use batch_table::device::{ALLOWED, parse_flush_argument};
use batch_table::nr::native as nr;
use batch_table::{Call, EntryFlags, Errno, Features, SysResult, Table};
use esca_kernel::{Host, Verdict, flush};

use super::input::Input;

const ENTRIES: u32 = 8;
const LENGTH: usize = 64 + 64 * ENTRIES as usize;

#[repr(C, align(64))]
struct Memory {
    bytes: [u8; LENGTH],
    guard: [u8; 64],
}

/// What the host was asked, and what it said.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Event {
    Check(Verdict),
    MayWait(Call, bool),
    Call(Call, i64),
}

/// A kernel whose answers are the next bytes of the input.
struct Scripted<'a, 'b> {
    answers: &'a mut Input<'b>,
    events: Vec<Event>,
}

impl Host for Scripted<'_, '_> {
    fn check(&mut self) -> Verdict {
        let verdict = match self.answers.byte() {
            1 => Verdict::Signal,
            2 => Verdict::Watched,
            _ => Verdict::Go,
        };
        self.events.push(Event::Check(verdict));
        verdict
    }

    fn may_wait(&mut self, call: &Call) -> bool {
        let waits = self.answers.byte().is_multiple_of(2);
        self.events.push(Event::MayWait(*call, waits));
        waits
    }

    fn call(&mut self, call: &Call) -> i64 {
        let result = match self.answers.byte() {
            byte @ 0..=15 => -510 - i64::from(byte),
            byte @ 16..=31 => -i64::from(byte),
            byte @ 32..=63 => call
                .full_length()
                .unwrap_or(0)
                .wrapping_sub(u64::from(byte - 32))
                .cast_signed(),
            _ => self.answers.u64().cast_signed(),
        };
        self.events.push(Event::Call(*call, result));
        result
    }
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    call: Call,
    ready: bool,
}

/// Fills the entries, then flushes ranges of them until the input ends.
///
/// # Panics
///
/// Where the walk and the rules disagree.
pub fn run(data: &[u8]) {
    let mut input = Input::new(data);
    let mut memory = Box::new(Memory {
        bytes: [0; LENGTH],
        guard: [0x5a; 64],
    });
    let start = NonNull::from(&mut memory.bytes).cast();
    // SAFETY: the bytes are initialised, owned by this function, and not looked at in another way while the table that
    // borrows them is in use.
    let table = unsafe { Table::init_raw(start, LENGTH, ENTRIES, Features::KNOWN) }.expect("well made");
    let mut model = Vec::new();
    for position in 0..ENTRIES {
        let shape = input.byte();
        let call = Call {
            nr: match shape % 4 {
                0 => input.u64() as u32,
                1 => u32::from(input.u16()),
                _ => ALLOWED[usize::from(input.byte()) % ALLOWED.len()],
            },
            flags: EntryFlags::from_raw(u16::from(shape / 4 % 4)),
            args: std::array::from_fn(|_| input.scaled()),
        };
        let ready = !(shape / 16).is_multiple_of(8);
        if ready {
            table.producer().publish(position, &call).expect("empty");
        }
        model.push(Entry { call, ready });
    }
    while !input.is_empty() {
        let argument = match input.byte() {
            0 => input.u64(),
            byte => u64::from(byte % 8) << 16 | u64::from(byte / 8 % 10),
        };
        let mut host = Scripted {
            answers: &mut input,
            events: Vec::new(),
        };
        let finished = flush(&table, argument, &mut host);
        let events = host.events;
        assert_eq!(finished, by_the_rules(&table, &mut model, argument, &events));
        for (position, entry) in (0..).zip(&model) {
            assert_eq!(
                table.executor().fetch(position),
                entry.ready.then_some(entry.call)
            );
        }
    }
    assert_eq!(memory.guard, [0x5a; 64]);
}

/// What one flush should have finished, given what the host said. Takes the results off the table.
fn by_the_rules(
    table: &Table<'_>,
    model: &mut [Entry],
    argument: u64,
    events: &[Event],
) -> Result<u32, Errno> {
    let mut events = events.iter();
    let Some((first, count)) = parse_flush_argument(argument, ENTRIES) else {
        assert_eq!(events.next(), None);
        return Err(Errno::EINVAL);
    };
    let (mut broken, mut progress, mut closed, mut ended) = (false, false, false, false);
    let mut finished = count;
    for offset in 0..count {
        let position = first.wrapping_add(offset);
        let entry = &mut model[(position % ENTRIES) as usize];
        if !entry.ready {
            continue;
        }
        let flags = entry.call.flags.to_raw();
        let result = if broken {
            Some(-125)
        } else if flags > 1 {
            Some(-22)
        } else if ended {
            None
        } else {
            let verdict = match events.next() {
                Some(Event::Check(verdict)) => *verdict,
                other => panic!("{other:?} instead of a check"),
            };
            if verdict == Verdict::Watched || verdict == Verdict::Signal && progress {
                None
            } else if !ALLOWED.contains(&entry.call.nr) {
                progress = true;
                Some(-1)
            } else {
                let result = called(entry.call, closed, &mut events);
                if result.is_some() {
                    progress = true;
                    closed |= entry.call.nr == nr::CLOSE;
                    ended |= entry.call.nr == nr::EPOLL_PWAIT;
                }
                result
            }
        };
        let Some(result) = result else {
            finished = offset;
            break;
        };
        let outcome = table.producer().take(position).expect("finished");
        assert_eq!(outcome.result().to_raw(), result);
        entry.ready = false;
        broken = flags & 1 == 1 && (broken || entry.call.breaks_chain(SysResult::from_raw(result)));
    }
    assert_eq!(events.next(), None, "nothing more was asked");
    Ok(finished)
}

/// The result of a call on the list, or `None` where the flush stops before it.
fn called<'a>(call: Call, closed: bool, events: &mut impl Iterator<Item = &'a Event>) -> Option<i64> {
    if closed {
        match events.next() {
            Some(Event::MayWait(asked, waits)) => {
                assert_eq!(*asked, call);
                if *waits {
                    return None;
                }
            }
            other => panic!("{other:?} instead of a question about waiting"),
        }
    }
    match events.next() {
        Some(Event::Call(made, result)) => {
            assert_eq!(*made, call);
            match *result {
                -514..=-512 => None,
                -515 => Some(-25),
                -516 => Some(-4),
                result => Some(result),
            }
        }
        other => panic!("{other:?} instead of the call"),
    }
}
