//! Coroutines that borrow from their caller.

mod common;

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};

use common::{DropCount, pool};
use coro_asm::{CoroutineState, ScopedCoroutine, Yielder, scope};

#[test]
fn borrows_and_changes_what_is_outside() {
    let pool = pool();
    let mut numbers = vec![1, 2, 3];
    let sum = scope(
        pool.acquire().unwrap(),
        |yielder, mut factor| {
            for number in &mut numbers {
                *number *= factor;
                factor = yielder.suspend(*number);
            }
        },
        |mut co| {
            let mut sum = 0;
            while let CoroutineState::Yielded(number) = co.resume(10) {
                sum += number;
            }
            assert!(co.is_complete());
            sum
        },
    );
    assert_eq!((sum, numbers), (60, vec![10, 20, 30]));
    assert_eq!(pool.stats().in_use, 0);
}

#[test]
fn passes_borrowed_values_both_ways() {
    let pool = pool();
    let text = String::from("one two three");
    let words: Vec<&str> = scope(
        pool.acquire().unwrap(),
        |yielder: &Yielder<&str, &str>, first: &str| {
            for word in first.split(' ') {
                yielder.suspend(word);
            }
        },
        |mut co| std::iter::from_fn(|| co.resume(&text).yielded()).collect(),
    );
    assert_eq!(words, ["one", "two", "three"]);
}

#[test]
fn a_suspended_body_ends_with_its_scope() {
    let pool = pool();
    let (guard, drops) = DropCount::new();
    let data = [7; 100];
    scope(
        pool.acquire().unwrap(),
        |yielder, ()| {
            let _guard = guard;
            yielder.suspend(data[99]);
        },
        |mut co| {
            assert_eq!(co.resume(()).yielded(), Some(7));
            // What a safe program could do to keep the body alive.
            std::mem::forget(Box::new(co));
        },
    );
    assert_eq!((drops.get(), pool.stats().in_use), (1, 0));
}

#[test]
fn a_body_that_never_ran_is_dropped() {
    let pool = pool();
    let (guard, drops) = DropCount::new();
    scope(
        pool.acquire().unwrap(),
        move |_: &Yielder<(), ()>, ()| drop(guard),
        |co| assert!(!co.is_started()),
    );
    assert_eq!((drops.get(), pool.stats().in_use), (1, 0));
}

#[test]
fn a_panic_of_the_user_ends_the_body_first() {
    let pool = pool();
    let ended = Cell::new(false);
    struct End<'a>(&'a Cell<bool>);
    impl Drop for End<'_> {
        fn drop(&mut self) {
            self.0.set(true);
        }
    }
    let result = catch_unwind(AssertUnwindSafe(|| {
        scope(
            pool.acquire().unwrap(),
            |yielder, ()| {
                let _end = End(&ended);
                yielder.suspend(());
            },
            |mut co| {
                let _ = co.resume(());
                panic!("the user");
            },
        )
    }));
    assert_eq!(result.unwrap_err().downcast_ref(), Some(&"the user"));
    assert!(ended.get());
    assert_eq!(pool.stats().in_use, 0);
}

#[test]
fn a_panic_of_the_body_reaches_the_user() {
    let pool = pool();
    let result = scope(
        pool.acquire().unwrap(),
        |_: &Yielder<(), ()>, ()| panic!("the body"),
        |mut co: ScopedCoroutine<'_, (), (), (), _>| {
            catch_unwind(AssertUnwindSafe(|| co.resume(())))
                .map_err(|payload| payload.downcast_ref() == Some(&"the body"))
        },
    );
    assert_eq!(result, Err(true));
}

/// The inner body suspends the outer coroutine, so that the outer one is suspended on the inner one's stack.
#[test]
fn an_inner_body_may_suspend_an_outer_coroutine() {
    let pool = pool();
    let (guard, drops) = DropCount::new();
    for finish in [true, false] {
        let guard = guard.clone();
        scope(
            pool.acquire().unwrap(),
            |outer_yielder: &Yielder<u32, u32>, first: u32| {
                scope(
                    pool.acquire().unwrap(),
                    |_: &Yielder<u32, u32>, n: u32| {
                        let _guard = guard;
                        outer_yielder.suspend(n + 1) + outer_yielder.suspend(n + 2)
                    },
                    |mut inner| inner.resume(first).complete(),
                )
            },
            |mut outer| {
                assert_eq!(outer.resume(10), CoroutineState::Yielded(11));
                assert_eq!(outer.resume(3), CoroutineState::Yielded(12));
                if finish {
                    assert_eq!(outer.resume(4), CoroutineState::Complete(Some(7)));
                }
            },
        );
        assert_eq!(pool.stats().in_use, 0);
    }
    assert_eq!(drops.get(), 2);
}

/// The same, the other way round: a body resumes a coroutine of the scope around it.
#[test]
fn a_body_may_resume_its_neighbour() {
    let pool = pool();
    scope(
        pool.acquire().unwrap(),
        |yielder, ()| {
            for n in 0.. {
                yielder.suspend(n);
            }
        },
        |mut numbers| {
            scope(
                pool.acquire().unwrap(),
                |yielder, ()| {
                    while let CoroutineState::Yielded(n) = numbers.resume(()) {
                        yielder.suspend(n * n);
                    }
                },
                |mut squares| {
                    let first: Vec<u32> = (0..4).filter_map(|_| squares.resume(()).yielded()).collect();
                    assert_eq!(first, [0, 1, 4, 9]);
                },
            );
            assert_eq!(numbers.resume(()).yielded(), Some(4));
        },
    );
}

/// Panics when dropped, if it is to.
struct Yielded {
    panics: bool,
}

impl Drop for Yielded {
    fn drop(&mut self) {
        assert!(!self.panics, "the yielded value");
    }
}

#[test]
fn a_panic_of_a_value_that_is_yielded_to_the_end_leaves_no_body_behind() {
    let pool = pool();
    let (guard, drops) = DropCount::new();
    let result = catch_unwind(AssertUnwindSafe(|| {
        scope(
            pool.acquire().unwrap(),
            |yielder, ()| {
                let _guard = guard;
                let first = catch_unwind(AssertUnwindSafe(|| yielder.suspend(Yielded { panics: false })));
                assert!(first.is_err());
                yielder.suspend(Yielded { panics: true });
            },
            |mut co: ScopedCoroutine<'_, (), Yielded, (), _>| drop(co.resume(())),
        );
    }));
    assert_eq!(result.unwrap_err().downcast_ref(), Some(&"the yielded value"));
    assert_eq!((drops.get(), pool.stats().in_use), (1, 0));
}
