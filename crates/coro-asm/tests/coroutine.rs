//! The typed coroutine: values, ends, panics and drops.

mod common;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr::NonNull;
use std::rc::Rc;

use common::{Co, DropCount, pool, start};
use coro_asm::raw::{self, Context, Link, Word};
use coro_asm::{ControlRecord, Coroutine, CoroutineState, HeapStack, Stack};

#[test]
fn generates_fibonacci_numbers() {
    let pool = pool();
    let mut fibonacci: Co<(), u64, ()> = start(&pool, |yielder, ()| {
        let (mut a, mut b) = (0, 1);
        for _ in 0..10 {
            yielder.suspend(a);
            (a, b) = (b, a + b);
        }
    });
    let mut numbers = Vec::new();
    while let CoroutineState::Yielded(number) = fibonacci.resume(()) {
        numbers.push(number);
    }
    assert_eq!(numbers, [0, 1, 1, 2, 3, 5, 8, 13, 21, 34]);
    assert!(fibonacci.is_complete());
}

#[test]
fn passes_values_of_every_size_both_ways() {
    fn echo<T: Clone + PartialEq + std::fmt::Debug + 'static>(values: &[T]) {
        let pool = pool();
        let mut echo: Co<Option<T>, T, &'static str> = start(&pool, |yielder, first: Option<T>| {
            let mut next = first;
            while let Some(value) = next {
                next = yielder.suspend(value);
            }
            "end"
        });
        for value in values {
            assert_eq!(
                echo.resume(Some(value.clone())),
                CoroutineState::Yielded(value.clone())
            );
        }
        assert_eq!(echo.resume(None), CoroutineState::Complete("end"));
    }
    echo(&[(), ()]);
    echo(&[1_u8, 255]);
    echo(&[[1_u8, 2, 3], [4, 5, 6]]);
    echo(&[u64::MAX, 0]);
    echo(&[u128::MAX, 1]);
    echo(&[[7_u64; 100], [8; 100]]);
    echo(&[String::from("a string on the heap"), String::new()]);
    echo(&[Box::new(5_i32), Box::new(-5)]);
    echo(&[1.5_f64, f64::INFINITY]);
}

#[test]
fn a_body_larger_than_a_word_and_aligned_to_a_line_survives_the_move() {
    #[repr(align(128))]
    struct Wide([u64; 16]);
    let wide = Wide(core::array::from_fn(|i| i as u64));
    let pool = pool();
    let mut sum: Co<(), (), u64> = start(&pool, move |_, ()| {
        let wide = wide;
        assert_eq!((&raw const wide).addr() % 128, 0);
        wide.0.iter().sum()
    });
    assert_eq!(sum.resume(()), CoroutineState::Complete(120));
}

#[test]
fn a_result_more_aligned_than_the_stack_survives() {
    #[derive(Debug, PartialEq)]
    #[repr(align(256))]
    struct Wide(u8);
    let pool = pool();
    let mut make: Co<(), (), Wide> = start(&pool, |_, ()| Wide(9));
    assert_eq!(make.resume(()), CoroutineState::Complete(Wide(9)));
}

#[test]
fn nests() {
    fn depth(level: u32) -> u32 {
        if level == 0 {
            return 0;
        }
        let pool = pool();
        let mut inner: Co<u32, u32, u32> = start(&pool, move |yielder, first| {
            let below = depth(level - 1);
            let second = yielder.suspend(first + 1);
            second + below
        });
        assert_eq!(inner.resume(10), CoroutineState::Yielded(11));
        match inner.resume(1) {
            CoroutineState::Complete(sum) => sum,
            CoroutineState::Yielded(_) => unreachable!(),
        }
    }
    assert_eq!(depth(50), 50);
}

#[test]
fn a_coroutine_may_be_resumed_from_another_one_than_before() {
    let pool = Rc::new(pool());
    let mut shared: Co<(), u32, ()> = start(&pool, |yielder, ()| {
        for n in 0.. {
            yielder.suspend(n);
        }
    });
    assert_eq!(shared.resume(()), CoroutineState::Yielded(0));
    let mut outer: Co<(), u32, Co<(), u32, ()>> = start(&pool, move |yielder, ()| {
        for _ in 0..3 {
            let CoroutineState::Yielded(n) = shared.resume(()) else {
                unreachable!()
            };
            yielder.suspend(n);
        }
        shared
    });
    for n in 1..4 {
        assert_eq!(outer.resume(()).yielded(), Some(n));
    }
    let CoroutineState::Complete(mut shared) = outer.resume(()) else {
        unreachable!()
    };
    assert_eq!(shared.resume(()), CoroutineState::Yielded(4));
}

#[test]
fn a_million_and_more_switches_keep_count() {
    let pool = pool();
    let mut adder: Co<u64, u64, u64> = start(&pool, |yielder, first| {
        let mut sum = first;
        while sum < u64::MAX / 2 {
            sum += yielder.suspend(sum);
        }
        sum
    });
    let mut expected = 0;
    for n in 0..1_000_000 {
        expected += n;
        assert_eq!(adder.resume(n), CoroutineState::Yielded(expected));
    }
    assert_eq!(
        adder.resume(u64::MAX / 2),
        CoroutineState::Complete(expected + u64::MAX / 2)
    );
}

#[test]
#[should_panic(expected = "cannot resume a coroutine that is complete")]
fn resuming_a_complete_coroutine_panics() {
    let pool = pool();
    let mut done: Co<(), (), ()> = start(&pool, |_, ()| ());
    let _ = done.resume(());
    let _ = done.resume(());
}

#[test]
fn a_panic_reaches_the_resumer_with_its_payload() {
    let pool = pool();
    let (guard, drops) = DropCount::new();
    let mut fails: Co<(), (), ()> = start(&pool, move |yielder, ()| {
        let _guard = guard;
        yielder.suspend(());
        panic!("wheel number {} fell off", std::hint::black_box(3));
    });
    let _ = fails.resume(());
    let payload = catch_unwind(AssertUnwindSafe(|| fails.resume(()))).unwrap_err();
    assert_eq!(
        payload.downcast_ref::<String>().unwrap(),
        "wheel number 3 fell off"
    );
    assert_eq!(drops.get(), 1);
    assert!(fails.is_complete());
    assert!(!std::thread::panicking());
    drop(fails);
    assert_eq!(pool.stats().in_use, 0);
}

#[test]
fn a_panic_passes_through_nested_coroutines() {
    let pool = Rc::new(pool());
    let inner_pool = pool.clone();
    let mut outer: Co<(), (), ()> = start(&pool, move |_, ()| {
        let mut inner: Co<(), (), ()> = start(&inner_pool, |_, ()| std::panic::panic_any(77_u32));
        let _ = inner.resume(());
    });
    let payload = catch_unwind(AssertUnwindSafe(|| outer.resume(()))).unwrap_err();
    assert_eq!(payload.downcast_ref::<u32>(), Some(&77));
    drop(outer);
    assert_eq!(pool.stats().in_use, 0);
}

#[test]
fn dropping_a_suspended_coroutine_runs_its_destructors() {
    let pool = pool();
    let (guard, drops) = DropCount::new();
    let mut waits: Co<(), (), ()> = start(&pool, move |yielder, ()| {
        let _outer = guard.clone();
        let frame = |guard: DropCount| {
            let _inner = guard;
            yielder.suspend(());
        };
        frame(guard);
    });
    let _ = waits.resume(());
    assert_eq!((drops.get(), pool.stats().in_use), (0, 1));
    drop(waits);
    assert_eq!((drops.get(), pool.stats().in_use), (2, 0));
    assert!(!std::thread::panicking());
}

#[test]
fn dropping_unwinds_nested_suspended_coroutines() {
    let pool = Rc::new(pool());
    let inner_pool = pool.clone();
    let (guard, drops) = DropCount::new();
    let mut outer: Co<(), (), ()> = start(&pool, move |yielder, ()| {
        let inner_guard = guard.clone();
        let mut inner: Co<(), (), ()> = start(&inner_pool, move |yielder, ()| {
            let _guard = inner_guard;
            yielder.suspend(());
        });
        let _ = inner.resume(());
        let _guard = guard;
        yielder.suspend(());
    });
    let _ = outer.resume(());
    assert_eq!(pool.stats().in_use, 2);
    drop(outer);
    assert_eq!((drops.get(), pool.stats().in_use), (2, 0));
}

#[test]
fn a_coroutine_may_be_dropped_while_its_owner_panics() {
    let pool = pool();
    let (guard, drops) = DropCount::new();
    let result = catch_unwind(AssertUnwindSafe(|| {
        let mut waits: Co<(), (), ()> = start(&pool, move |yielder, ()| {
            let _guard = guard;
            yielder.suspend(());
        });
        let _ = waits.resume(());
        panic!("the owner");
    }));
    assert_eq!(result.unwrap_err().downcast_ref::<&str>(), Some(&"the owner"));
    assert_eq!((drops.get(), pool.stats().in_use), (1, 0));
}

#[test]
fn a_body_that_survives_the_unwinding_may_return() {
    let pool = pool();
    let (guard, drops) = DropCount::new();
    let mut catches: Co<(), (), DropCount> = start(&pool, move |yielder, ()| {
        assert!(catch_unwind(AssertUnwindSafe(|| yielder.suspend(()))).is_err());
        guard
    });
    let _ = catches.resume(());
    drop(catches);
    assert_eq!((drops.get(), pool.stats().in_use), (1, 0));
}

#[test]
fn a_body_that_never_ends_is_given_up_with_its_stack() {
    let pool = pool();
    let mut stubborn: Co<(), (), ()> = start(&pool, |yielder, ()| {
        loop {
            let _ = catch_unwind(AssertUnwindSafe(|| yielder.suspend(())));
        }
    });
    let _ = stubborn.resume(());
    drop(stubborn);
    assert_eq!(pool.stats().in_use, 1);
}

#[test]
fn a_panic_during_the_unwinding_leaves_the_drop() {
    let pool = pool();
    let mut catches: Co<(), (), ()> = start(&pool, move |yielder, ()| {
        let _ = catch_unwind(AssertUnwindSafe(|| yielder.suspend(())));
        panic!("second thoughts");
    });
    let _ = catches.resume(());
    let payload = catch_unwind(AssertUnwindSafe(|| drop(catches))).unwrap_err();
    assert_eq!(payload.downcast_ref::<&str>(), Some(&"second thoughts"));
    assert_eq!(pool.stats().in_use, 0);
}

#[test]
fn dropping_one_that_never_ran_drops_its_body() {
    let pool = pool();
    let (guard, drops) = DropCount::new();
    let fresh: Co<(), (), ()> = start(&pool, move |_, ()| drop(guard));
    assert!(!fresh.is_started());
    drop(fresh);
    assert_eq!((drops.get(), pool.stats().in_use), (1, 0));
}

#[test]
fn dropping_one_that_is_complete_drops_nothing_twice() {
    let pool = pool();
    let (guard, drops) = DropCount::new();
    let mut done: Co<(), (), DropCount> = start(&pool, move |_, ()| guard);
    let returned = done.resume(());
    drop(done);
    assert_eq!((drops.get(), pool.stats().in_use), (0, 0));
    drop(returned);
    assert_eq!(drops.get(), 1);
}

#[test]
fn the_stack_comes_back_unless_suspended() {
    let pool = pool();
    let (guard, drops) = DropCount::new();
    let fresh: Co<(), (), ()> = start(&pool, move |_, ()| drop(guard));
    let stack = fresh.into_stack().unwrap();
    assert_eq!(drops.get(), 1);
    let mut waits: Co<u32, (), u32> = Coroutine::with_stack(stack, |yielder, a| a + yielder.suspend(()));
    let _ = waits.resume(1);
    let mut waits = waits.into_stack().unwrap_err();
    assert_eq!(waits.resume(2), CoroutineState::Complete(3));
    let base = waits.stack().base();
    assert_eq!(waits.into_stack().unwrap().base(), base);
}

#[test]
fn runs_on_a_heap_stack() {
    // SAFETY: 256 KiB are plenty for this body, in a debug build too.
    let stack = unsafe { HeapStack::new(256 * 1024) };
    let mut greeting: Coroutine<&str, usize, String, _> =
        Coroutine::with_stack(stack, |yielder, name: &str| {
            let punctuation = yielder.suspend(name.len());
            format!("hello, {name}{punctuation}")
        });
    assert_eq!(greeting.resume("fish"), CoroutineState::Yielded(4));
    assert_eq!(
        greeting.resume("!"),
        CoroutineState::Complete("hello, fish!".into())
    );
}

#[test]
fn a_stack_too_small_is_refused_with_its_size() {
    // SAFETY: nothing runs on it.
    let stack = unsafe { HeapStack::new(256) };
    let (guard, drops) = DropCount::new();
    let result = catch_unwind(AssertUnwindSafe(|| {
        let _: Coroutine<(), (), (), _> = Coroutine::with_stack(stack, move |_, ()| drop(guard));
    }));
    let message = *result.unwrap_err().downcast::<String>().unwrap();
    assert!(message.contains("on a stack of 256 bytes"), "{message}");
    assert_eq!(drops.get(), 1);
}

#[test]
fn the_handle_is_three_words_with_a_niche() {
    assert_eq!(size_of::<Co<u64, u64, u64>>(), 24);
    assert_eq!(size_of::<Option<Co<u64, u64, u64>>>(), 24);
}

/// A stack whose record is apart from it.
struct WithRecord {
    stack: HeapStack,
    record: NonNull<ControlRecord>,
}

impl WithRecord {
    fn new(size: usize) -> Self {
        Self {
            // SAFETY: the bodies below need a fraction of this, in a debug build too.
            stack: unsafe { HeapStack::new(size) },
            record: NonNull::from(Box::leak(Box::new(ControlRecord::new()))),
        }
    }
}

impl Drop for WithRecord {
    fn drop(&mut self) {
        // SAFETY: it came from `Box::leak` and is freed once.
        drop(unsafe { Box::from_raw(self.record.as_ptr()) });
    }
}

// SAFETY: the heap stack's promises hold for it here, too. The record is an allocation of its own, which lives until the drop.
unsafe impl Stack for WithRecord {
    fn base(&self) -> NonNull<u8> {
        self.stack.base()
    }

    fn limit(&self) -> NonNull<u8> {
        self.stack.limit()
    }

    fn record(&self) -> Option<NonNull<ControlRecord>> {
        Some(self.record)
    }
}

#[test]
fn a_record_may_stand_apart_from_the_stack() {
    #[repr(align(128))]
    struct Aligned(u64);
    let (guard, drops) = DropCount::new();
    let body = Aligned(5);
    let mut co = Coroutine::with_stack(WithRecord::new(256 * 1024), move |yielder, n: u64| {
        let _guard = guard;
        let Aligned(more) = { body };
        let n = yielder.suspend(n + more);
        yielder.suspend(n * 2);
        n
    });
    assert_eq!(co.resume(1), CoroutineState::Yielded(6));
    assert_eq!(co.resume(4), CoroutineState::Yielded(8));
    assert_eq!(co.resume(0), CoroutineState::Complete(4));
    assert_eq!(drops.get(), 1);
    let (guard, drops) = DropCount::new();
    let accepted = co.reset(move |yielder, n| {
        let _guard = guard;
        yielder.suspend(n);
        panic!("never reached")
    });
    assert!(accepted.is_ok());
    assert_eq!(co.resume(7), CoroutineState::Yielded(7));
    drop(co);
    assert_eq!(drops.get(), 1);
}

#[test]
fn a_record_apart_leaves_the_whole_stack_to_frames() {
    // Enough for frames, and for nothing else.
    let co: Coroutine<(), (), u8, _> = Coroutine::with_stack(WithRecord::new(528), |_, ()| 1);
    co.prefetch();
    assert!(!co.is_started());
    let result = catch_unwind(|| {
        let _: Coroutine<(), (), u8, _> = Coroutine::with_stack(WithRecord::new(512), |_, ()| 1);
    });
    let message = *result.unwrap_err().downcast::<String>().unwrap();
    assert!(message.contains("on a stack of 512 bytes"), "{message}");
    // Its drop would call code on that stack.
    std::mem::forget(co);
}

#[test]
fn prefetching_changes_nothing_in_any_state() {
    let pool = pool();
    let mut co: Co<u32, u32, u32> = start(&pool, |yielder, n| yielder.suspend(n + 1) + 1);
    co.prefetch();
    assert!(!co.is_started());
    assert_eq!(co.resume(1), CoroutineState::Yielded(2));
    co.prefetch();
    assert_eq!(co.resume(5), CoroutineState::Complete(6));
    co.prefetch();
    assert!(co.is_complete());
}

#[test]
fn prefetching_memory_that_is_gone_does_not_fault() {
    unsafe extern "C" fn entry(value: Word, _: NonNull<Link>, _: usize) -> Word {
        value
    }
    let pool = pool();
    let base = pool.acquire().unwrap().base();
    // SAFETY: the stack is the pool's alone, and the context is never resumed.
    let context = unsafe { Context::new(base, entry) };
    drop(pool);
    raw::prefetch(context, base);
}

#[test]
fn debug_names_the_state() {
    let pool = pool();
    let mut co: Co<(), (), ()> = start(&pool, |yielder, ()| yielder.suspend(()));
    assert!(format!("{co:?}").contains("fresh"));
    let _ = co.resume(());
    assert!(format!("{co:?}").contains("suspended"));
    let _ = co.resume(());
    assert!(format!("{co:?}").contains("complete"));
}
