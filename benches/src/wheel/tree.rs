use std::collections::BTreeSet;

use super::Timers;

/// The standard library's B-tree, sorted by deadline and id.
#[derive(Debug)]
pub struct Tree {
    tree: BTreeSet<(u64, u32)>,
    deadlines: Vec<u64>,
}

impl Timers for Tree {
    const NAME: &'static str = "btreemap";

    type Key = u64;

    fn new(timers: usize) -> Self {
        Self {
            tree: BTreeSet::new(),
            deadlines: vec![0; timers],
        }
    }

    fn reset(&mut self) {
        self.tree.clear();
    }

    #[inline]
    fn start(&mut self, id: u32, deadline: u64) -> u64 {
        self.deadlines[id as usize] = deadline;
        self.tree.insert((deadline, id));
        u64::from(id)
    }

    #[inline]
    fn rearm(&mut self, key: u64, deadline: u64) {
        let id = key as u32;
        self.cancel(key);
        self.start(id, deadline);
    }

    #[inline]
    fn cancel(&mut self, key: u64) {
        let id = key as u32;
        self.tree.remove(&(self.deadlines[id as usize], id));
    }

    #[inline]
    fn advance(&mut self, now: u64, out: &mut impl FnMut(u32)) {
        while let Some(&(deadline, id)) = self.tree.first() {
            if deadline > now {
                return;
            }
            self.tree.pop_first();
            out(id);
        }
    }

    #[inline]
    fn next(&mut self) -> Option<u64> {
        self.tree.first().map(|&(deadline, _)| deadline)
    }
}
