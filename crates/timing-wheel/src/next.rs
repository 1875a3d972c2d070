//! When to wake up next.

use crate::{node::NIL, storage::Storage, wheel::TimingWheel};

impl<S: Storage> TimingWheel<S> {
    /// A time before which no timer is due: sleep until then, advance, poll, ask again. `None` without live timers. O(1).
    ///
    /// The start of the first occupied slot, which is at or before the earliest deadline, and at or before the present when
    /// something is due. A timer of any delay costs at most one wakeup a level: 11 in all, six for 30 days of milliseconds.
    /// The slot may also be that of a timer that was cancelled or pushed back since, once for each.
    #[inline]
    pub fn next_bound(&self) -> Option<u64> {
        if self.live == 0 {
            None
        } else {
            self.hierarchy.first_start()
        }
    }

    /// The earliest deadline of a live timer.
    ///
    /// Walks the first occupied slot, and further ones only while everything seen was cancelled or pushed back beyond them:
    /// O(timers in these slots). Costs more than [`next_bound`](Self::next_bound) and spares the wakeups in which nothing
    /// comes out.
    pub fn next_exact(&self) -> Option<u64> {
        if self.live == 0 {
            return None;
        }
        let links = self.storage.links();
        let mut earliest: Option<u64> = None;
        for slot in self.hierarchy.slots() {
            if earliest.is_some_and(|deadline| deadline < self.hierarchy.start_of(slot)) {
                break;
            }
            let mut index = self.hierarchy.head(slot);
            while index != NIL {
                let deadline = self.deadline_of(index);
                if deadline.is_some_and(|deadline| earliest.is_none_or(|earliest| deadline < earliest)) {
                    earliest = deadline;
                }
                index = links[index as usize].next;
            }
        }
        earliest
    }
}
