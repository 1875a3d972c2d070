//! Whether a send can expect company: another one on the same connection before the program waits again.
//!
//! Where a batch is run by plain calls, it costs what the calls cost; what is gained are calls that were joined or left out. A
//! send that stays alone is copied and queued for nothing. So each thread keeps a credit: a send that finds that its connection
//! was sent on in the same turn adds to it, one that is the first of its turn takes from it, and without credit the first one
//! is made at once. It is watched all the same, so a thread whose sends begin to get company notices at once, and one whose
//! sends stop to, within [`MOST`] of them.

use core::cell::Cell;
use core::sync::atomic::{AtomicBool, Ordering};

use crate::queue::fds::Fd;

/// How many sends without company one with company pays for: what deferring one costs, to what joining two saves.
const GAIN: u16 = 4;
/// Most credit.
const MOST: u16 = 64;

/// Whether sends without company are deferred, too.
static LONE: AtomicBool = AtomicBool::new(false);

/// Says whether sends without company are deferred, too.
pub(crate) fn set_lone(deferred: bool) {
    LONE.store(deferred, Ordering::Relaxed);
}

/// Whether sends without company are deferred, too.
#[inline]
pub(crate) fn is_lone_deferred() -> bool {
    LONE.load(Ordering::Relaxed)
}

/// What a thread has seen of its sends; zeros at first.
#[derive(Debug)]
pub(crate) struct Company {
    /// Number of the turn: what lies between two waits for events. Never 0 within one.
    turn: Cell<u16>,
    credit: Cell<u16>,
}

impl Company {
    #[cfg(test)]
    const fn new() -> Self {
        Self {
            turn: Cell::new(0),
            credit: Cell::new(0),
        }
    }

    /// A turn begins.
    #[inline]
    pub(crate) fn begin_turn(&self) {
        self.turn.set(self.turn.get().wrapping_add(1).max(1));
    }

    /// Notes a send, and says whether it had company or may expect some.
    #[inline]
    pub(crate) fn note(&self, fd: &Fd) -> bool {
        let (turn, credit) = (self.turn.get(), self.credit.get());
        if fd.sent() == turn {
            self.credit.set((credit + GAIN).min(MOST));
            return true;
        }
        fd.set_sent(turn);
        self.credit.set(credit.saturating_sub(1));
        credit != 0
    }
}

#[cfg(test)]
mod tests {
    use super::{Company, GAIN, MOST};
    use crate::queue::fds::Fd;

    /// Turns of one send, and of two where `joined` says so; how many first sends expected company.
    fn run(company: &Company, fds: &[Fd], turns: usize, joined: impl Fn(usize) -> bool) -> usize {
        let mut expected = 0;
        for turn in 0..turns {
            company.begin_turn();
            for fd in fds {
                expected += usize::from(company.note(fd));
                if joined(turn) {
                    assert!(company.note(fd), "the second of a turn has company");
                }
            }
        }
        expected
    }

    fn fds(count: usize) -> Vec<Fd> {
        (0..count).map(|_| Fd::new()).collect()
    }

    #[test]
    fn sends_that_stay_alone_are_not_deferred() {
        let (company, fds) = (Company::new(), fds(3));
        assert_eq!(run(&company, &fds, 100_000, |_| false), 0);
    }

    #[test]
    fn company_is_noticed_at_once_and_missed_soon() {
        let (company, fds) = (Company::new(), fds(1));
        // All but the very first.
        assert_eq!(run(&company, &fds, 1000, |_| true), 999);
        assert_eq!(run(&company, &fds, 1000, |_| false), usize::from(MOST));
        assert_eq!(run(&company, &fds, 1000, |_| true), 999);
    }

    #[test]
    fn it_pays_from_one_in_so_many_on() {
        let (company, fds) = (Company::new(), fds(1));
        let often = usize::from(GAIN) - 1;
        let expected = run(&company, &fds, 1200, |turn| turn % often == 0);
        assert!(expected > 1100, "{expected} of 1200");
        let company = Company::new();
        let seldom = 4 * usize::from(GAIN);
        let expected = run(&company, &fds, 1200, |turn| turn % seldom == 0);
        assert!(expected < 1200 / 3, "{expected} of 1200");
    }

    #[test]
    fn sends_of_other_turns_and_connections_are_no_company() {
        let (company, fds) = (Company::new(), fds(2));
        company.begin_turn();
        assert!(!company.note(&fds[0]));
        assert!(!company.note(&fds[1]));
        company.begin_turn();
        assert!(!company.note(&fds[0]));
        // Something in between had to see what was sent.
        fds[0].set_sent(0);
        assert!(!company.note(&fds[0]));
    }
}
