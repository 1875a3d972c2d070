//! That batches really go through the kernel module: it counts what it runs.

use esca_sys::{Errno, Executor, Kernel, KernelError, MsgFlags, Operation, Segment};

use crate::support::{ok, results, run, shared, unix_pair};

/// Not `ENOSYS`, for which the suite would leave its tests out.
pub(crate) fn absent(error: KernelError) -> Errno {
    panic!("{error}")
}

fn sends(segment: &mut Segment<Kernel>, count: usize) {
    let (left, _right) = unix_pair();
    for token in 0..count {
        let one = Operation::send(shared(&left), vec![7; 10 + token % 2], MsgFlags::NOSIGNAL);
        segment.push(one, token as u64).unwrap();
    }
    let expected: Vec<_> = (0..count).map(|token| ok(10 + token as i64 % 2)).collect();
    assert_eq!(results(&run(segment)), expected);
}

#[test]
fn a_batch_is_one_flush_of_the_module() {
    let mut segment = Segment::new(Kernel::new().unwrap(), 64).unwrap();
    sends(&mut segment, 64);
    let stats = segment.executor().stats().unwrap();
    assert_eq!((stats.flushes, stats.finished, stats.stopped), (1, 64, 0));
}

#[test]
fn a_small_batch_is_made_of_plain_calls() {
    let mut segment = Segment::new(Kernel::new().unwrap(), 64).unwrap();
    sends(&mut segment, 2);
    assert_eq!(segment.executor().stats().unwrap().flushes, 0);
    segment.executor_mut().set_break_even(1);
    sends(&mut segment, 1);
    assert_eq!(segment.executor().stats().unwrap().finished, 1);
}

#[test]
fn executors_have_tables_of_their_own() {
    let make = || Segment::new(Kernel::new().unwrap(), 16).unwrap();
    let (mut one, mut other) = (make(), make());
    sends(&mut one, 16);
    sends(&mut other, 8);
    assert_eq!(one.executor().stats().unwrap().finished, 16);
    assert_eq!(other.executor().stats().unwrap().finished, 8);
    assert_eq!(one.executor().describe().name, "kernel");
}
