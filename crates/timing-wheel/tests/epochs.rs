//! Deadlines on both sides of a multiple of 2^32, where the wheel keeps them in two ways.

use timing_wheel::{ArrayWheel, Handle, Stale};

const BOUNDARY: u64 = 5 << 32;
const DEADLINES: [u64; 6] = [3, BOUNDARY - 1000, BOUNDARY - 1, BOUNDARY, BOUNDARY + 1, u64::MAX];

type Wheel = ArrayWheel<u64, 8>;

/// A wheel shortly before the boundary, with a timer for each of the deadlines.
fn started() -> (Wheel, [Handle; 6]) {
    let mut wheel = Wheel::new(BOUNDARY - 2000);
    let handles = DEADLINES.map(|deadline| wheel.start(deadline, deadline).expect("room"));
    (wheel, handles)
}

fn out(wheel: &mut Wheel, now: u64) -> Vec<u64> {
    wheel.advance(now);
    wheel.poll(usize::MAX).map(|expired| expired.deadline).collect()
}

#[test]
fn every_deadline_is_kept_whole() {
    let (mut wheel, handles) = started();
    assert_eq!(handles.map(|handle| wheel.deadline(handle)), DEADLINES.map(Some));
    assert!(
        wheel
            .iter()
            .map(|(handle, deadline, _)| (handle, deadline))
            .eq(handles.into_iter().zip(DEADLINES))
    );
    assert_eq!(wheel.next_exact(), Some(3));
    assert_eq!(out(&mut wheel, BOUNDARY - 1500), [3]);
    assert_eq!(wheel.next_exact(), Some(BOUNDARY - 1000));
    assert_eq!(out(&mut wheel, BOUNDARY), DEADLINES[1..4]);
    assert_eq!(wheel.deadline(handles[4]), Some(BOUNDARY + 1));
    assert_eq!(out(&mut wheel, u64::MAX), DEADLINES[4..]);
}

#[test]
fn deadlines_move_across_the_boundary() {
    for to in DEADLINES {
        let (mut wheel, handles) = started();
        for handle in handles {
            assert_eq!(wheel.rearm(handle, to), Ok(()));
            assert_eq!(wheel.deadline(handle), Some(to));
        }
        if to > wheel.now() {
            assert_eq!(out(&mut wheel, to - 1), []);
        }
        assert_eq!(out(&mut wheel, to), [to; 6]);
    }
}

#[test]
fn ended_timers_are_stale_wherever_their_deadline_was() {
    let (mut wheel, handles) = started();
    for (handle, deadline) in handles.into_iter().zip(DEADLINES).skip(1).step_by(2) {
        assert_eq!(wheel.cancel(handle), Ok(deadline));
    }
    for (handle, deadline) in handles.into_iter().zip(DEADLINES).step_by(2) {
        assert_eq!(wheel.remove(handle), Ok(deadline));
    }
    let again = DEADLINES.map(|deadline| wheel.start(deadline, 0).expect("room"));
    for handle in handles {
        assert_eq!(wheel.rearm(handle, BOUNDARY), Err(Stale));
        assert_eq!(wheel.cancel(handle), Err(Stale));
        assert_eq!(wheel.deadline(handle), None);
    }
    assert_eq!(again.map(|handle| wheel.deadline(handle)), DEADLINES.map(Some));
    wheel.clear();
    assert!(wheel.is_empty() && again.iter().all(|&handle| !wheel.contains(handle)));
    assert_eq!(wheel.next_exact(), None);
}
