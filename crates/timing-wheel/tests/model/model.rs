//! The naive wheel that the real one is compared with.

use crate::ops::{Op, When};
use std::collections::{BTreeMap, BTreeSet};
use timing_wheel::{Full, Handle, Stale, Storage, TimingWheel};

struct Timer {
    deadline: u64,
    /// What the order goes by: the deadline, or the time already worked off where that was later. `None` where the model
    /// cannot know because a budget ran out in the middle.
    order: Option<u64>,
}

pub(crate) struct Model<S: Storage<Value = u64>> {
    wheel: TimingWheel<S>,
    capacity: usize,
    now: u64,
    /// The time up to which everything has come out.
    worked_off: u64,
    /// Whether a budget ran out since, so that the wheel may have got further than `worked_off`.
    uncertain: bool,
    by_deadline: BTreeSet<(u64, u64)>,
    by_order: BTreeSet<(u64, u64)>,
    live: BTreeMap<u64, (Handle, Timer)>,
    gone: Vec<Handle>,
    last_value: u64,
    arms: u64,
    touched: u64,
}

impl<S: Storage<Value = u64>> Model<S> {
    pub(crate) fn new(wheel: TimingWheel<S>) -> Self {
        Self {
            now: wheel.now(),
            worked_off: wheel.now(),
            capacity: wheel.capacity(),
            wheel,
            uncertain: false,
            by_deadline: BTreeSet::new(),
            by_order: BTreeSet::new(),
            live: BTreeMap::new(),
            gone: Vec::new(),
            last_value: 0,
            arms: 0,
            touched: 0,
        }
    }

    fn time(&self, when: When) -> u64 {
        match when {
            When::After(ticks) => self.now.saturating_add(ticks),
            When::Before(ticks) => self.now.saturating_sub(ticks),
            When::At(tick) => tick,
        }
    }

    fn pick(&self, pick: u64) -> Option<(u64, Handle)> {
        let from = pick % (self.last_value + 1);
        let mut later = self.live.range(from..);
        later
            .next()
            .or_else(|| self.live.iter().next())
            .map(|(&value, &(handle, _))| (value, handle))
    }

    fn insert(&mut self, value: u64, handle: Handle, deadline: u64) {
        self.arms += 1;
        let order = if self.uncertain && deadline <= self.now {
            None
        } else {
            Some(deadline.max(self.worked_off))
        };
        self.by_deadline.insert((deadline, value));
        if let Some(order) = order {
            self.by_order.insert((order, value));
        }
        self.live.insert(value, (handle, Timer { deadline, order }));
    }

    fn take(&mut self, value: u64) -> Option<(Handle, Timer)> {
        let (handle, timer) = self.live.remove(&value)?;
        assert!(self.by_deadline.remove(&(timer.deadline, value)));
        if let Some(order) = timer.order {
            assert!(self.by_order.remove(&(order, value)));
        }
        Some((handle, timer))
    }

    fn end(&mut self, handle: Handle) {
        assert!(!self.wheel.contains(handle));
        self.gone.push(handle);
    }

    fn earliest(&self) -> Option<u64> {
        self.by_deadline.first().map(|&(deadline, _)| deadline)
    }

    fn came_out(&mut self, handle: Handle, deadline: u64, value: u64) {
        let (known, timer) = self.take(value).expect("a timer came out that was not live");
        assert_eq!((known, timer.deadline), (handle, deadline));
        assert!(deadline <= self.now, "early: {deadline} at {}", self.now);
        if let Some(order) = timer.order {
            if let Some(&(first, _)) = self.by_order.first() {
                assert!(order <= first, "{order} before {first}");
            }
            self.worked_off = self.worked_off.max(order);
            self.uncertain = false;
        }
        self.end(handle);
    }

    fn pop(&mut self, budget: usize) -> bool {
        let mut left = budget;
        let expired = self.wheel.pop(&mut left);
        assert!(left <= budget);
        self.touched += (budget - left) as u64;
        match expired {
            Some(expired) => {
                assert!(left < budget);
                if self.live[&expired.value].1.order.is_none() {
                    self.uncertain = true;
                }
                self.came_out(expired.handle, expired.deadline, expired.value);
                true
            }
            None => {
                if left > 0 {
                    assert!(self.earliest().is_none_or(|deadline| deadline > self.now), "late");
                    assert!(!self.wheel.has_due());
                    self.worked_off = self.now;
                    self.uncertain = false;
                } else {
                    self.uncertain = true;
                }
                false
            }
        }
    }

    pub(crate) fn apply(&mut self, op: Op) {
        match op {
            Op::Start(when) => {
                let deadline = self.time(when);
                self.last_value += 1;
                let value = self.last_value;
                match self.wheel.start(deadline, value) {
                    Ok(handle) => self.insert(value, handle, deadline),
                    Err(Full(back)) => {
                        assert_eq!(back, value);
                        assert_eq!(self.live.len(), self.capacity);
                    }
                }
            }
            Op::Rearm(pick, when) => {
                if let Some((value, handle)) = self.pick(pick) {
                    let deadline = self.time(when);
                    assert_eq!(self.wheel.rearm(handle, deadline), Ok(()));
                    self.take(value);
                    self.insert(value, handle, deadline);
                }
            }
            Op::Cancel(pick) | Op::Remove(pick) => {
                if let Some((value, handle)) = self.pick(pick) {
                    let back = if let Op::Cancel(_) = op {
                        self.wheel.cancel(handle)
                    } else {
                        self.wheel.remove(handle)
                    };
                    assert_eq!(back, Ok(value));
                    self.take(value);
                    self.end(handle);
                }
            }
            Op::Stale(pick) => {
                if !self.gone.is_empty() {
                    let handle = self.gone[pick as usize % self.gone.len()];
                    assert_eq!(self.wheel.rearm(handle, 0), Err(Stale));
                    assert_eq!(self.wheel.cancel(handle), Err(Stale));
                    assert_eq!(self.wheel.remove(handle), Err(Stale));
                    assert_eq!(self.wheel.get(handle), None);
                    assert_eq!(self.wheel.deadline(handle), None);
                }
            }
            Op::Advance(when) => self.advance(self.time(when)),
            Op::AdvanceToBound => {
                if let Some(bound) = self.wheel.next_bound() {
                    self.advance(bound);
                }
            }
            Op::AdvanceToExact => {
                if let Some(exact) = self.wheel.next_exact() {
                    self.advance(exact);
                    assert!(self.wheel.has_due());
                }
            }
            Op::Pop(budget) => {
                self.pop(budget);
            }
            Op::Poll(max, take) => {
                let out: Vec<_> = self.wheel.poll(max).take(take).collect();
                assert!(out.len() <= max.min(take));
                self.uncertain = true;
                for expired in out {
                    self.came_out(expired.handle, expired.deadline, expired.value);
                    self.uncertain = true;
                }
            }
            Op::Drain => while self.pop(usize::MAX) {},
            Op::Change(pick) => {
                if let Some((value, handle)) = self.pick(pick) {
                    assert_eq!(self.wheel.get_mut(handle), Some(&mut value.clone()));
                }
            }
            Op::Clear => {
                self.wheel.clear();
                self.by_deadline.clear();
                self.by_order.clear();
                for (handle, _) in std::mem::take(&mut self.live).into_values() {
                    self.end(handle);
                }
                self.worked_off = self.now;
                self.uncertain = false;
            }
        }
        self.check();
    }

    fn advance(&mut self, to: u64) {
        self.wheel.advance(to);
        self.now = self.now.max(to);
        // Where nothing is due, the wheel takes the new time as worked off at once.
        if !self.wheel.has_due() {
            self.worked_off = self.now;
            self.uncertain = false;
        }
    }

    fn check(&self) {
        assert_eq!(self.wheel.now(), self.now);
        assert_eq!(self.wheel.len(), self.live.len());
        assert_eq!(self.wheel.is_empty(), self.live.is_empty());
        let earliest = self.earliest();
        assert_eq!(self.wheel.next_exact(), earliest);
        assert_eq!(self.wheel.next_bound().is_some(), earliest.is_some());
        if let (Some(bound), Some(earliest)) = (self.wheel.next_bound(), earliest) {
            assert!(bound <= earliest.max(self.now));
            assert!(earliest > self.now || self.wheel.has_due());
        }
        if let Some((&value, (handle, timer))) = self.live.iter().next_back() {
            assert_eq!(self.wheel.get(*handle), Some(&value));
            assert_eq!(self.wheel.deadline(*handle), Some(timer.deadline));
        }
    }

    pub(crate) fn finish(mut self) {
        let listed: BTreeMap<u64, (Handle, u64)> = self
            .wheel
            .iter()
            .map(|(handle, deadline, &value)| (value, (handle, deadline)))
            .collect();
        assert_eq!(listed.len(), self.wheel.iter().len());
        let live = self
            .live
            .iter()
            .map(|(&value, (handle, timer))| (value, (*handle, timer.deadline)));
        assert!(listed.into_iter().eq(live));
        // The rest comes out.
        self.advance(u64::MAX);
        while self.pop(usize::MAX) {}
        assert!(self.wheel.is_empty() && self.live.is_empty());
        // Down every level once and out, each time that it was given a deadline.
        assert!(
            self.touched <= 12 * self.arms,
            "{} nodes touched for {} deadlines",
            self.touched,
            self.arms
        );
        assert_eq!(self.wheel.next_bound(), None);
    }
}
