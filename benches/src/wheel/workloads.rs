use core::hint::black_box;
use std::rc::Rc;

use super::Timers;

/// Idle timeout of the server workload: 15 s of milliseconds.
const TIMEOUT: u64 = 15_000;
/// Delays of the uniform workloads: within a minute of milliseconds.
pub(super) const SPREAD: u64 = 60_000;
/// Milliseconds from one turn of the loop to the next once a server's connections are silent.
const TURN: u64 = 60;

/// Marsaglia's xorshift in the starred form: the same numbers in every run.
pub(super) struct Random(u64);

impl Random {
    pub(super) const fn new() -> Self {
        Self(0x9e37_79b9_7f4a_7c15)
    }

    #[inline]
    pub(super) const fn below(&mut self, bound: u32) -> u32 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (((self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 32) * bound as u64) >> 32) as u32
    }
}

/// `count` delays from 1 to `spread` ticks.
pub(super) fn delays(count: usize, spread: u64) -> Rc<[u64]> {
    let mut random = Random::new();
    (0..count)
        .map(|_| 1 + ((u64::from(random.below(u32::MAX)) * spread) >> 32))
        .collect()
}

/// The ids below `count` in a fixed random order (Fisher and Yates).
pub(super) fn shuffled(count: u32) -> Rc<[u32]> {
    let mut ids: Vec<u32> = (0..count).collect();
    let mut random = Random::new();
    for last in (1..ids.len()).rev() {
        ids.swap(last, random.below(last as u32 + 1) as usize);
    }
    ids.into()
}

/// What the expiry of `id` adds to a checksum, whatever the order.
fn fired(id: u32, after: u64) -> u64 {
    (u64::from(id) << 20 ^ after).wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

/// Keep-alive: of so many connections with an idle timeout, any hundredth speaks in every millisecond, and in every
/// millisecond the loop asks what is due and when to wake up. One operation is a re-arm with its share of the rest.
pub(super) struct Rearm {
    connections: u32,
}

impl Rearm {
    /// Connections are drawn by so many, unrelated in memory, to keep the drawing out of the measurement.
    const DRAWN: usize = 10;

    pub(super) const fn new(connections: u32) -> Self {
        Self { connections }
    }

    /// Turns in a pass: more than the timeout where that is quick, else enough for every sweep of stale entries.
    const fn turns(&self) -> u64 {
        if self.connections <= 1_000 { 16_400 } else { 100 }
    }

    pub(super) const fn operations(&self) -> u64 {
        self.turns() * (self.connections as u64 / 100)
    }

    /// Whom a draw draws from: each connection once in random order, and where they are few, many times.
    fn speakers(&self) -> Vec<u32> {
        let mut ids = shuffled(self.connections).to_vec();
        if self.connections <= 1_000 {
            let mut random = Random::new();
            ids.extend((0..31 * self.connections).map(|_| random.below(self.connections)));
        }
        ids
    }

    pub(super) fn pass<T: Timers>(&self) -> impl FnMut() -> u64 + use<T> {
        let turns = self.turns();
        let mut timers = T::new(self.connections as usize);
        let keys: Vec<T::Key> = (0..self.connections)
            .map(|id| timers.start(id, TIMEOUT))
            .collect();
        let events: Vec<T::Key> = self.speakers().into_iter().map(|id| keys[id as usize]).collect();
        drop(keys);
        let draws = self.connections / 100 / Self::DRAWN as u32;
        let groups = (events.len() / Self::DRAWN) as u32;
        let mut random = Random::new();
        let mut now = 0;
        move || {
            let (mut expired, mut slept) = (0, 0);
            for _ in 0..turns {
                now += 1;
                timers.advance(now, &mut |_| expired += 1);
                for _ in 0..draws {
                    let first = Self::DRAWN * random.below(groups) as usize;
                    for &key in &events[first..first + Self::DRAWN] {
                        timers.rearm(key, now + TIMEOUT);
                    }
                }
                slept += u64::from(timers.next().is_some_and(|at| at > now));
            }
            expired << 32 | slept
        }
    }
}

/// What a pass over a filled set of timers starts from.
pub(super) struct Filled<T: Timers> {
    timers: T,
    keys: Vec<T::Key>,
    now: u64,
}

/// So many timers with uniform delays, or all with the same.
pub(super) struct Fill {
    delays: Rc<[u64]>,
}

impl Fill {
    pub(super) fn uniform(timers: usize) -> Self {
        Self::uniform_over(timers, SPREAD)
    }

    pub(super) fn uniform_over(timers: usize, spread: u64) -> Self {
        Self {
            delays: delays(timers, spread),
        }
    }

    pub(super) fn same(timers: usize) -> Self {
        Self {
            delays: vec![SPREAD; timers].into(),
        }
    }

    pub(super) fn operations(&self) -> u64 {
        self.delays.len() as u64
    }

    /// Memory that has been in use, without a timer.
    pub(super) fn empty<T: Timers>(&self) -> Filled<T> {
        let mut filled = Filled {
            timers: T::new(self.delays.len()),
            keys: Vec::with_capacity(self.delays.len()),
            now: 0,
        };
        self.fill(&mut filled);
        filled.timers.reset();
        filled
    }

    fn fill<T: Timers>(&self, filled: &mut Filled<T>) {
        filled.keys.clear();
        for (id, &delay) in (0..).zip(self.delays.iter()) {
            filled.keys.push(filled.timers.start(id, filled.now + delay));
        }
    }

    pub(super) fn forget<T: Timers>() -> impl FnMut(&mut Filled<T>) {
        |filled| filled.timers.reset()
    }

    pub(super) fn refill<T: Timers>(&self) -> impl FnMut(&mut Filled<T>) + use<T> {
        let fill = Self {
            delays: Rc::clone(&self.delays),
        };
        move |filled| {
            filled.timers.reset();
            fill.fill(filled);
        }
    }

    /// As `refill`, with the keys put into the order `ids`.
    pub(super) fn refill_and_order<T: Timers>(&self, ids: &Rc<[u32]>) -> impl FnMut(&mut Filled<T>) + use<T> {
        let mut refill = self.refill();
        let ids = Rc::clone(ids);
        move |filled| {
            refill(filled);
            filled.keys = ids.iter().map(|&id| filled.keys[id as usize]).collect();
        }
    }

    /// Start all of them.
    pub(super) fn insert<T: Timers>(&self) -> impl FnMut(&mut Filled<T>) -> u64 + use<T> {
        let fill = Self {
            delays: Rc::clone(&self.delays),
        };
        move |filled| {
            fill.fill(filled);
            fill.operations()
        }
    }

    /// Stop all of them in the order of the keys.
    pub(super) fn cancel<T: Timers>() -> impl FnMut(&mut Filled<T>) -> u64 {
        |filled| {
            for &key in &filled.keys {
                filled.timers.cancel(key);
            }
            filled.keys.len() as u64
        }
    }

    /// Wait for all of them, a minute in turns of so many milliseconds.
    pub(super) fn expire<T: Timers>(&self, turn: u64) -> impl FnMut(&mut Filled<T>) -> u64 + use<T> {
        self.expire_over(SPREAD, turn)
    }

    /// Wait for all of them, `spread` ticks in turns of `turn`.
    pub(super) fn expire_over<T: Timers>(
        &self,
        spread: u64,
        turn: u64,
    ) -> impl FnMut(&mut Filled<T>) -> u64 + use<T> {
        move |filled| {
            let mut sum = 0_u64;
            let start = filled.now;
            while filled.now < start + spread {
                filled.now += turn;
                let after = filled.now - start;
                filled
                    .timers
                    .advance(filled.now, &mut |id| sum = sum.wrapping_add(fired(id, after)));
            }
            sum
        }
    }

    pub(super) const EACH_MILLISECOND: u64 = 1;
    pub(super) const ONE_SLEEP: u64 = SPREAD;

    /// Ask when to wake up.
    pub(super) fn next<T: Timers>(&self) -> impl FnMut() -> u64 + use<T> {
        let mut filled = self.empty::<T>();
        self.fill(&mut filled);
        move || {
            (0..1_000)
                .filter(|_| black_box(&mut filled.timers).next().is_some())
                .count() as u64
        }
    }
}

/// What the paper measures its schemes by: in every tick, one timer is stopped and started anew, and those that are due
/// come out and are started anew. One operation is a tick with all that.
pub(super) struct Hold {
    timers: u32,
}

impl Hold {
    pub(super) const OPERATIONS: u64 = 500;

    pub(super) const fn new(timers: u32) -> Self {
        Self { timers }
    }

    pub(super) fn pass<T: Timers>(&self) -> impl FnMut() -> u64 + use<T> {
        let mut random = Random::new();
        let mut delay = move || 1 + u64::from(random.below(SPREAD as u32));
        let mut all = T::new(self.timers as usize);
        let mut keys: Vec<T::Key> = (0..self.timers).map(|id| all.start(id, delay())).collect();
        let order = shuffled(self.timers);
        let (mut now, mut at, mut due) = (0, 0, Vec::new());
        move || {
            for _ in 0..Self::OPERATIONS {
                now += 1;
                all.advance(now, &mut |id| due.push(id));
                for id in due.drain(..) {
                    keys[id as usize] = all.start(id, now + delay());
                }
                let id = order[at];
                at = if at + 1 < order.len() { at + 1 } else { 0 };
                all.cancel(keys[id as usize]);
                keys[id as usize] = all.start(id, now + delay());
            }
            Self::OPERATIONS
        }
    }
}

/// The server's connections over their whole life: each is pushed back so many times and expires once. One operation is
/// a request: a header deadline started and stopped, and the idle deadline pushed back.
pub(super) struct Server {
    connections: u32,
}

impl Server {
    const REQUESTS: u32 = 20;
    const HEADER: u64 = 5_000;

    pub(super) const fn new(connections: u32) -> Self {
        Self { connections }
    }

    pub(super) const fn operations(&self) -> u64 {
        (self.connections * Self::REQUESTS) as u64
    }

    pub(super) fn empty<T: Timers>(&self) -> Filled<T> {
        let timers = T::new(2 * self.connections as usize);
        Filled {
            timers,
            keys: Vec::with_capacity(self.connections as usize),
            now: 0,
        }
    }

    pub(super) fn pass<T: Timers>(&self) -> impl FnMut(&mut Filled<T>) -> u64 + use<T> {
        let connections = self.connections;
        let order = shuffled(connections);
        move |Filled { timers, keys, now }| {
            let start = *now;
            let mut sum = 0_u64;
            keys.clear();
            keys.extend((0..connections).map(|id| timers.start(id, start + TIMEOUT)));
            for _ in 0..Self::REQUESTS {
                for (turn, &id) in order.iter().enumerate() {
                    if turn % 64 == 0 {
                        *now += 1;
                        timers.advance(*now, &mut |id| sum = sum.wrapping_add(fired(id, 0)));
                        black_box(timers.next());
                    }
                    let header = timers.start(connections + id, *now + Self::HEADER);
                    timers.rearm(keys[id as usize], *now + TIMEOUT);
                    timers.cancel(header);
                }
            }
            // Everybody falls silent.
            for _ in 0..=TIMEOUT / TURN {
                *now += TURN;
                let after = *now - start;
                timers.advance(*now, &mut |id| sum = sum.wrapping_add(fired(id, after)));
            }
            sum
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{BitWheel, Heap, HierarchicalHash, Ours, Scheme1, Scheme2, Scheme4, Scheme5, Scheme6};
    use super::super::{TokioDelayQueue, Tree, bit_wheel::earliness};
    use super::*;

    /// Every tick's expiries over a few thousand ticks of starts, stops and re-arms.
    fn story<T: Timers>() -> Vec<(u64, u32)> {
        let mut random = Random::new();
        let mut timers = T::new(64);
        let mut keys: Vec<Option<T::Key>> = vec![None; 64];
        let mut story = Vec::new();
        for now in 1..12_000_u64 {
            let mut out = Vec::new();
            timers.advance(now, &mut |id| out.push(id));
            out.sort_unstable();
            for id in out {
                keys[id as usize] = None;
                story.push((now, id));
            }
            let id = random.below(64);
            let deadline = now + 1 + u64::from(random.below(300));
            match (keys[id as usize], random.below(3)) {
                (None, _) => keys[id as usize] = Some(timers.start(id, deadline)),
                (Some(key), 0) => {
                    timers.cancel(key);
                    keys[id as usize] = None;
                }
                (Some(key), _) => timers.rearm(key, deadline),
            }
        }
        story
    }

    #[test]
    fn contestants_tell_the_same_story() {
        let expected = story::<Heap>();
        assert!(expected.len() > 300);
        assert_eq!(story::<Ours>(), expected);
        assert_eq!(story::<Tree>(), expected);
        assert_eq!(story::<TokioDelayQueue>(), expected);
        assert_eq!(story::<HierarchicalHash>(), expected);
        assert_eq!(story::<Scheme1>(), expected);
        assert_eq!(story::<Scheme2>(), expected);
        assert_eq!(story::<Scheme4>(), expected);
        assert_eq!(story::<Scheme5>(), expected);
        assert_eq!(story::<Scheme6>(), expected);
    }

    #[test]
    fn only_bitwheel_is_early() {
        assert_eq!(earliness::<Ours>(5_000), 0);
        assert_eq!(earliness::<TokioDelayQueue>(5_000), 0);
        assert!(earliness::<BitWheel>(5_000) > 0);
    }
}
