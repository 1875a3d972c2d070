//! Without `std`, a suspended coroutine that is dropped keeps its stack and its frames, and only its deferred cleanups run.
//!
//! `cargo test -p coro-asm --test leak`, and the same with `--features alloc`.
#![cfg(not(feature = "std"))]

use std::cell::Cell;
use std::mem::MaybeUninit;
use std::rc::Rc;

use coro_asm::{Coroutine, CoroutineState, StaticStack};

struct Count(Rc<Cell<u32>>);

impl Drop for Count {
    fn drop(&mut self) {
        self.0.set(self.0.get() + 1);
    }
}

fn stack() -> StaticStack {
    let memory = Box::leak(vec![MaybeUninit::uninit(); 64 * 1024].into_boxed_slice());
    // SAFETY: the bodies below need a fraction of this.
    unsafe { StaticStack::new(memory) }
}

#[test]
fn a_suspended_body_stays_as_it_is() {
    let dropped = Rc::new(Cell::new(0));
    let guard = Count(dropped.clone());
    let mut co = Coroutine::with_stack(stack(), move |yielder, ()| {
        let _guard = guard;
        yielder.suspend(());
    });
    assert_eq!(co.resume(()), CoroutineState::Yielded(()));
    drop(co);
    assert_eq!(dropped.get(), 0);
}

#[test]
fn a_body_that_never_ran_is_dropped() {
    let dropped = Rc::new(Cell::new(0));
    let guard = Count(dropped.clone());
    let co: Coroutine<(), (), (), _> = Coroutine::with_stack(stack(), move |_, ()| drop(guard));
    drop(co);
    assert_eq!(dropped.get(), 1);
}

#[test]
fn a_complete_coroutine_gives_its_stack_back_and_starts_over() {
    let mut co = Coroutine::with_stack(stack(), |yielder, n: u32| yielder.suspend(n + 1) * 2);
    assert_eq!(co.resume(1), CoroutineState::Yielded(2));
    assert_eq!(co.resume(4), CoroutineState::Complete(8));
    let mut co = Coroutine::with_stack(co.into_stack().unwrap(), |_, n: u32| n);
    assert_eq!(co.resume(5), CoroutineState::<u32, u32>::Complete(5));
    assert!(co.reset(|yielder, n| yielder.suspend(n)).is_ok());
    assert_eq!(co.resume(6), CoroutineState::Yielded(6));
    assert!(
        co.reset(|_, n| n).is_err(),
        "it is suspended and cannot be unwound"
    );
    // SAFETY: the frame holds nothing.
    unsafe { co.reset_unchecked(|_, n| n + 100) };
    assert_eq!(co.resume(7), CoroutineState::Complete(107));
}

#[cfg(feature = "alloc")]
#[test]
fn cleanups_of_a_suspended_body_run() {
    let dropped = Rc::new(Cell::new(0));
    let (guard, deferred) = (Count(dropped.clone()), Count(dropped.clone()));
    let mut co = Coroutine::with_stack(stack(), move |yielder, ()| {
        let _guard = guard;
        yielder.defer(move || drop(deferred));
        yielder.suspend(());
    });
    assert_eq!(co.resume(()), CoroutineState::Yielded(()));
    drop(co);
    assert_eq!(dropped.get(), 1, "the cleanup's, and not the frame's");
}
