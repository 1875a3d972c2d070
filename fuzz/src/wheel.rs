//! Timing wheels against a sorted map, which is never late, never early and never loses a timer.

use std::collections::{BTreeMap, BTreeSet};

use timing_wheel::{ArrayWheel, Handle, Link, Node, SliceWheel, Stale, Storage, TimingWheel, Upper, Wheel};

use super::input::Input;

/// The first byte chooses the wheel, then come its time and the operations.
///
/// # Panics
///
/// Where the two disagree.
pub fn run(data: &[u8]) {
    let mut input = Input::new(data);
    let kind = input.byte();
    let now = input.scaled();
    match kind % 3 {
        0 => Run::new(Wheel::new(now), usize::MAX).all(input),
        1 => Run::new(ArrayWheel::<u64, 9>::new(now), 9).all(input),
        _ => {
            let (mut nodes, mut links, mut uppers) = ([Node::EMPTY; 5], [Link::EMPTY; 5], [Upper::EMPTY; 5]);
            let mut values = [const { None }; 5];
            let wheel = SliceWheel::new(now, &mut nodes, &mut links, &mut uppers, &mut values);
            Run::new(wheel, 5).all(input);
        }
    }
}

struct Timer {
    handle: Handle,
    deadline: u64,
    /// It was armed for a time that had passed, so it comes out in no particular order.
    late: bool,
}

struct Run<S: Storage<Value = u64>> {
    wheel: TimingWheel<S>,
    capacity: usize,
    live: BTreeMap<u64, Timer>,
    /// The same timers by deadline.
    order: BTreeSet<(u64, u64)>,
    gone: Vec<Handle>,
    last: u64,
    /// The latest deadline that came out in order.
    reached: u64,
}

impl<S: Storage<Value = u64>> Run<S> {
    fn new(wheel: TimingWheel<S>, capacity: usize) -> Self {
        let reached = 0;
        Self {
            wheel,
            capacity,
            live: BTreeMap::new(),
            order: BTreeSet::new(),
            gone: Vec::new(),
            last: 0,
            reached,
        }
    }

    fn all(mut self, mut input: Input<'_>) {
        while !input.is_empty() {
            match input.byte() % 8 {
                0 | 1 => self.start(self.time(&mut input)),
                2 => self.rearm(input.byte(), self.time(&mut input)),
                3 => self.stop(input.byte(), TimingWheel::cancel),
                4 => self.stop(input.byte(), TimingWheel::remove),
                5 => self.advance(self.time(&mut input)),
                6 => self.pop(usize::from(input.byte())),
                _ => self.stale(input.byte()),
            }
            self.compare();
        }
        self.wheel.advance(u64::MAX);
        while self.wheel.has_due() {
            self.pop(1000);
        }
        assert!(self.live.is_empty(), "{} timers never came out", self.live.len());
        assert!(self.wheel.is_empty());
    }

    /// Anywhere, on either side of now, or a tick beside the next deadline, where one too early or too late shows.
    fn time(&self, input: &mut Input<'_>) -> u64 {
        let now = self.wheel.now();
        let next = self.order.first().map_or(now, |&(deadline, _)| deadline);
        match input.byte() % 8 {
            0 => input.scaled(),
            1 => now.saturating_sub(input.scaled()),
            2 | 3 => now.saturating_add(input.scaled()),
            4 => now.saturating_add(u64::from(input.byte() % 64)),
            5 => next.saturating_sub(1),
            6 => next,
            _ => next.saturating_add(1),
        }
    }

    fn start(&mut self, deadline: u64) {
        self.last += 1;
        let value = self.last;
        match self.wheel.start(deadline, value) {
            Ok(handle) => {
                assert!(self.live.len() < self.capacity, "started beyond the capacity");
                let late = deadline <= self.wheel.now();
                assert!(
                    self.live
                        .insert(
                            value,
                            Timer {
                                handle,
                                deadline,
                                late
                            }
                        )
                        .is_none()
                );
                self.order.insert((deadline, value));
            }
            Err(full) => {
                assert_eq!(self.live.len(), self.capacity, "refused below the capacity");
                assert_eq!(full.0, value, "the value comes back");
            }
        }
    }

    fn rearm(&mut self, pick: u8, deadline: u64) {
        let now = self.wheel.now();
        let Some((value, timer)) = picked(&mut self.live, pick) else {
            return;
        };
        assert_eq!(self.wheel.rearm(timer.handle, deadline), Ok(()));
        assert!(self.order.remove(&(timer.deadline, value)));
        self.order.insert((deadline, value));
        (timer.deadline, timer.late) = (deadline, deadline <= now);
    }

    fn stop(&mut self, pick: u8, stop: fn(&mut TimingWheel<S>, Handle) -> Result<u64, Stale>) {
        let Some((value, timer)) = picked(&mut self.live, pick) else {
            return;
        };
        assert_eq!(stop(&mut self.wheel, timer.handle), Ok(value));
        self.forget(value);
    }

    fn advance(&mut self, now: u64) {
        let before = self.wheel.now();
        self.wheel.advance(now);
        assert_eq!(self.wheel.now(), now.max(before), "time never goes back");
    }

    fn pop(&mut self, max: usize) {
        let mut budget = max;
        while let Some(expired) = self.wheel.pop(&mut budget) {
            let timer = self.live.get(&expired.value).expect("each timer comes out once");
            assert_eq!((expired.deadline, expired.handle), (timer.deadline, timer.handle));
            assert!(expired.deadline <= self.wheel.now(), "early");
            if !timer.late {
                assert!(
                    expired.deadline >= self.reached,
                    "{} after {}",
                    expired.deadline,
                    self.reached
                );
                self.reached = expired.deadline;
            }
            self.forget(expired.value);
        }
        if budget > 0 {
            assert!(!self.wheel.has_due());
            let first = self.order.first().map(|&(deadline, _)| deadline);
            assert!(
                first.is_none_or(|deadline| deadline > self.wheel.now()),
                "late: {first:?}"
            );
        }
    }

    fn stale(&mut self, pick: u8) {
        let Some(&handle) = self.gone.get(usize::from(pick) % self.gone.len().max(1)) else {
            return;
        };
        assert!(!self.wheel.contains(handle));
        assert_eq!(self.wheel.rearm(handle, 0), Err(Stale));
        assert_eq!(self.wheel.cancel(handle), Err(Stale));
        assert_eq!(self.wheel.remove(handle), Err(Stale));
        assert_eq!(
            (self.wheel.get(handle), self.wheel.deadline(handle)),
            (None, None)
        );
    }

    fn forget(&mut self, value: u64) {
        let timer = self.live.remove(&value).expect("a live timer");
        assert!(self.order.remove(&(timer.deadline, value)));
        self.gone.push(timer.handle);
    }

    fn compare(&self) {
        assert_eq!(self.wheel.len(), self.live.len());
        let first = self.order.first().map(|&(deadline, _)| deadline);
        assert_eq!(self.wheel.next_exact(), first);
        let now = self.wheel.now();
        match (self.wheel.next_bound(), first) {
            (Some(bound), Some(first)) => {
                assert!(bound <= first.max(now), "would sleep past {first} until {bound}")
            }
            (bound, first) => assert_eq!(bound, first),
        }
        if first.is_some_and(|first| first <= now) {
            assert!(self.wheel.has_due());
        }
    }
}

fn picked(live: &mut BTreeMap<u64, Timer>, pick: u8) -> Option<(u64, &mut Timer)> {
    let index = usize::from(pick) % live.len().max(1);
    live.iter_mut().nth(index).map(|(&value, timer)| (value, timer))
}
