//! The code that a resume and a suspension compile to. A test compares its disassembly with what is on record.

use core::mem::MaybeUninit;
use std::hint::black_box;

use coro_asm::{Coroutine, CoroutineState, StaticStack, Yielder};

type Counter = Coroutine<usize, usize, usize, StaticStack>;

/// A resume as it stands in a scheduler.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn golden_resume(coroutine: &mut Counter, input: usize) -> usize {
    match coroutine.resume(input) {
        CoroutineState::Yielded(value) | CoroutineState::Complete(value) => value,
    }
}

/// A suspension in the loop of a body.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn golden_suspend(yielder: &Yielder<usize, usize>, mut value: usize) -> usize {
    while value != 0 {
        value = yielder.suspend(value + 1);
    }
    value
}

fn main() {
    let memory = Box::leak(vec![MaybeUninit::uninit(); 64 * 1024].into_boxed_slice());
    // SAFETY: the body needs a fraction of this.
    let stack = unsafe { StaticStack::new(memory) };
    let mut coroutine: Counter =
        Coroutine::with_stack(stack, |yielder, first| golden_suspend(yielder, first));
    assert_eq!(golden_resume(black_box(&mut coroutine), 1), 2);
    assert_eq!(golden_resume(black_box(&mut coroutine), 0), 0);
}
