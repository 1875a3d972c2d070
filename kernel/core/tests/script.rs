//! The walk with a scripted kernel: what stops a batch, what is cancelled, and what no host ever gets to see.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use batch_table::device::{ALLOWED, flush_argument};
use batch_table::nr::native as nr;
use batch_table::{Call, Entry, EntryFlags, Errno, Features, Header, Outcome, State, SysResult, Table};
use esca_kernel::{Host, Verdict, flush, is_allowed};
use proptest::prelude::*;

/// A kernel that does what it was told beforehand, one line for each question. Past the end all is well.
#[derive(Clone, Debug, Default)]
struct Script {
    verdicts: Vec<Verdict>,
    returns: Vec<i64>,
    waits: Vec<u32>,
    asked: Vec<u32>,
    made: Vec<Call>,
}

impl Host for Script {
    fn check(&mut self) -> Verdict {
        if self.verdicts.is_empty() {
            Verdict::Go
        } else {
            self.verdicts.remove(0)
        }
    }

    fn may_wait(&mut self, call: &Call) -> bool {
        self.asked.push(call.nr);
        self.waits.contains(&call.nr)
    }

    fn call(&mut self, call: &Call) -> i64 {
        self.made.push(*call);
        if self.returns.is_empty() {
            0
        } else {
            self.returns.remove(0)
        }
    }
}

/// A table of eight entries with these calls.
fn with_table<R>(calls: &[Call], run: impl FnOnce(Table<'_>) -> R) -> R {
    let header = Header::default();
    let entries: [Entry; 8] = Default::default();
    let table = Table::new(&header, &entries, Features::KNOWN).unwrap();
    for (position, call) in (0..).zip(calls) {
        table.producer().publish(position, call).unwrap();
    }
    run(table)
}

fn run(calls: &[Call], script: &mut Script) -> (u32, Vec<Option<i64>>) {
    with_table(calls, |table| {
        let count = u32::try_from(calls.len()).unwrap();
        let finished = flush(&table, flush_argument(0, count, 8), script).unwrap();
        let results = (0..count).map(|position| {
            let outcome = table.producer().take(position)?;
            Some(outcome.result().to_raw())
        });
        (finished, results.collect())
    })
}

fn plain(nr: u32) -> Call {
    Call::new(nr, [1, 2, 3, 4, 5, 6])
}

fn linked(nr: u32) -> Call {
    Call {
        flags: EntryFlags::LINK,
        ..plain(nr)
    }
}

const EPERM: Option<i64> = Some(-1);
const CANCELED: Option<i64> = Some(-125);

#[test]
fn results_are_those_of_the_host() {
    let mut script = Script {
        returns: vec![7, -9, i64::from(u32::MAX) + 5],
        ..Script::default()
    };
    let calls = [plain(nr::GETPPID), plain(nr::CLOSE), plain(nr::READ)];
    let results = vec![Some(7), Some(-9), Some(i64::from(u32::MAX) + 5)];
    assert_eq!(run(&calls, &mut script), (3, results));
    assert_eq!(script.made, calls);
}

#[test]
fn a_number_off_the_list_reaches_nobody() {
    for nr in (0..2048).chain((0..32).map(|bit| 1 << bit)).chain([u32::MAX]) {
        let mut script = Script::default();
        let (finished, results) = run(&[plain(nr)], &mut script);
        assert_eq!(finished, 1);
        if ALLOWED.contains(&nr) {
            assert_eq!(script.made.len(), 1);
        } else {
            assert_eq!((results, script.made.len()), (vec![EPERM], 0), "{nr}");
        }
    }
}

#[test]
fn a_signal_stops_between_entries_but_not_before_the_first() {
    let calls = [plain(nr::GETPPID); 4];
    let at = |position: usize| {
        let mut verdicts = vec![Verdict::Go; 4];
        verdicts[position] = Verdict::Signal;
        let mut script = Script {
            verdicts,
            ..Script::default()
        };
        run(&calls, &mut script).0
    };
    assert_eq!([0, 1, 2, 3].map(at), [4, 1, 2, 3]);
}

#[test]
fn a_refused_entry_is_progress_too() {
    let mut script = Script {
        verdicts: vec![Verdict::Signal; 3],
        ..Script::default()
    };
    let calls = [plain(9999), plain(nr::GETPPID), plain(nr::GETPPID)];
    assert_eq!(run(&calls, &mut script), (1, vec![EPERM, None, None]));
}

#[test]
fn a_watched_task_runs_nothing_more() {
    for position in 0..4 {
        let mut verdicts = vec![Verdict::Go; position];
        verdicts.push(Verdict::Watched);
        let mut script = Script {
            verdicts,
            ..Script::default()
        };
        let (finished, _) = run(&[plain(nr::GETPPID); 4], &mut script);
        assert_eq!(finished as usize, position);
        assert_eq!(script.made.len(), position);
    }
}

#[test]
fn restart_codes_stay_inside() {
    for raw in [-512, -513, -514] {
        let mut script = Script {
            returns: vec![5, raw],
            ..Script::default()
        };
        let calls = [plain(nr::GETPPID), plain(nr::READ), plain(nr::GETPPID)];
        assert_eq!(run(&calls, &mut script), (1, vec![Some(5), None, None]));
    }
    let mut script = Script {
        returns: vec![-516, 5],
        ..Script::default()
    };
    let calls = [plain(nr::READ), plain(nr::GETPPID)];
    assert_eq!(run(&calls, &mut script), (2, vec![Some(-4), Some(5)]));
}

#[test]
fn a_broken_chain_is_cancelled_to_its_end_before_a_stop() {
    let mut script = Script {
        verdicts: vec![Verdict::Go, Verdict::Signal],
        returns: vec![-32],
        ..Script::default()
    };
    let calls = [
        linked(nr::WRITE),
        linked(nr::WRITE),
        plain(nr::WRITE),
        plain(nr::GETPPID),
    ];
    let results = vec![Some(-32), CANCELED, CANCELED, None];
    assert_eq!(run(&calls, &mut script), (3, results));
}

#[test]
fn a_chain_goes_on_in_the_next_flush() {
    let calls = [linked(nr::WRITE), linked(nr::WRITE), plain(nr::GETPPID)];
    with_table(&calls, |table| {
        let mut script = Script {
            verdicts: vec![Verdict::Go, Verdict::Signal],
            returns: vec![3, 2],
            ..Script::default()
        };
        assert_eq!(flush(&table, flush_argument(0, 3, 8), &mut script), Ok(1));
        assert_eq!(flush(&table, flush_argument(1, 2, 8), &mut script), Ok(2));
        let results = [0, 1, 2].map(|position| table.producer().take(position));
        let short = SysResult::from_raw(2);
        assert_eq!(results[1], Some(Outcome::Done(short)));
        assert_eq!(results[2], Some(Outcome::Canceled), "two of three bytes");
    });
}

#[test]
fn behind_a_close_the_host_is_asked_whether_a_call_waits() {
    let mut script = Script {
        waits: vec![nr::EPOLL_PWAIT],
        ..Script::default()
    };
    let calls = [
        plain(nr::SENDTO),
        plain(nr::CLOSE),
        plain(nr::SENDTO),
        plain(nr::EPOLL_PWAIT),
    ];
    let results = vec![Some(0), Some(0), Some(0), None];
    assert_eq!(run(&calls, &mut script), (3, results));
    assert_eq!(script.asked, [nr::SENDTO, nr::EPOLL_PWAIT]);
    // The flush that goes on with it has closed nothing.
    let mut script = Script {
        waits: vec![nr::EPOLL_PWAIT],
        ..Script::default()
    };
    assert_eq!(run(&[plain(nr::EPOLL_PWAIT)], &mut script).0, 1);
}

#[test]
fn a_flush_ends_behind_epoll_pwait() {
    let calls = [plain(nr::EPOLL_PWAIT), plain(nr::GETPPID), plain(nr::EPOLL_PWAIT)];
    assert_eq!(run(&calls, &mut Script::default()).0, 1);
    // The rest of a chain that it broke is cancelled all the same.
    let mut script = Script {
        returns: vec![-4],
        ..Script::default()
    };
    let calls = [linked(nr::EPOLL_PWAIT), plain(nr::GETPPID), plain(nr::GETPPID)];
    assert_eq!(run(&calls, &mut script), (2, vec![Some(-4), CANCELED, None]));
}

#[test]
fn ranges_outside_of_the_table_are_refused() {
    let mut script = Script::default();
    with_table(&[plain(nr::GETPPID)], |table| {
        for argument in [9, 8 << 16, 0xffff, 1 << 32, u64::MAX] {
            assert_eq!(flush(&table, argument, &mut script), Err(Errno::EINVAL));
        }
        assert_eq!(flush(&table, 0, &mut script), Ok(0));
        assert_eq!(table.producer().state(0), Some(State::Ready));
    });
    assert!(script.made.is_empty());
}

/// A call as likely on the list as off it.
fn any_call() -> impl Strategy<Value = Call> {
    let number = prop_oneof![
        prop::sample::select(ALLOWED.to_vec()),
        Just(nr::CLOSE),
        Just(nr::EPOLL_PWAIT),
        any::<u32>()
    ];
    let flags = prop_oneof![Just(0_u16), Just(1), Just(1), 0_u16..4];
    let args = prop::array::uniform6(prop_oneof![0_u64..4, any::<u64>()]);
    (number, flags, args).prop_map(|(nr, flags, args)| Call {
        nr,
        flags: EntryFlags::from_raw(flags),
        args,
    })
}

fn any_return() -> impl Strategy<Value = i64> {
    prop_oneof![0_i64..4, -520_i64..0, any::<i64>()]
}

fn any_verdict() -> impl Strategy<Value = Verdict> {
    prop_oneof![8 => Just(Verdict::Go), 1 => Just(Verdict::Signal), 1 => Just(Verdict::Watched)]
}

proptest! {
    /// Flush after flush, against the rules written down once more, plainly.
    #[test]
    fn any_batch_ends_as_the_rules_say(
        calls in prop::collection::vec(any_call(), 1..8),
        returns in prop::collection::vec(any_return(), 0..24),
        verdicts in prop::collection::vec(any_verdict(), 0..24),
        waits in prop::collection::vec(prop::sample::select(ALLOWED.to_vec()), 0..4),
    ) {
        let count = u32::try_from(calls.len()).unwrap();
        let mut script = Script { returns: returns.clone(), verdicts: verdicts.clone(), waits, ..Script::default() };
        let mut model = script.clone();
        with_table(&calls, |table| {
            let mut first = 0;
            let mut turns = 0;
            while first < count {
                let argument = flush_argument(first, count - first, 8);
                let finished = flush(&table, argument, &mut script).unwrap();
                let expected = by_the_rules(&calls[first as usize..], &mut model);
                assert_eq!(finished as usize, expected.len());
                for (position, result) in (first..).zip(expected) {
                    assert_eq!(table.producer().take(position).map(|outcome| outcome.result().to_raw()), Some(result));
                    assert!(!(-516..=-512).contains(&result));
                }
                first += finished;
                for position in first..count {
                    assert_eq!(table.producer().state(position), Some(State::Ready), "behind the stop");
                }
                // Interruptions and watchers run out with the script.
                turns += 1;
                assert!(turns < 64, "no progress");
            }
        });
        prop_assert_eq!(&script.made, &model.made);
        prop_assert_eq!(&script.asked, &model.asked);
        prop_assert!(script.made.iter().all(|call| is_allowed(call.nr) && call.flags.to_raw() <= 1));
    }
}

/// Results of what one flush finishes.
fn by_the_rules(calls: &[Call], host: &mut Script) -> Vec<i64> {
    let mut results = Vec::new();
    let (mut broken, mut progress, mut closed, mut ended) = (false, false, false, false);
    for call in calls {
        let link = call.flags.to_raw() & 1 == 1;
        if broken {
            results.push(-125);
            broken = link;
            continue;
        }
        let result = if call.flags.to_raw() > 1 {
            -22
        } else {
            if ended {
                break;
            }
            match host.check() {
                Verdict::Watched => break,
                Verdict::Signal if progress => break,
                _ => {}
            }
            if !ALLOWED.contains(&call.nr) {
                progress = true;
                -1
            } else if closed && host.may_wait(call) {
                break;
            } else {
                let raw = host.call(call);
                if (-514..=-512).contains(&raw) {
                    break;
                }
                progress = true;
                closed |= call.nr == nr::CLOSE;
                ended |= call.nr == nr::EPOLL_PWAIT;
                match raw {
                    -515 => -25,
                    -516 => -4,
                    raw => raw,
                }
            }
        };
        results.push(result);
        broken = link && call.breaks_chain(SysResult::from_raw(result));
    }
    results
}
