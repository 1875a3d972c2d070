//! Schemes 1, 2, 4, 5 and 6 of Varghese and Lauck's paper, "Hashed and Hierarchical Timing Wheels" (1987). Scheme 3 is
//! [`Heap`](super::Heap) and [`Tree`](super::Tree), scheme 7 is ours.

use super::Timers;

/// Doubly linked lists through two arrays: of `timers` timers and `heads` lists, each a ring through its head.
#[derive(Debug)]
struct Rings {
    next: Vec<u32>,
    prev: Vec<u32>,
    timers: u32,
}

impl Rings {
    fn new(timers: usize, heads: usize) -> Self {
        let mut rings = Self {
            next: vec![0; timers + heads],
            prev: vec![0; timers + heads],
            timers: timers as u32,
        };
        rings.clear();
        rings
    }

    fn clear(&mut self) {
        for node in 0..self.next.len() {
            self.next[node] = node as u32;
            self.prev[node] = node as u32;
        }
    }

    fn head(&self, list: usize) -> u32 {
        self.timers + list as u32
    }

    fn insert_after(&mut self, place: u32, id: u32) {
        let after = self.next[place as usize];
        self.next[id as usize] = after;
        self.prev[id as usize] = place;
        self.next[place as usize] = id;
        self.prev[after as usize] = id;
    }

    /// Inserts in the order of the deadlines, searching from the rear.
    fn insert_sorted(&mut self, list: usize, id: u32, deadlines: &[u64]) {
        let head = self.head(list);
        let mut place = self.prev[head as usize];
        while place != head && deadlines[place as usize] > deadlines[id as usize] {
            place = self.prev[place as usize];
        }
        self.insert_after(place, id);
    }

    fn remove(&mut self, id: u32) {
        let (next, prev) = (self.next[id as usize], self.prev[id as usize]);
        self.next[prev as usize] = next;
        self.prev[next as usize] = prev;
    }
}

/// Scheme 1: a list in no order, looked through at every tick.
#[derive(Debug)]
pub struct Scheme1 {
    /// Deadline and id, dense: the best memory there is to look through.
    list: Vec<(u64, u32)>,
    place: Vec<u32>,
}

impl Timers for Scheme1 {
    const NAME: &'static str = "scheme1";
    type Key = u64;

    fn new(timers: usize) -> Self {
        Self {
            list: Vec::with_capacity(timers),
            place: vec![0; timers],
        }
    }

    fn reset(&mut self) {
        self.list.clear();
    }

    fn start(&mut self, id: u32, deadline: u64) -> u64 {
        self.place[id as usize] = self.list.len() as u32;
        self.list.push((deadline, id));
        u64::from(id)
    }

    fn rearm(&mut self, key: u64, deadline: u64) {
        self.list[self.place[key as usize] as usize].0 = deadline;
    }

    fn cancel(&mut self, key: u64) {
        let place = self.place[key as usize];
        self.list.swap_remove(place as usize);
        if let Some(&(_, moved)) = self.list.get(place as usize) {
            self.place[moved as usize] = place;
        }
    }

    fn advance(&mut self, now: u64, out: &mut impl FnMut(u32)) {
        let mut at = 0;
        while let Some(&(deadline, id)) = self.list.get(at) {
            if deadline <= now {
                self.cancel(u64::from(id));
                out(id);
            } else {
                at += 1;
            }
        }
    }

    fn next(&mut self) -> Option<u64> {
        self.list.iter().map(|&(deadline, _)| deadline).min()
    }
}

/// Scheme 2: a sorted list, looked through from the rear at every start.
#[derive(Debug)]
pub struct Scheme2 {
    rings: Rings,
    deadlines: Vec<u64>,
}

impl Timers for Scheme2 {
    const NAME: &'static str = "scheme2";
    type Key = u64;

    fn new(timers: usize) -> Self {
        Self {
            rings: Rings::new(timers, 1),
            deadlines: vec![0; timers],
        }
    }

    fn reset(&mut self) {
        self.rings.clear();
    }

    fn start(&mut self, id: u32, deadline: u64) -> u64 {
        self.deadlines[id as usize] = deadline;
        self.rings.insert_sorted(0, id, &self.deadlines);
        u64::from(id)
    }

    fn rearm(&mut self, key: u64, deadline: u64) {
        self.cancel(key);
        self.start(key as u32, deadline);
    }

    fn cancel(&mut self, key: u64) {
        self.rings.remove(key as u32);
    }

    fn advance(&mut self, now: u64, out: &mut impl FnMut(u32)) {
        let head = self.rings.head(0);
        loop {
            let first = self.rings.next[head as usize];
            if first == head || self.deadlines[first as usize] > now {
                return;
            }
            self.rings.remove(first);
            out(first);
        }
    }

    fn next(&mut self) -> Option<u64> {
        let head = self.rings.head(0);
        let first = self.rings.next[head as usize];
        (first != head).then(|| self.deadlines[first as usize])
    }
}

/// Schemes 4, 5 and 6: one wheel that moves on by a slot each tick.
///
/// With `SORTED` lists it is scheme 5, else scheme 6, and with more slots than any delay has ticks, scheme 4.
#[derive(Debug)]
pub struct OneWheel<const SLOTS: usize, const SORTED: bool> {
    rings: Rings,
    deadlines: Vec<u64>,
    running: usize,
    now: u64,
}

/// Scheme 4: a slot for each tick of the longest delay.
pub type Scheme4 = OneWheel<65_536, false>;
/// Scheme 5: slots by hash, their lists sorted.
pub type Scheme5 = OneWheel<4_096, true>;
/// Scheme 6: slots by hash, their lists in no order.
pub type Scheme6 = OneWheel<4_096, false>;

impl<const SLOTS: usize, const SORTED: bool> Timers for OneWheel<SLOTS, SORTED> {
    const NAME: &'static str = match (SLOTS, SORTED) {
        (65_536, false) => "scheme4",
        (_, true) => "scheme5",
        (_, false) => "scheme6",
    };
    type Key = u64;

    fn new(timers: usize) -> Self {
        Self {
            rings: Rings::new(timers, SLOTS),
            deadlines: vec![0; timers],
            running: 0,
            now: 0,
        }
    }

    fn reset(&mut self) {
        self.rings.clear();
        self.running = 0;
    }

    fn start(&mut self, id: u32, deadline: u64) -> u64 {
        self.running += 1;
        self.deadlines[id as usize] = deadline;
        let slot = deadline as usize % SLOTS;
        if SORTED {
            self.rings.insert_sorted(slot, id, &self.deadlines);
        } else {
            self.rings.insert_after(self.rings.head(slot), id);
        }
        u64::from(id)
    }

    fn rearm(&mut self, key: u64, deadline: u64) {
        self.cancel(key);
        self.start(key as u32, deadline);
    }

    fn cancel(&mut self, key: u64) {
        self.running -= 1;
        self.rings.remove(key as u32);
    }

    fn advance(&mut self, now: u64, out: &mut impl FnMut(u32)) {
        if self.running == 0 {
            self.now = now;
        }
        while self.now < now {
            self.now += 1;
            let head = self.rings.head(self.now as usize % SLOTS);
            let mut id = self.rings.next[head as usize];
            while id != head {
                let next = self.rings.next[id as usize];
                if self.deadlines[id as usize] <= self.now {
                    self.running -= 1;
                    self.rings.remove(id);
                    out(id);
                } else if SORTED {
                    break;
                }
                id = next;
            }
        }
    }

    /// The next slot with a timer, which may be due in a later round.
    fn next(&mut self) -> Option<u64> {
        (self.now + 1..=self.now + SLOTS as u64).find(|tick| {
            let head = self.rings.head(*tick as usize % SLOTS);
            self.rings.next[head as usize] != head
        })
    }
}
