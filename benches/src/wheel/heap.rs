use core::cmp::Reverse;
use std::collections::BinaryHeap;

use super::Timers;

/// No deadline: the timer does not run.
const IDLE: u64 = u64::MAX;

/// The standard library's heap with lazy deletion: an entry counts while its deadline is that of its timer. Entries that
/// do not count any more are swept out when they are the larger half.
#[derive(Debug)]
pub struct Heap {
    heap: BinaryHeap<Reverse<(u64, u32)>>,
    deadlines: Vec<u64>,
    running: usize,
}

impl Heap {
    fn push(&mut self, id: u32, deadline: u64) {
        if self.heap.len() > 2 * self.running + 64 {
            let deadlines = &self.deadlines;
            self.heap
                .retain(|&Reverse((deadline, id))| deadlines[id as usize] == deadline);
        }
        self.deadlines[id as usize] = deadline;
        self.heap.push(Reverse((deadline, id)));
    }

    fn drop_stale(&mut self) -> Option<(u64, u32)> {
        while let Some(&Reverse((deadline, id))) = self.heap.peek() {
            if self.deadlines[id as usize] == deadline {
                return Some((deadline, id));
            }
            self.heap.pop();
        }
        None
    }
}

impl Timers for Heap {
    const NAME: &'static str = "binaryheap";

    type Key = u64;

    fn new(timers: usize) -> Self {
        Self {
            heap: BinaryHeap::with_capacity(2 * timers + 65),
            deadlines: vec![IDLE; timers],
            running: 0,
        }
    }

    fn reset(&mut self) {
        self.heap.clear();
        self.deadlines.fill(IDLE);
        self.running = 0;
    }

    #[inline]
    fn start(&mut self, id: u32, deadline: u64) -> u64 {
        self.running += 1;
        self.push(id, deadline);
        u64::from(id)
    }

    #[inline]
    fn rearm(&mut self, key: u64, deadline: u64) {
        let id = key as u32;
        self.push(id, deadline);
    }

    #[inline]
    fn cancel(&mut self, key: u64) {
        let id = key as u32;
        self.deadlines[id as usize] = IDLE;
        self.running -= 1;
    }

    #[inline]
    fn advance(&mut self, now: u64, out: &mut impl FnMut(u32)) {
        while let Some((deadline, id)) = self.drop_stale() {
            if deadline > now {
                return;
            }
            self.heap.pop();
            self.deadlines[id as usize] = IDLE;
            self.running -= 1;
            out(id);
        }
    }

    #[inline]
    fn next(&mut self) -> Option<u64> {
        self.drop_stale().map(|(deadline, _)| deadline)
    }
}
