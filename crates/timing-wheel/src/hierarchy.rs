//! The slots: eleven levels of 64, each digit of base 64 of a deadline one level, and the lists that hang in them.
//!
//! A timer hangs at the level of the highest digit in which its deadline differs from the cursor, in the slot of that
//! digit. So every occupied slot of a level lies ahead of the cursor's digit and shares all higher digits with it: the
//! first occupied slot of the lowest occupied level starts before every other one, and its start follows from its number
//! and the cursor alone.
//!
//! The cursor never passes the start of an occupied slot. When it reaches one, that slot's list is taken apart, node by
//! node: what is due leaves, the rest hangs below, or elsewhere when it was pushed back meanwhile.

use crate::node::{Link, Lists, NIL, UNLINKED};

const DIGIT_BITS: u32 = 6;
const SLOTS: usize = 1 << DIGIT_BITS;
const LEVELS: usize = 64usize.div_ceil(DIGIT_BITS as usize);

/// Level by number of leading zeros of (deadline XOR cursor).
const LEVEL: [u16; 64] = {
    let mut table = [0; 64];
    let mut zeros = 64;
    let mut bit = 0;
    let mut level = 0;
    while zeros > 0 {
        zeros -= 1;
        table[zeros] = level;
        bit += 1;
        if bit == DIGIT_BITS {
            bit = 0;
            level += 1;
        }
    }
    table
};

/// What came of taking a slot apart.
enum Cascade {
    /// The slot is empty.
    Done,
    /// This node, the slot's only one, is due.
    Due(u32),
    /// The budget is spent, or there is no slot.
    Stopped,
}

#[derive(Clone)]
pub(crate) struct Hierarchy {
    /// Up to here every slot has been worked off.
    pub(crate) cursor: u64,
    /// The start of the slot `first`; `u64::MAX` when every slot is empty.
    first_start: u64,
    /// The slot to work off next, `UNLINKED` when every slot is empty: the one that starts first, or the one at the cursor
    /// that is being taken apart.
    first: u16,
    /// Bit l: level l has an occupied slot.
    levels: u16,
    occupied: [u64; LEVELS],
    heads: [[u32; SLOTS]; LEVELS],
}

impl Hierarchy {
    pub(crate) const fn new(cursor: u64) -> Self {
        Self {
            cursor,
            first_start: u64::MAX,
            first: UNLINKED,
            levels: 0,
            occupied: [0; LEVELS],
            heads: [[NIL; SLOTS]; LEVELS],
        }
    }

    /// The first tick of an occupied slot.
    #[inline]
    pub(crate) fn start_of(&self, slot: u16) -> u64 {
        // At most 60, which the compiler cannot see: the mask spares a check.
        let shift = (u32::from(slot >> DIGIT_BITS) * DIGIT_BITS) & 63;
        ((self.cursor >> shift) & !63 | u64::from(slot & 63)) << shift
    }

    /// The start of the first occupied slot: no linked timer is due before.
    #[inline]
    pub(crate) fn first_start(&self) -> Option<u64> {
        (self.first != UNLINKED).then_some(self.first_start)
    }

    /// Whether a slot starts at or before `now`.
    #[inline]
    pub(crate) fn reached_by(&self, now: u64) -> bool {
        self.first_start <= now && self.first != UNLINKED
    }

    /// Moves the cursor to `now` when nothing lies on the way.
    #[inline]
    pub(crate) fn skip_to(&mut self, now: u64) {
        if !self.reached_by(now) {
            self.cursor = now;
        }
    }

    /// Takes the next node of a deadline at or before `now` off its list, in deadline order. Touches at most `*budget`
    /// nodes: moves the nodes of coarser slots down and unhooks the free ones on the way.
    #[inline]
    pub(crate) fn pop(&mut self, lists: &mut Lists<'_>, now: u64, budget: &mut usize) -> Option<u32> {
        loop {
            if self.first_start > now {
                self.cursor = now;
                return None;
            }
            if *budget == 0 {
                return None;
            }
            if usize::from(self.first) >= SLOTS {
                match self.cascade(lists, now, budget) {
                    Cascade::Done => continue,
                    Cascade::Due(index) => return Some(index),
                    Cascade::Stopped => return None,
                }
            }
            *budget -= 1;
            self.cursor = self.first_start;
            let digit = usize::from(self.first) & 63;
            let index = self.heads[0][digit];
            let link = &mut lists.links[index as usize];
            let next = link.next;
            link.slot = UNLINKED;
            self.heads[0][digit] = next;
            // Whether a tick has one timer or two is anybody's guess, so there is no branch on it.
            let rest = if next == NIL { index } else { next };
            lists.links[rest as usize].prev = NIL;
            self.leave_tick(next == NIL);
            if let Some(deadline) = lists.deadline(index, self.cursor) {
                if deadline <= self.cursor {
                    return Some(index);
                }
                self.relink(lists, index, deadline);
            }
        }
    }

    /// Clears the bit of the first slot, one of level 0, if it is `empty`. The next slot is beside it as a rule.
    #[inline]
    fn leave_tick(&mut self, empty: bool) {
        let left = self.occupied[0] & !(u64::from(empty) << (self.first & 63));
        self.occupied[0] = left;
        if left == 0 {
            self.levels &= !1;
            self.find_first();
        } else {
            let digit = left.trailing_zeros();
            self.first = (digit & 63) as u16;
            self.first_start = self.cursor & !63 | u64::from(digit);
        }
    }

    /// Takes the first slot, one above level 0, apart: its nodes go where their deadlines belong as seen from its start.
    #[inline(never)]
    fn cascade(&mut self, lists: &mut Lists<'_>, now: u64, budget: &mut usize) -> Cascade {
        let slot = self.first;
        if slot == UNLINKED {
            self.cursor = now;
            return Cascade::Stopped;
        }
        self.cursor = self.first_start;
        let level = usize::from(slot >> DIGIT_BITS);
        let above = (u32::from(slot >> DIGIT_BITS) * DIGIT_BITS) & 63;
        let below = above - DIGIT_BITS;
        let mut index = self.heads[level][usize::from(slot & 63)];
        let untouched = self.levels & ((1 << level) - 1) == 0;
        if untouched && lists.links[index as usize].next == NIL {
            let deadline = lists.deadline(index, self.cursor);
            if let Some(deadline) = deadline.filter(|at| *at <= now && (at ^ self.cursor) >> above == 0) {
                // Alone in its slot and with nothing moved down from it, it is the first of all, at whatever tick: every other
                // slot starts after this one's end.
                *budget -= 1;
                lists.links[index as usize].slot = UNLINKED;
                self.heads[level][usize::from(slot & 63)] = NIL;
                self.cursor = deadline;
                self.vacate(slot);
                return Cascade::Due(index);
            }
        }
        let mut occupied = 0_u64;
        let mut left = *budget;
        while index != NIL && left > 0 {
            left -= 1;
            let next = lists.links[index as usize].next;
            let node = lists.nodes[index as usize];
            if let Some(deadline) = lists.deadline(index, self.cursor) {
                let digit = ((deadline >> below) & 63) as u16;
                let here = (deadline ^ self.cursor) >> above == 0 && (digit != 0 || below == 0);
                if here && node.generation & 1 == 1 {
                    // As `link` does, with the level known.
                    let head = core::mem::replace(&mut self.heads[level - 1][usize::from(digit)], index);
                    lists.put_first(index, head, slot - (slot & 63) - 64 + digit);
                    occupied |= 1 << digit;
                } else {
                    self.relink(lists, index, deadline);
                }
            } else {
                lists.links[index as usize].slot = UNLINKED;
            }
            index = next;
        }
        *budget = left;
        if occupied != 0 {
            self.occupied[level - 1] |= occupied;
            self.levels |= 1 << (level - 1);
        }
        self.heads[level][usize::from(slot & 63)] = index;
        if index == NIL {
            self.vacate(slot);
            Cascade::Done
        } else {
            lists.links[index as usize].prev = NIL;
            Cascade::Stopped
        }
    }

    #[inline]
    pub(crate) fn head(&self, slot: u16) -> u32 {
        self.heads[usize::from(slot >> DIGIT_BITS)][usize::from(slot & 63)]
    }

    /// Hangs a node on the list of its deadline's slot. A deadline that the cursor has passed counts as due at the cursor.
    #[inline(always)]
    pub(crate) fn link(&mut self, lists: &mut Lists<'_>, index: u32, deadline: u64) {
        let due = deadline.max(self.cursor);
        let level = LEVEL[((due ^ self.cursor) | 1).leading_zeros() as usize & 63];
        let shift = u32::from(level) * DIGIT_BITS;
        let slot = level << DIGIT_BITS | ((due >> shift) & 63) as u16;
        let head = core::mem::replace(&mut self.heads[usize::from(level)][usize::from(slot & 63)], index);
        lists.put_first(index, head, slot);
        lists.set_deadline(index, deadline, self.cursor);
        self.occupied[usize::from(level)] |= 1 << (slot & 63);
        self.levels |= 1 << level;
        // A slot that is being taken apart starts at the cursor, and nothing starts before that.
        let start = due >> shift << shift;
        if start < self.first_start || self.first == UNLINKED {
            self.first_start = start;
            self.first = slot;
        }
    }

    /// `link` out of line, for the places that seldom need it.
    #[inline(never)]
    fn relink(&mut self, lists: &mut Lists<'_>, index: u32, deadline: u64) {
        self.link(lists, index, deadline);
    }

    /// Takes a node off its slot's list.
    #[inline]
    pub(crate) fn unlink(&mut self, lists: &mut Lists<'_>, index: u32) {
        let link = &mut lists.links[index as usize];
        let Link { next, prev, slot, .. } = *link;
        link.slot = UNLINKED;
        if next != NIL {
            lists.links[next as usize].prev = prev;
        }
        if prev != NIL {
            lists.links[prev as usize].next = next;
            return;
        }
        self.heads[usize::from(slot >> DIGIT_BITS)][usize::from(slot & 63)] = next;
        if next == NIL {
            self.vacate(slot);
        }
    }

    #[inline]
    fn vacate(&mut self, slot: u16) {
        let level = usize::from(slot >> DIGIT_BITS);
        self.occupied[level] &= !(1 << (slot & 63));
        if self.occupied[level] == 0 {
            self.levels &= !(1 << level);
        }
        if self.first == slot {
            self.find_first();
        }
    }

    /// The lowest occupied level's first occupied slot starts before all others.
    #[inline]
    fn find_first(&mut self) {
        if self.levels == 0 {
            self.first = UNLINKED;
            self.first_start = u64::MAX;
        } else {
            let level = self.levels.trailing_zeros();
            let digit = self.occupied[level as usize].trailing_zeros();
            self.first = ((level << DIGIT_BITS | digit) & 0xffff) as u16;
            self.first_start = self.start_of(self.first);
        }
    }

    /// The occupied slots in the order in which they start, or are worked off.
    pub(crate) fn slots(&self) -> impl Iterator<Item = u16> + '_ {
        let first = (self.first != UNLINKED).then_some(self.first);
        let rest = self.occupied.iter().enumerate().flat_map(|(level, &bits)| {
            (0u16..64)
                .filter(move |digit| bits >> digit & 1 == 1)
                .map(move |digit| {
                    let level = u16::try_from(level).unwrap_or(0);
                    level << DIGIT_BITS | digit
                })
        });
        first
            .into_iter()
            .chain(rest.filter(move |&slot| Some(slot) != first))
    }
}

#[cfg(test)]
mod tests;
