//! The slots: eleven levels of 64, each digit of base 64 of a deadline one level, and the lists that hang in them.
//!
//! A timer hangs at the level of the highest digit in which its deadline differs from the cursor, in the slot of that
//! digit. So every occupied slot of a level lies ahead of the cursor's digit and shares all higher digits with it: the
//! first occupied slot of the lowest occupied level starts before every other one, and its start follows from its number
//! and the cursor alone.
//!
//! The cursor never passes the start of an occupied slot. When it reaches one, that slot's list is taken apart, node by
//! node: what is due leaves, the rest hangs below, or elsewhere when it was pushed back meanwhile.

use crate::node::{NIL, Node, UNLINKED};

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

#[derive(Clone)]
pub(crate) struct Hierarchy {
    /// Up to here every slot has been worked off.
    cursor: u64,
    /// Bit l: level l has an occupied slot.
    levels: u16,
    /// The slot at the cursor above level 0 whose list is being taken apart, or `UNLINKED`. It comes before every other.
    cascading: u16,
    occupied: [u64; LEVELS],
    heads: [u32; LEVELS * SLOTS],
}

impl Hierarchy {
    pub(crate) const fn new(cursor: u64) -> Self {
        Self {
            cursor,
            levels: 0,
            cascading: UNLINKED,
            occupied: [0; LEVELS],
            heads: [NIL; LEVELS * SLOTS],
        }
    }

    #[inline]
    pub(crate) const fn cursor(&self) -> u64 {
        self.cursor
    }

    /// Where a timer of this deadline hangs. One that the cursor has passed counts as due at the cursor.
    #[inline]
    fn slot_of(&self, deadline: u64) -> u16 {
        let deadline = if deadline > self.cursor {
            deadline
        } else {
            self.cursor
        };
        let level = LEVEL[((deadline ^ self.cursor) | 1).leading_zeros() as usize & 63];
        let digit = ((deadline >> (DIGIT_BITS * u32::from(level))) & 63) as u16;
        level << DIGIT_BITS | digit
    }

    /// The first tick of an occupied slot.
    #[inline]
    pub(crate) fn start_of(&self, slot: u16) -> u64 {
        let shift = u32::from(slot >> DIGIT_BITS) * DIGIT_BITS;
        // At most 60, which the compiler cannot see: the mask spares a check.
        let shift = shift & 63;
        ((self.cursor >> shift) & !63 | u64::from(slot & 63)) << shift
    }

    /// The occupied slot that starts first.
    #[inline]
    pub(crate) fn first(&self) -> Option<u16> {
        if self.cascading != UNLINKED {
            return Some(self.cascading);
        }
        if self.levels == 0 {
            return None;
        }
        let level = self.levels.trailing_zeros();
        let digit = self.occupied[level as usize].trailing_zeros();
        Some(((level << DIGIT_BITS | digit) & 0xffff) as u16)
    }

    /// The start of the first occupied slot: no linked timer is due before.
    #[inline]
    pub(crate) fn first_start(&self) -> Option<u64> {
        self.first().map(|slot| self.start_of(slot))
    }

    /// Moves the cursor to `now` when nothing lies on the way.
    #[inline]
    pub(crate) fn skip_to(&mut self, now: u64) {
        if self.first_start().is_none_or(|start| start > now) {
            self.cursor = now;
        }
    }

    /// The first slot that starts at or before `now`, with the cursor moved to its start; where there is none, to `now`.
    #[inline]
    pub(crate) fn enter(&mut self, now: u64) -> Option<u16> {
        let slot = self.first();
        match slot {
            Some(slot) if self.start_of(slot) <= now => {
                self.cursor = self.start_of(slot);
                if usize::from(slot) >= SLOTS {
                    self.cascading = slot;
                }
                Some(slot)
            }
            _ => {
                self.cursor = now;
                None
            }
        }
    }

    #[inline]
    pub(crate) fn head(&self, slot: u16) -> u32 {
        self.heads[usize::from(slot)]
    }

    /// Hangs a node on the list of its deadline's slot.
    #[inline]
    pub(crate) fn link(&mut self, nodes: &mut [Node], index: u32, deadline: u64) {
        let slot = self.slot_of(deadline);
        let head = core::mem::replace(&mut self.heads[usize::from(slot)], index);
        if head == NIL {
            let level = usize::from(slot >> DIGIT_BITS);
            self.occupied[level] |= 1 << (slot & 63);
            self.levels |= 1 << level;
        } else {
            nodes[head as usize].prev = index;
        }
        let node = &mut nodes[index as usize];
        node.deadline = deadline;
        node.next = head;
        node.prev = NIL;
        node.slot = slot;
    }

    /// Takes a node off its slot's list.
    #[inline]
    pub(crate) fn unlink(&mut self, nodes: &mut [Node], index: u32) {
        let node = &mut nodes[index as usize];
        let Node { next, prev, slot, .. } = *node;
        node.slot = UNLINKED;
        if next != NIL {
            nodes[next as usize].prev = prev;
        }
        if prev != NIL {
            nodes[prev as usize].next = next;
            return;
        }
        self.heads[usize::from(slot)] = next;
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
        if self.cascading == slot {
            self.cascading = UNLINKED;
        }
    }

    /// The occupied slots in the order in which they start.
    pub(crate) fn slots(&self) -> impl Iterator<Item = u16> + '_ {
        let first = (self.cascading != UNLINKED).then_some(self.cascading);
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
mod tests {
    use super::*;

    #[test]
    fn every_digit_has_its_level() {
        for level in 0..LEVELS {
            let mut slots = Hierarchy::new(0);
            let mut nodes = [Node::EMPTY];
            let deadline = 1u64 << (6 * level);
            slots.link(&mut nodes, 0, deadline);
            assert_eq!(usize::from(nodes[0].slot), level * 64 + 1);
            assert_eq!(slots.first_start(), Some(deadline));
            slots.unlink(&mut nodes, 0);
            assert_eq!(slots.first(), None);
            assert_eq!(slots.levels, 0);
        }
    }

    #[test]
    fn last_tick_hangs_at_the_top_and_starts_at_its_digit() {
        let mut slots = Hierarchy::new(0);
        let mut nodes = [Node::EMPTY];
        slots.link(&mut nodes, 0, u64::MAX);
        assert_eq!(usize::from(nodes[0].slot), 10 * 64 + 15);
        assert_eq!(slots.first_start(), Some(15 << 60));
        assert_eq!(slots.enter(u64::MAX), Some(nodes[0].slot));
        assert_eq!(slots.cursor(), 15 << 60);
    }

    #[test]
    fn passed_deadline_counts_as_due_at_the_cursor() {
        let mut slots = Hierarchy::new(1000);
        let mut nodes = [Node::EMPTY];
        slots.link(&mut nodes, 0, 3);
        assert_eq!(slots.first_start(), Some(1000));
        assert_eq!(slots.enter(1000), Some(nodes[0].slot));
    }

    #[test]
    fn slots_come_in_the_order_of_their_starts() {
        let mut slots = Hierarchy::new(5);
        let mut nodes = [Node::EMPTY; 64];
        for index in 0..64u32 {
            slots.link(&mut nodes, index, 5 + (1u64 << index));
        }
        let starts: [u64; 64] = {
            let mut order = slots.slots();
            core::array::from_fn(|_| order.next().map_or(u64::MAX, |slot| slots.start_of(slot)))
        };
        assert!(starts.is_sorted());
        assert_eq!(slots.first_start(), Some(starts[0]));
    }
}
