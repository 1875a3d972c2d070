//! A table whose memory holds anything, against a plain reading of the same bytes.

use std::ptr::NonNull;

use batch_table::{Call, Chain, EntryFlags, Errno, Features, Outcome, Step, SysResult, Table};

use super::input::Input;

const ENTRIES: usize = 8;
const LENGTH: usize = 64 + 64 * ENTRIES;

/// As a table wants it: aligned, with a guard behind it that must keep its value.
#[repr(C, align(64))]
struct Memory {
    bytes: [u8; LENGTH],
    guard: [u8; 64],
}

/// A byte says whether the header is made well or taken from the input; the entries always are. Then come operations.
///
/// # Panics
///
/// Where the two disagree.
pub fn run(data: &[u8]) {
    let mut input = Input::new(data);
    let mut memory = Box::new(Memory {
        bytes: [0; LENGTH],
        guard: [0x5a; 64],
    });
    let shape = input.byte();
    fill(&mut memory.bytes[64..], &mut input);
    if shape.is_multiple_of(4) {
        fill(&mut memory.bytes[..64], &mut input);
    } else {
        let capacity = 1 << (shape / 4 % 4);
        // SAFETY: the bytes are initialised, owned by this function, and not looked at in another way while the table
        // that borrows them exists, which is to the end of this statement.
        let made = unsafe { Table::init_raw(start(&mut memory), LENGTH, capacity, Features::KNOWN) };
        assert_eq!(made.expect("well made").capacity(), capacity);
    }
    let before = memory.bytes;
    // SAFETY: as above; this table exists to the end of the block, and `memory` is not used in it.
    let attached = unsafe { Table::attach_raw(start(&mut memory), LENGTH) };
    let header = Header::read(&before);
    match attached {
        Ok(table) => {
            assert_eq!(
                Some((table.capacity(), table.features().to_raw())),
                header.accepted()
            );
            let model = (0..table.capacity() as usize)
                .map(|index| Entry::read(&before[64 + 64 * index..]))
                .collect();
            operate(table, model, input);
        }
        Err(error) => assert_eq!(header.accepted(), None, "{error}"),
    }
    assert_eq!(memory.guard, [0x5a; 64]);
}

fn start(memory: &mut Memory) -> NonNull<u8> {
    NonNull::from(&mut memory.bytes).cast()
}

fn fill(memory: &mut [u8], input: &mut Input<'_>) {
    for byte in memory {
        *byte = input.byte();
    }
}

/// The header by the offsets in the documentation.
struct Header {
    good: bool,
    capacity: u32,
    features: u64,
}

impl Header {
    fn read(bytes: &[u8]) -> Self {
        let mut input = Input::new(&bytes[..64]);
        let fixed = [input.u16(), input.u16(), input.u16(), input.u16()];
        let capacity = u32::from(input.u16()) | u32::from(input.u16()) << 16;
        let offset = [input.u16(), input.u16()];
        let features = input.u64();
        let magic = batch_table::MAGIC.to_le_bytes();
        let magic = [
            u16::from_le_bytes([magic[0], magic[1]]),
            u16::from_le_bytes([magic[2], magic[3]]),
        ];
        let good =
            fixed == [magic[0], magic[1], 1, 64] && offset == [64, 0] && input.rest().iter().all(|b| *b == 0);
        Self {
            good,
            capacity,
            features,
        }
    }

    fn accepted(&self) -> Option<(u32, u64)> {
        let fits = self.capacity.is_power_of_two() && self.capacity as usize <= ENTRIES;
        let known = self.features & !Features::KNOWN.to_raw() == 0;
        (self.good && fits && known).then_some((self.capacity, self.features))
    }
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    call: Call,
    state: u16,
    result: i64,
}

impl Entry {
    fn read(bytes: &[u8]) -> Self {
        let mut input = Input::new(bytes);
        let nr = u32::from(input.u16()) | u32::from(input.u16()) << 16;
        let flags = EntryFlags::from_raw(input.u16());
        let state = input.u16();
        let result = input.u64().cast_signed();
        Self {
            call: Call {
                nr,
                flags,
                args: std::array::from_fn(|_| input.u64()),
            },
            state,
            result,
        }
    }

    fn outcome(&self) -> Option<Outcome> {
        match self.state {
            2 => Some(Outcome::Done(SysResult::from_raw(self.result))),
            3 => Some(Outcome::Canceled),
            _ => None,
        }
    }

    fn end(&mut self, state: u16, result: SysResult) {
        (self.state, self.result) = (state, result.to_raw());
    }
}

fn operate(table: Table<'_>, mut model: Vec<Entry>, mut input: Input<'_>) {
    while !input.is_empty() {
        let operation = input.byte();
        let position = u32::from(input.byte()).wrapping_sub(8);
        let index = position as usize % model.len();
        let entry = &mut model[index];
        match operation % 5 {
            0 => {
                let flags = EntryFlags::from_raw(u16::from(operation / 5 % 4));
                let call = Call {
                    nr: u32::from(input.byte()),
                    flags,
                    args: std::array::from_fn(|_| input.scaled()),
                };
                let published = table.producer().publish(position, &call);
                assert_eq!(
                    published.map_err(|error| error.raw_state()),
                    (entry.state == 0).then_some(()).ok_or(entry.state)
                );
                if entry.state == 0 {
                    (entry.call, entry.state) = (call, 1);
                }
            }
            1 => {
                assert_eq!(table.producer().take(position), entry.outcome());
                if matches!(entry.state, 2 | 3) {
                    entry.state = 0;
                }
            }
            2 => {
                assert_eq!(table.producer().withdraw(position), entry.state == 1);
                if entry.state == 1 {
                    entry.state = 3;
                }
            }
            3 => assert_eq!(
                table.executor().fetch(position),
                (entry.state == 1).then_some(entry.call)
            ),
            _ => walk(table, &mut model, position, &mut input),
        }
        compare(table, &model);
    }
}

/// One walk over both, with the same verdict for each call.
fn walk(table: Table<'_>, model: &mut [Entry], first: u32, input: &mut Input<'_>) {
    let count = input.byte();
    let verdicts = *input;
    let expected = plain_walk(model, first, u32::from(count), input);
    let mut verdicts = verdicts;
    let done = table
        .executor()
        .walk(first, u32::from(count), &mut Chain::new(), |_, call| {
            verdict(call, &mut verdicts)
        });
    assert_eq!(done, expected);
}

fn plain_walk(model: &mut [Entry], first: u32, count: u32, verdicts: &mut Input<'_>) -> u32 {
    let length = model.len();
    let mut broken = false;
    for done in 0..count.min(u32::try_from(length).unwrap_or(u32::MAX)) {
        let entry = &mut model[first.wrapping_add(done) as usize % length];
        if entry.state != 1 {
            continue;
        }
        let linked = entry.call.flags.to_raw() & 1 == 1;
        if broken {
            entry.end(3, SysResult::CANCELED);
            broken = linked;
            continue;
        }
        let step = if entry.call.flags.to_raw() > 1 {
            Step::Done(SysResult::from_errno(Errno::EINVAL))
        } else {
            verdict(&entry.call, verdicts)
        };
        let (Step::Done(result) | Step::DoneThenStop(result)) = step else {
            return done;
        };
        entry.end(2, result);
        broken = linked && entry.call.breaks_chain(result);
        if matches!(step, Step::DoneThenStop(_)) {
            return done + 1;
        }
    }
    count.min(u32::try_from(length).unwrap_or(u32::MAX))
}

/// What the input says that a call returns: an error, all that was asked for, less, or that it does not run now.
fn verdict(call: &Call, verdicts: &mut Input<'_>) -> Step {
    let full = call.full_length().unwrap_or(1).cast_signed();
    match verdicts.byte() % 6 {
        0 => Step::Done(SysResult::from_errno(Errno::EPIPE)),
        1 => Step::Done(SysResult::from_raw(full / 2)),
        2 => Step::DoneThenStop(SysResult::from_raw(full)),
        3 => Step::Stop,
        _ => Step::Done(SysResult::from_raw(full)),
    }
}

fn compare(table: Table<'_>, model: &[Entry]) {
    for (position, entry) in (0..).zip(model) {
        assert_eq!(
            table.producer().state(position).map(|state| state.to_raw()),
            (entry.state < 4).then_some(entry.state)
        );
        assert_eq!(table.producer().outcome(position), entry.outcome());
        assert_eq!(table.producer().call(position), entry.call);
    }
}
