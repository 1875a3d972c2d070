//! Random programs, run by coroutines and by a plain state machine.

mod common;

use common::{Co, start};
use coro_asm::{CoroutineState, StackPool, StackPoolConfig};
use proptest::prelude::*;

/// What a coroutine does with each input that it gets.
#[derive(Clone, Debug)]
enum Step {
    /// Adds the input to its sum and yields that.
    Add,
    /// Yields the input turned around, from so many frames below.
    Deep(u8),
    /// Runs a coroutine of its own for so many steps and yields what they sum up to.
    Nest(u8),
}

/// What happens to a set of coroutines.
#[derive(Clone, Debug)]
enum Action {
    Spawn(Vec<Step>),
    Resume(usize, u64),
    Drop(usize),
    Trim,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        Just(Step::Add),
        (0..20_u8).prop_map(Step::Deep),
        (0..5_u8).prop_map(Step::Nest)
    ]
}

fn action() -> impl Strategy<Value = Action> {
    prop_oneof![
        2 => prop::collection::vec(step(), 0..8).prop_map(Action::Spawn),
        10 => (any::<usize>(), any::<u64>()).prop_map(|(i, v)| Action::Resume(i, v)),
        1 => any::<usize>().prop_map(Action::Drop),
        1 => Just(Action::Trim),
    ]
}

/// The state machine: the same steps without a stack.
struct Model {
    steps: Vec<Step>,
    next: usize,
    sum: u64,
}

impl Model {
    fn resume(&mut self, input: u64) -> CoroutineState<u64, u64> {
        let Some(step) = self.steps.get(self.next) else {
            return CoroutineState::Complete(self.sum ^ input);
        };
        self.next += 1;
        CoroutineState::Yielded(match step {
            Step::Add => {
                self.sum = self.sum.wrapping_add(input);
                self.sum
            }
            Step::Deep(_) => input.reverse_bits(),
            Step::Nest(count) => (0..u64::from(*count)).fold(0, |sum, n| sum.wrapping_add(input ^ n)),
        })
    }
}

fn deep(level: u8, f: &dyn Fn() -> u64) -> u64 {
    if level == 0 {
        f()
    } else {
        std::hint::black_box(deep(level - 1, f))
    }
}

fn spawn(pool: &'static StackPool, steps: Vec<Step>) -> Co<u64, u64, u64> {
    start(pool, move |yielder, first| {
        let mut input = first;
        let mut sum = 0_u64;
        for step in steps {
            input = match step {
                Step::Add => {
                    sum = sum.wrapping_add(input);
                    yielder.suspend(sum)
                }
                Step::Deep(level) => deep(level, &|| yielder.suspend(input.reverse_bits())),
                Step::Nest(count) => {
                    let mut inner: Co<u64, u64, ()> = start(pool, move |yielder, mut n| {
                        for _ in 0..count {
                            n = yielder.suspend(input ^ n);
                        }
                    });
                    let mut total = 0_u64;
                    for n in 0.. {
                        match inner.resume(n) {
                            CoroutineState::Yielded(value) => total = total.wrapping_add(value),
                            CoroutineState::Complete(()) => break,
                        }
                    }
                    yielder.suspend(total)
                }
            };
        }
        sum ^ input
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: if cfg!(target_arch = "aarch64") { 32 } else { 256 }, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn coroutines_do_what_the_state_machine_does(actions in prop::collection::vec(action(), 1..100)) {
        let pool: &'static StackPool = Box::leak(Box::new(StackPool::new(StackPoolConfig::new(32 * 1024, 256)).unwrap()));
        let mut running: Vec<(Co<u64, u64, u64>, Model)> = Vec::new();
        for action in actions {
            match action {
                Action::Spawn(steps) => {
                    running.push((spawn(pool, steps.clone()), Model { steps, next: 0, sum: 0 }));
                }
                Action::Resume(index, value) if !running.is_empty() => {
                    let index = index % running.len();
                    let (coroutine, model) = &mut running[index];
                    let expected = model.resume(value);
                    prop_assert_eq!(coroutine.resume(value), expected);
                    if matches!(expected, CoroutineState::Complete(_)) {
                        prop_assert!(coroutine.is_complete());
                        running.swap_remove(index);
                    }
                }
                Action::Drop(index) if !running.is_empty() => {
                    running.swap_remove(index % running.len());
                }
                Action::Trim => pool.trim(),
                Action::Resume(..) | Action::Drop(_) => {}
            }
        }
        drop(running);
        prop_assert_eq!(pool.stats().in_use, 0);
        // SAFETY: it came from `Box::leak`, and every coroutine is gone.
        drop(unsafe { Box::from_raw(std::ptr::from_ref(pool).cast_mut()) });
    }
}
