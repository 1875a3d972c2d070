//! Deferred cleanups, and starting over on the same stack.

mod common;

use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;

use common::{Co, DropCount, pool, start};
use coro_asm::{CoroutineState, Stack, Yielder, scope};

/// What happened, in order.
#[derive(Clone, Default)]
struct Log(Rc<RefCell<Vec<&'static str>>>);

impl Log {
    fn note(&self, what: &'static str) -> impl FnOnce() + use<> {
        let log = self.clone();
        move || log.0.borrow_mut().push(what)
    }

    fn taken(&self) -> Vec<&'static str> {
        self.0.take()
    }
}

/// Notes its drop.
struct Note(Option<Box<dyn FnOnce()>>);

impl Drop for Note {
    fn drop(&mut self) {
        if let Some(note) = self.0.take() {
            note();
        }
    }
}

/// Defers from a frame that is gone when the cleanup runs.
fn acquire(yielder: &Yielder<(), ()>, log: &Log) {
    yielder.defer(log.note("first"));
    yielder.defer(log.note("second"));
}

fn suspended(pool: &coro_asm::StackPool, log: &Log) -> Co<(), (), ()> {
    let log = log.clone();
    let mut co: Co<(), (), ()> = start(pool, move |yielder, ()| {
        let _frame = Note(Some(Box::new(log.note("frame"))));
        acquire(yielder, &log);
        yielder.suspend(());
        yielder.defer(log.note("third"));
    });
    assert_eq!(co.resume(()), CoroutineState::Yielded(()));
    co
}

#[test]
fn cleanups_run_at_completion_in_reverse_order() {
    let (pool, log) = (pool(), Log::default());
    let mut co = suspended(&pool, &log);
    assert!(log.taken().is_empty());
    assert_eq!(co.resume(()), CoroutineState::Complete(()));
    assert_eq!(log.taken(), ["frame", "third", "second", "first"]);
    drop(co);
    assert!(log.taken().is_empty());
}

#[test]
fn cleanups_run_at_drop() {
    let (pool, log) = (pool(), Log::default());
    drop(suspended(&pool, &log));
    assert_eq!(log.taken(), ["frame", "second", "first"]);
    assert_eq!(pool.stats().in_use, 0);
}

#[test]
fn cleanups_run_at_reset() {
    let (pool, log) = (pool(), Log::default());
    let mut co = suspended(&pool, &log);
    assert!(co.reset(|yielder, ()| yielder.suspend(())).is_ok());
    assert_eq!(log.taken(), ["frame", "second", "first"]);
    assert!(!co.is_started());
    assert_eq!(co.resume(()), CoroutineState::Yielded(()));
    assert_eq!(co.resume(()), CoroutineState::Complete(()));
}

#[test]
fn cleanups_run_at_an_unchecked_reset_and_destructors_do_not() {
    let (pool, log) = (pool(), Log::default());
    let mut co = suspended(&pool, &log);
    // SAFETY: the frame holds a note that need not be written.
    unsafe { co.reset_unchecked(|yielder, ()| yielder.suspend(())) };
    assert_eq!(log.taken(), ["second", "first"]);
    assert_eq!(co.resume(()), CoroutineState::Yielded(()));
    let base = co.stack().base();
    // SAFETY: this body's frame holds nothing.
    let stack = unsafe { co.into_stack_unchecked() };
    assert_eq!(stack.base(), base);
}

#[test]
fn cleanups_run_when_the_body_panics() {
    let (pool, log) = (pool(), Log::default());
    let inner = log.clone();
    let mut co: Co<(), (), ()> = start(&pool, move |yielder, ()| {
        acquire(yielder, &inner);
        panic!("on purpose");
    });
    let payload = catch_unwind(AssertUnwindSafe(|| co.resume(()))).unwrap_err();
    assert_eq!(payload.downcast_ref(), Some(&"on purpose"));
    assert_eq!(log.taken(), ["second", "first"]);
}

#[test]
fn a_panic_in_a_cleanup_leaves_the_others_to_run() {
    let (pool, log) = (pool(), Log::default());
    let (inner, (value, drops)) = (log.clone(), DropCount::new());
    let mut co: Co<(), (), DropCount> = start(&pool, move |yielder, ()| {
        yielder.defer(inner.note("first"));
        yielder.defer(|| panic!("in a cleanup"));
        yielder.defer(inner.note("third"));
        value
    });
    let payload = catch_unwind(AssertUnwindSafe(|| co.resume(()))).unwrap_err();
    assert_eq!(payload.downcast_ref(), Some(&"in a cleanup"));
    assert_eq!(log.taken(), ["third", "first"]);
    assert_eq!(drops.get(), 1, "the value that could not be returned is dropped");
    assert!(co.is_complete());
}

#[test]
fn a_panic_in_a_cleanup_leaves_an_abandoned_coroutine_complete() {
    let (pool, log) = (pool(), Log::default());
    let inner = log.clone();
    let mut co: Co<(), String, ()> = start(&pool, move |yielder, ()| {
        yielder.defer(inner.note("first"));
        yielder.defer(|| panic!("in a cleanup"));
        yielder.suspend("a string".to_owned());
    });
    assert!(co.resume(()).yielded().is_some());
    // SAFETY: the frame holds nothing but its yielder.
    let reset = AssertUnwindSafe(|| unsafe { co.reset_unchecked(|_, ()| ()) });
    let payload = catch_unwind(reset).unwrap_err();
    assert_eq!(payload.downcast_ref(), Some(&"in a cleanup"));
    assert_eq!(log.taken(), ["first"]);
    assert!(co.is_complete());
    drop(co);
    assert_eq!(pool.stats().in_use, 0);
}

#[test]
fn a_body_that_is_given_up_has_its_cleanups_run() {
    let (pool, log) = (pool(), Log::default());
    let inner = log.clone();
    let mut stubborn: Co<(), String, ()> = start(&pool, move |yielder, ()| {
        yielder.defer(inner.note("cleanup"));
        loop {
            let _ = catch_unwind(AssertUnwindSafe(|| yielder.suspend("again".to_owned())));
        }
    });
    let _ = stubborn.resume(());
    drop(stubborn);
    assert_eq!(log.taken(), ["cleanup"]);
    assert_eq!(pool.stats().in_use, 1);
}

#[test]
fn a_disarmed_cleanup_is_dropped_and_never_another_one() {
    let (pool, log) = (pool(), Log::default());
    let (inner, (value, drops)) = (log.clone(), DropCount::new());
    let count = drops.clone();
    let mut co: Co<(), (), ()> = start(&pool, move |yielder, ()| {
        yielder.defer(inner.note("first"));
        let second = yielder.defer(move || drop(value));
        yielder.defer(inner.note("third"));
        assert_eq!(count.get(), 0);
        assert!(yielder.disarm(second));
        assert_eq!(count.get(), 1);
        let stale = yielder.defer_scope(|| yielder.defer(inner.note("scoped")));
        yielder.defer(inner.note("last"));
        assert!(!yielder.disarm(stale));
    });
    assert_eq!(co.resume(()), CoroutineState::Complete(()));
    assert_eq!(log.taken(), ["scoped", "last", "third", "first"]);
    assert_eq!(drops.get(), 1);
}

#[test]
fn a_coroutine_cannot_disarm_the_cleanup_of_another() {
    let (pool, log) = (pool(), Log::default());
    let (other_pool, inner) = (common::pool(), log.clone());
    let mut outer: Co<(), (), ()> = start(&pool, move |outer, ()| {
        let cleanup = outer.defer(inner.note("outer"));
        scope(
            other_pool.acquire().unwrap(),
            |yielder: &Yielder<(), ()>, ()| {
                yielder.defer(inner.note("inner"));
                assert!(!yielder.disarm(cleanup));
            },
            |mut co| co.resume(()).complete(),
        );
    });
    assert_eq!(outer.resume(()), CoroutineState::Complete(()));
    assert_eq!(log.taken(), ["inner", "outer"]);
}

#[test]
fn a_scope_runs_its_own_cleanups_also_after_one_outside_was_disarmed() {
    let (pool, log) = (pool(), Log::default());
    let inner = log.clone();
    let mut co: Co<(), (), ()> = start(&pool, move |yielder, ()| {
        yielder.defer(inner.note("outside"));
        let disarmed = yielder.defer(inner.note("disarmed"));
        yielder.defer_scope(|| {
            yielder.defer(inner.note("inside"));
            assert!(yielder.disarm(disarmed));
        });
        assert_eq!(inner.taken(), ["inside"]);
    });
    assert_eq!(co.resume(()), CoroutineState::Complete(()));
    assert_eq!(log.taken(), ["outside"]);
}

#[test]
fn a_scope_runs_its_own_cleanups_only() {
    let (pool, log) = (pool(), Log::default());
    let inner = log.clone();
    let mut co: Co<(), (), u32> = start(&pool, move |yielder, ()| {
        yielder.defer(inner.note("connection"));
        let mut served = 0;
        for _ in 0..2 {
            served += yielder.defer_scope(|| {
                yielder.defer(inner.note("request"));
                yielder.suspend(());
                1
            });
        }
        let caught = catch_unwind(AssertUnwindSafe(|| {
            yielder.defer_scope(|| {
                yielder.defer(inner.note("failed request"));
                panic!("in a request");
            })
        }));
        assert!(caught.is_err());
        served
    });
    let _ = co.resume(());
    let _ = co.resume(());
    assert_eq!(log.taken(), ["request"]);
    assert_eq!(co.resume(()), CoroutineState::Complete(2));
    assert_eq!(log.taken(), ["request", "failed request", "connection"]);
}

#[test]
fn reset_reuses_stack_and_handle() {
    let pool = pool();
    let (guard, drops) = DropCount::new();
    let mut co: Co<u64, u64, u64> = start(&pool, move |_, first| {
        drop(guard);
        first
    });
    let base = co.stack().base();
    // Fresh: its body is dropped.
    assert!(co.reset(|_, first| first + 1).is_ok());
    assert_eq!(drops.get(), 1);
    // Complete: nothing to do.
    for n in 0..1000 {
        assert_eq!(co.resume(n), CoroutineState::Complete(n + 1));
        assert!(co.reset(|_, first| first + 1).is_ok());
    }
    assert_eq!(co.stack().base(), base);
    assert_eq!(pool.stats().in_use, 1);
}

#[test]
fn reset_gives_the_body_back_if_the_old_one_does_not_end() {
    let pool = pool();
    let mut stubborn: Co<(), u32, ()> = start(&pool, |yielder, ()| {
        for n in 0.. {
            let _ = catch_unwind(AssertUnwindSafe(|| yielder.suspend(n)));
        }
    });
    let _ = stubborn.resume(());
    let (guard, drops) = DropCount::new();
    let body = stubborn.reset(move |_, ()| drop(guard)).unwrap_err();
    assert!(!stubborn.is_complete());
    assert_eq!(stubborn.resume(()), CoroutineState::Yielded(65));
    assert_eq!(drops.get(), 0);
    drop(body);
    assert_eq!(drops.get(), 1);
}
