use core::fmt;
use core::hint::black_box;
use core::time::Duration;

use anyhow::{Result, ensure};

use super::clock::Clock;
use super::{Comparison, Options, Samples};

/// Runs `passes` passes and returns the time that they took and the checksum that all of them had, or the first
/// one that differed from its predecessor.
type Runner<'a> = Box<dyn FnMut(u64, Clock) -> (Duration, u64) + 'a>;

/// One implementation of a workload.
pub struct Contestant<'a> {
    name: String,
    runner: Runner<'a>,
}

impl Contestant<'_> {
    /// The name that stands in the table and ends the ratio's key.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The time of `passes` passes, for harnesses that choose the number themselves.
    pub fn time(&mut self, passes: u64) -> Duration {
        (self.runner)(passes, Clock::Wall).0
    }
}

impl fmt::Debug for Contestant<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Contestant")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

/// The same work, done by ours and by rivals.
///
/// The unit is a *pass*: a closure that does `operations` operations and returns a checksum of what it computed.
/// Every pass of every contestant must return the same checksum, which is how results are compared, so a pass
/// leaves its state as it found it (or moved on by a shift that the checksum does not see). A pass should last
/// some 10 microseconds to a few milliseconds: rounds are sized by repeating it.
#[derive(Debug)]
pub struct Workload<'a> {
    key: String,
    operations: u64,
    clock: Clock,
    warmed: bool,
    ours: Option<Contestant<'a>>,
    rivals: Vec<Contestant<'a>>,
}

impl<'a> Workload<'a> {
    /// A workload whose pass counts as `operations` operations.
    ///
    /// `key` is `SUBJECT.WORKLOAD`, such as `wheel.rearm.1e3`.
    #[must_use]
    pub fn new(key: impl Into<String>, operations: u64) -> Self {
        Self {
            key: key.into(),
            operations,
            clock: Clock::Wall,
            warmed: false,
            ours: None,
            rivals: Vec::new(),
        }
    }

    /// The key without a rival's name.
    #[must_use]
    pub fn key(&self) -> &str {
        &self.key
    }

    /// Operations in a pass.
    #[must_use]
    pub const fn operations(&self) -> u64 {
        self.operations
    }

    /// Times the rounds by the processor time of this thread, so that other processes on the same processor do not
    /// disturb the figures.
    ///
    /// Not for work that waits, or that the kernel does elsewhere.
    #[must_use]
    pub const fn processor_time(mut self) -> Self {
        self.clock = Clock::Thread;
        self
    }

    /// Begins each round with a pass that is not timed.
    ///
    /// For passes over more memory than the second-level cache holds. Where the order of two contestants rotates, every
    /// other round of one follows a round of its own and finds its memory near; the rest follow the rival's. Such samples
    /// have two modes, and the median falls into either. Behind a pass of its own every round is of the first kind.
    #[must_use]
    pub const fn warmed(mut self) -> Self {
        self.warmed = true;
        self
    }

    /// Enters our own contestant.
    #[must_use]
    pub fn ours(mut self, name: impl Into<String>, pass: impl FnMut() -> u64 + 'a) -> Self {
        self.ours = Some(Contestant {
            name: name.into(),
            runner: timed_as_one(pass),
        });
        self
    }

    /// Enters a rival; the ratio's key is `KEY.NAME`.
    #[must_use]
    pub fn rival(mut self, name: impl Into<String>, pass: impl FnMut() -> u64 + 'a) -> Self {
        self.rivals.push(Contestant {
            name: name.into(),
            runner: timed_as_one(pass),
        });
        self
    }

    /// Enters our own contestant with a step that is not timed before each pass.
    #[must_use]
    pub fn ours_prepared<S: 'a>(
        mut self,
        name: impl Into<String>,
        state: S,
        prepare: impl FnMut(&mut S) + 'a,
        pass: impl FnMut(&mut S) -> u64 + 'a,
    ) -> Self {
        self.ours = Some(Contestant {
            name: name.into(),
            runner: timed_each(state, prepare, pass),
        });
        self
    }

    /// Enters a rival with a step that is not timed before each pass.
    ///
    /// Reading the clock around each pass costs 50 to 500 ns, so a pass should last at least 10 microseconds.
    #[must_use]
    pub fn rival_prepared<S: 'a>(
        mut self,
        name: impl Into<String>,
        state: S,
        prepare: impl FnMut(&mut S) + 'a,
        pass: impl FnMut(&mut S) -> u64 + 'a,
    ) -> Self {
        self.rivals.push(Contestant {
            name: name.into(),
            runner: timed_each(state, prepare, pass),
        });
        self
    }

    /// All contestants, ours first.
    pub fn contestants_mut(&mut self) -> impl Iterator<Item = &mut Contestant<'a>> {
        self.ours.iter_mut().chain(&mut self.rivals)
    }

    /// Runs `rounds` rounds: each contestant once a round, in an order that rotates.
    ///
    /// # Errors
    ///
    /// When two contestants, or two passes of one, computed different results; the error names both.
    pub fn run(mut self, options: &Options, rounds: usize) -> Result<Comparison> {
        let key = self.key.clone();
        let operations = self.operations;
        let (clock, warmed) = (self.clock, self.warmed);
        let mut entrants: Vec<Entrant<'_, 'a>> = self
            .contestants_mut()
            .map(|contestant| Entrant::new(contestant, clock))
            .collect();

        for entrant in &mut entrants {
            entrant.size(&key, options.round_time())?;
        }
        if let Some((first, others)) = entrants.split_first() {
            for other in others {
                ensure!(
                    other.checksum == first.checksum,
                    "{key}: {} computed {:#x}, but {} computed {:#x}",
                    other.contestant.name,
                    other.checksum,
                    first.contestant.name,
                    first.checksum
                );
            }
        }
        for round in 0..rounds {
            for turn in 0..entrants.len() {
                let turn = (round + turn) % entrants.len();
                if warmed {
                    entrants[turn].passes_checked(&key, 1)?;
                }
                entrants[turn].round(&key, operations)?;
            }
        }

        let mut samples: Vec<Samples> = entrants
            .into_iter()
            .map(|entrant| Samples::new(entrant.contestant.name.clone(), entrant.per_round))
            .collect();
        let ours = self.ours.is_some().then(|| samples.remove(0));
        Ok(Comparison::new(key, "ns/op", ours, samples))
    }
}

/// A contestant on the track.
struct Entrant<'w, 'a> {
    contestant: &'w mut Contestant<'a>,
    clock: Clock,
    passes: u64,
    checksum: u64,
    per_round: Vec<f64>,
}

impl<'w, 'a> Entrant<'w, 'a> {
    fn new(contestant: &'w mut Contestant<'a>, clock: Clock) -> Self {
        Self {
            contestant,
            clock,
            passes: 1,
            checksum: 0,
            per_round: Vec::new(),
        }
    }

    /// Warms up and finds how many passes fill `round_time`.
    fn size(&mut self, key: &str, round_time: Duration) -> Result<()> {
        self.checksum = (self.contestant.runner)(1, self.clock).1;
        loop {
            let took = self.passes_checked(key, self.passes)?;
            let target = round_time.as_nanos();
            if took.as_nanos() * 2 >= target {
                let fill = u128::from(self.passes) * target / took.as_nanos().max(1);
                self.passes = u64::try_from(fill.max(1)).unwrap_or(u64::MAX);
                return Ok(());
            }
            self.passes *= 2;
        }
    }

    fn round(&mut self, key: &str, operations: u64) -> Result<()> {
        let took = self.passes_checked(key, self.passes)?;
        self.per_round
            .push(took.as_nanos() as f64 / (self.passes * operations) as f64);
        Ok(())
    }

    fn passes_checked(&mut self, key: &str, passes: u64) -> Result<Duration> {
        let (took, checksum) = (self.contestant.runner)(passes, self.clock);
        ensure!(
            checksum == self.checksum,
            "{key}: a pass of {} computed {checksum:#x} after passes that computed {:#x}",
            self.contestant.name,
            self.checksum
        );
        Ok(took)
    }
}

/// What the function is called that runs a pass and nothing else, for a tracer that counts instructions.
pub const TRACED_FUNCTION: &str = "traced_pass";

/// One pass, under the name that [`TRACED_FUNCTION`] says.
#[inline(never)]
fn traced_pass(pass: impl FnOnce() -> u64) -> u64 {
    black_box(pass())
}

fn timed_as_one<'a>(mut pass: impl FnMut() -> u64 + 'a) -> Runner<'a> {
    Box::new(move |passes, clock| {
        let mut agreed = Agreed::default();
        let start = clock.now();
        for _ in 0..passes {
            agreed.see(traced_pass(&mut pass));
        }
        (clock.now() - start, agreed.checksum())
    })
}

fn timed_each<'a, S: 'a>(
    mut state: S,
    mut prepare: impl FnMut(&mut S) + 'a,
    mut pass: impl FnMut(&mut S) -> u64 + 'a,
) -> Runner<'a> {
    Box::new(move |passes, clock| {
        let mut agreed = Agreed::default();
        let mut total = Duration::ZERO;
        for _ in 0..passes {
            prepare(&mut state);
            let start = clock.now();
            let checksum = traced_pass(|| pass(&mut state));
            total += clock.now() - start;
            agreed.see(checksum);
        }
        (total, agreed.checksum())
    })
}

/// The checksum of the first pass until one differs, and that one from then on.
#[derive(Default)]
struct Agreed {
    first: Option<u64>,
    other: Option<u64>,
}

impl Agreed {
    #[inline]
    fn see(&mut self, checksum: u64) {
        match self.first {
            None => self.first = Some(checksum),
            Some(first) if first == checksum => {}
            Some(_) => self.other = Some(checksum),
        }
    }

    fn checksum(&self) -> u64 {
        self.other.or(self.first).unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use std::thread::sleep;

    use super::*;

    const QUICK: Options = Options { quick: true };

    fn wait(milliseconds: u64) -> u64 {
        sleep(Duration::from_millis(milliseconds));
        7
    }

    #[test]
    fn a_slower_rival_has_a_ratio_above_one() {
        let workload = Workload::new("test.wait", 1)
            .ours("once", || wait(2))
            .rival("thrice", || wait(6));
        let comparison = workload.run(&QUICK, 9).unwrap();
        let (key, ratio) = comparison.ratios().next().unwrap();
        assert_eq!(key, "test.wait.thrice");
        assert!((1.5..4.5).contains(&ratio), "{ratio}");
    }

    #[test]
    fn different_results_are_an_error_that_names_both() {
        let error = Workload::new("test.work", 1)
            .ours("right", || 0x11)
            .rival("wrong", || 0x22)
            .run(&QUICK, 15)
            .unwrap_err()
            .to_string();
        assert_eq!(error, "test.work: wrong computed 0x22, but right computed 0x11");
    }

    #[test]
    fn a_pass_that_changes_its_mind_is_an_error() {
        let mut calls = 0;
        let drifting = move || {
            calls += 1;
            u64::from(calls > 10)
        };
        let error = Workload::new("test.work", 1)
            .ours("drifting", drifting)
            .run(&QUICK, 15)
            .unwrap_err();
        assert!(
            error.to_string().contains("a pass of drifting computed 0x1"),
            "{error}"
        );
    }

    #[test]
    fn warming_pass_is_not_timed() {
        // Long for the first pass after the rival's.
        let others = std::cell::Cell::new(true);
        let comparison = Workload::new("test.wait", 1)
            .warmed()
            .ours("plain", || {
                others.set(true);
                wait(2)
            })
            .rival("sensitive", || wait(if others.replace(false) { 20 } else { 2 }))
            .run(&QUICK, 9)
            .unwrap();
        let (_, ratio) = comparison.ratios().next().unwrap();
        assert!((0.3..3.0).contains(&ratio), "{ratio}");
    }

    #[test]
    fn preparation_is_not_timed() {
        let comparison = Workload::new("test.wait", 1)
            .ours("plain", || wait(2))
            .rival_prepared(
                "prepared",
                (),
                |()| {
                    wait(20);
                },
                |()| wait(2),
            )
            .run(&QUICK, 9)
            .unwrap();
        let (_, ratio) = comparison.ratios().next().unwrap();
        assert!((0.3..3.0).contains(&ratio), "{ratio}");
    }
}
