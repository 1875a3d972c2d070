//! A batch is a little program: adjacent sends on one TCP socket need not each go all the way through TCP.
//!
//! What it does, with results unchanged:
//!
//! - Adjacent sends with equal flags become one `sendmsg`.
//! - A send that is followed by another send or a `sendfile` on the same socket carries `MSG_MORE`, so that both leave in
//!   one segment. Where the successor then moves nothing, what was held back is pushed.
//! - In `cork, sends, uncork` the first call is left out: `MSG_MORE` says the same, and the uncork pushes.
//!
//! The entries of a group run as plain calls one after the other, because only so a short or failed one can be put right
//! before anything behind it runs. All else in the batch goes to the executor.

use alloc::vec::Vec;

use batch_table::{Call, Chain, SysResult, Table, nr::native as nr};

use crate::{MsgFlags, address};

/// Most sends that become one.
const MAX_MERGED: usize = 64;
/// Most bytes in one merged send: well below what the kernel cuts a call to (2 GiB less a page).
const MAX_BYTES: u64 = 1 << 30;

const IPPROTO_TCP: u64 = 6;
const TCP_CORK: u64 = 3;

/// Flags that mean the same for parts as for the whole.
const PLAIN_FLAGS: MsgFlags = MsgFlags::NOSIGNAL.union(MsgFlags::DONTWAIT).union(MsgFlags::MORE);
const MORE: u64 = MsgFlags::MORE.bits() as u64;

/// Words of `struct msghdr`; `struct iovec` has two.
const MSGHDR_WORDS: usize = 7;

/// What an entry is to the optimiser.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Kind {
    /// A send of some bytes that may be merged.
    Send,
    /// Moves bytes, and may carry `MSG_MORE`.
    Gather,
    /// Moves bytes.
    Sendfile,
    Cork,
    Uncork,
}

/// What `call` is. Only calls that this crate's constructors made for a TCP socket are asked about.
fn kind(call: &Call, cork: Option<bool>) -> Option<Kind> {
    let plain = |flags: u64| flags & !u64::from(PLAIN_FLAGS.bits()) == 0;
    match call.nr {
        nr::SENDTO if plain(call.args[3]) && call.args[2] > 0 => Some(Kind::Send),
        nr::SENDMSG if plain(call.args[2]) => Some(Kind::Gather),
        nr::SENDFILE => Some(Kind::Sendfile),
        nr::SETSOCKOPT if call.args[1] == IPPROTO_TCP && call.args[2] == TCP_CORK => {
            cork.map(|on| if on { Kind::Cork } else { Kind::Uncork })
        }
        _ => None,
    }
}

/// What the optimiser has to know about an entry beside its call.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct Hint {
    /// The entry is for a TCP socket.
    pub(crate) tcp: bool,
    /// The value of an `int` option that it sets, as a truth value.
    pub(crate) option: Option<bool>,
}

/// Where the next group is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Found {
    /// Entries before the group.
    pub(crate) before: u32,
    /// Entries in the group: none, or two and more.
    pub(crate) len: u32,
}

/// Finds the first group among `count` entries from `first` on: two or more adjacent ones on one TCP socket.
pub(crate) fn find(table: &Table<'_>, first: u32, count: u32, hint: impl Fn(u32) -> Hint) -> Found {
    let producer = table.producer();
    let socket = |offset: u32| {
        let position = first.wrapping_add(offset);
        let hint = hint(position);
        if !hint.tcp {
            return None;
        }
        let call = producer.call(position);
        kind(&call, hint.option).map(|_| call.args[0])
    };
    let mut start = 0;
    while start < count {
        let Some(fd) = socket(start) else {
            start += 1;
            continue;
        };
        let len = (start + 1..count)
            .take_while(|&offset| socket(offset) == Some(fd))
            .count();
        // Fits: below `count`.
        let len = u32::try_from(len).unwrap_or(0) + 1;
        if len > 1 {
            return Found { before: start, len };
        }
        start += 1;
    }
    Found {
        before: count,
        len: 0,
    }
}

/// Runs groups; keeps the memory for the merged call.
#[derive(Debug, Default)]
pub(crate) struct Optimiser {
    words: Vec<u64>,
}

/// A group while it runs.
struct Group<'t, C> {
    table: &'t Table<'t>,
    first: u32,
    len: u32,
    chain: Chain,
    /// The socket holds bytes back because of a `MSG_MORE` that the operations did not ask for; the offset of the entry
    /// that was to let them leave.
    held: Option<u32>,
    call: C,
}

impl Optimiser {
    pub(crate) const fn new() -> Self {
        Self { words: Vec::new() }
    }

    /// Runs the `len` entries from `first` on, which [`find`] found, by `call`.
    pub(crate) fn run<C>(
        &mut self,
        table: &Table<'_>,
        first: u32,
        len: u32,
        hint: impl Fn(u32) -> Hint,
        call: C,
    ) where
        C: FnMut(&Call) -> SysResult,
    {
        let mut group = Group {
            table,
            first,
            len,
            chain: Chain::new(),
            held: None,
            call,
        };
        let mut at = 0;
        // The offset of a cork that was left out and whose uncork has not run yet.
        let mut corked = None;
        let fd = group.entry(0).args[0];
        while at < len {
            if corked.is_none() && group.held.is_some_and(|successor| at > successor) {
                self.push(fd, &mut group);
            }
            let entry = group.entry(at);
            if group.chain.is_broken() {
                group.table.executor().cancel(first.wrapping_add(at));
                group.chain.canceled(entry.flags);
                at += 1;
                continue;
            }
            let option = hint(first.wrapping_add(at)).option;
            match kind(&entry, option) {
                Some(Kind::Send) => at += self.send(&mut group, at, corked.is_some(), &hint),
                Some(Kind::Gather) => {
                    let mut call = entry;
                    if corked.is_some() || group.has_successor(at, &hint) {
                        call.args[2] |= MORE;
                    }
                    group.run_one(at, &entry, &call, entry.args[2] & MORE != call.args[2] & MORE);
                    at += 1;
                }
                Some(Kind::Cork) if group.uncork_follows(at, &hint) => {
                    // Its result is that of the uncork: both are the same call on the same socket.
                    corked = Some(at);
                    group.chain.ran(&entry, SysResult::from_raw(0));
                    at += 1;
                }
                Some(Kind::Uncork) => {
                    let result = group.run_one(at, &entry, &entry, false);
                    if let Some(cork) = corked.take() {
                        group.complete(cork, result);
                    }
                    if result.is_ok() {
                        group.held = None;
                    }
                    at += 1;
                }
                _ => {
                    group.run_one(at, &entry, &entry, false);
                    at += 1;
                }
            }
        }
        if group.held.is_some() {
            self.push(fd, &mut group);
        }
    }

    /// Runs the send at `at` and those behind it that can be merged with it. Returns how many entries are finished.
    fn send<C>(&mut self, group: &mut Group<'_, C>, at: u32, corked: bool, hint: &impl Fn(u32) -> Hint) -> u32
    where
        C: FnMut(&Call) -> SysResult,
    {
        let head = group.entry(at);
        let mut total = head.args[2];
        self.words.clear();
        self.words.extend([0; MSGHDR_WORDS]);
        self.words.extend([head.args[1], head.args[2]]);
        let mut next = at + 1;
        let mut count = 1;
        while next < group.len && count < MAX_MERGED {
            let entry = group.entry(next);
            let option = hint(group.first.wrapping_add(next)).option;
            if kind(&entry, option) != Some(Kind::Send)
                || entry.args[3] != head.args[3]
                || total + entry.args[2] > MAX_BYTES
            {
                break;
            }
            total += entry.args[2];
            self.words.extend([entry.args[1], entry.args[2]]);
            next += 1;
            count += 1;
        }

        let more = corked || group.has_successor(next - 1, hint);
        let asked = head.args[3];
        let flags = if more { asked | MORE } else { asked };
        let call = if count == 1 {
            let mut call = head;
            call.args[3] = flags;
            call
        } else {
            let base = address(self.words.as_ptr());
            self.words[2] = base + (MSGHDR_WORDS * size_of::<u64>()) as u64;
            self.words[3] = count as u64;
            Call::new(nr::SENDMSG, [head.args[0], base, flags, total, 0, 0])
        };
        let result = (group.call)(&call);
        let Ok(mut left) = result.into_result() else {
            group.finish(at, &head, result);
            return 1;
        };
        if left > 0 {
            group.held = (flags != asked).then_some(next);
        }

        // The bytes taken belong to the entries in order. Behind a short one, and behind the last byte, entries have not
        // been tried yet: the caller goes on with them.
        let mut done = 0;
        while at + done < next {
            let entry = group.entry(at + done);
            let taken = left.min(entry.args[2]);
            if done > 0 && taken == 0 {
                break;
            }
            left -= taken;
            // A value that a send returned: it fits.
            group.finish(at + done, &entry, SysResult::from_raw(taken.cast_signed()));
            done += 1;
            if taken < entry.args[2] {
                break;
            }
        }
        done
    }

    /// Makes the socket send what it holds back, unless it is corked: then a plain send would be held back as well.
    #[cold]
    fn push<C: FnMut(&Call) -> SysResult>(&mut self, fd: u64, group: &mut Group<'_, C>) {
        group.held = None;
        // Option value and its length.
        self.words.clear();
        self.words.extend([0, size_of::<u32>() as u64]);
        let value = address(self.words.as_ptr());
        let len = value + size_of::<u64>() as u64;
        let asked = (group.call)(&Call::new(
            nr::GETSOCKOPT,
            [fd, IPPROTO_TCP, TCP_CORK, value, len, 0],
        ));
        // SAFETY: the first word of a live vector. The kernel may have written it behind the compiler's back, through an
        // address that was exposed, so it is read anew.
        let corked = unsafe { self.words.as_ptr().read_volatile() };
        if asked.is_ok() && corked == 0 {
            (group.call)(&Call::new(
                nr::SETSOCKOPT,
                [fd, IPPROTO_TCP, TCP_CORK, value, size_of::<u32>() as u64, 0],
            ));
        }
    }
}

impl<C: FnMut(&Call) -> SysResult> Group<'_, C> {
    fn entry(&self, at: u32) -> Call {
        self.table.producer().call(self.first.wrapping_add(at))
    }

    fn complete(&self, at: u32, result: SysResult) {
        self.table
            .executor()
            .complete(self.first.wrapping_add(at), result);
    }

    /// Whether the entry behind `at` moves bytes and then lets all of them leave.
    fn has_successor(&self, at: u32, hint: &impl Fn(u32) -> Hint) -> bool {
        if at + 1 >= self.len {
            return false;
        }
        let next = self.entry(at + 1);
        match kind(&next, hint(self.first.wrapping_add(at + 1)).option) {
            Some(Kind::Send) => next.args[3] & MORE == 0,
            Some(Kind::Gather) => next.args[2] & MORE == 0,
            Some(Kind::Sendfile) => true,
            Some(Kind::Cork | Kind::Uncork) | None => false,
        }
    }

    /// Whether the cork at `at` is undone in this group, come what may, and `MSG_MORE` says the same in between: sends, a
    /// `sendfile` at most as the last of them, no link into the uncork, which could then be cancelled.
    fn uncork_follows(&self, at: u32, hint: &impl Fn(u32) -> Hint) -> bool {
        let mut last_is_file = false;
        let mut linked = self.entry(at).is_linked();
        if linked {
            // It has to fail before what depends on it runs.
            return false;
        }
        for next in at + 1..self.len {
            let entry = self.entry(next);
            match kind(&entry, hint(self.first.wrapping_add(next)).option) {
                Some(Kind::Uncork) => return !linked,
                Some(Kind::Send | Kind::Gather) if !last_is_file => {}
                Some(Kind::Sendfile) if !last_is_file => last_is_file = true,
                _ => return false,
            }
            linked = entry.is_linked();
        }
        false
    }

    /// Makes `call` for the entry at `at`. `more` says that it carries a `MSG_MORE` of ours.
    fn run_one(&mut self, at: u32, entry: &Call, call: &Call, more: bool) -> SysResult {
        let result = (self.call)(call);
        let moves = matches!(call.nr, nr::SENDTO | nr::SENDMSG | nr::SENDFILE);
        if moves && matches!(result.into_result(), Ok(1..)) {
            self.held = more.then_some(at + 1);
        }
        self.finish(at, entry, result);
        result
    }

    fn finish(&mut self, at: u32, entry: &Call, result: SysResult) {
        self.complete(at, result);
        self.chain.ran(entry, result);
    }
}

#[cfg(test)]
mod model;
