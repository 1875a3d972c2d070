//! Our side of a pass.

use esca_sys::{AnyExecutor, Operation, Segment};

/// Records an operation. Part of its caller, as the call of `push` is where it stands for itself.
#[inline(always)]
pub(super) fn push(segment: &mut Segment<AnyExecutor>, operation: Operation) {
    segment.push(operation, 0).expect("the executor works");
}

/// Runs what was recorded and sums up the results.
#[inline(always)]
pub(super) fn flush(segment: &mut Segment<AnyExecutor>) -> u64 {
    segment.flush().expect("the executor works");
    let mut sum = 0;
    while let Some(completion) = segment.next_completion() {
        sum += completion.result.into_result().expect("a call on loopback works");
    }
    sum
}
