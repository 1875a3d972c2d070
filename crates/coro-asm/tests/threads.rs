//! Nothing of a coroutine may leave its thread, whatever its types are.

use coro_asm::raw::{Context, Link};
use coro_asm::{
    Coroutine, HeapStack, PooledStack, ScopedCoroutine, Stack, StackError, StackPool, StackPoolConfig,
    StaticStack, Yielder,
};
use static_assertions::{assert_impl_all, assert_not_impl_any};

assert_not_impl_any!(Coroutine<(), (), (), StaticStack>: Send, Sync, Clone);
assert_not_impl_any!(Coroutine<(), (), (), PooledStack>: Send, Sync, Clone);
assert_not_impl_any!(Yielder<(), ()>: Send, Sync, Clone);
assert_not_impl_any!(&Yielder<(), ()>: Send, Sync);
assert_not_impl_any!(ScopedCoroutine<'_, (), (), (), PooledStack>: Send, Sync, Clone);
assert_not_impl_any!(StackPool: Send, Sync, Clone);
assert_not_impl_any!(PooledStack: Send, Sync, Clone);
assert_not_impl_any!(Context: Send, Sync);
assert_not_impl_any!(Link: Send, Sync);
// Forgetting or moving the handle does not touch the frames.
assert_impl_all!(Coroutine<(), (), (), PooledStack>: Unpin);
assert_impl_all!(StackPoolConfig: Send, Sync, Copy);
assert_impl_all!(StackError: Send, Sync, Copy, core::error::Error);
assert_impl_all!(PooledStack: Stack);
assert_impl_all!(HeapStack: Stack);
assert_impl_all!(StaticStack: Stack);

/// Each thread has coroutines of its own.
#[test]
fn threads_do_not_disturb_each_other() {
    let threads: Vec<_> = (0..4_u64)
        .map(|thread| {
            std::thread::spawn(move || {
                let pool = StackPool::new(StackPoolConfig::new(32 * 1024, 8)).unwrap();
                let mut sums: Vec<_> = (0..8)
                    .map(|number| {
                        Coroutine::with_stack(pool.acquire().unwrap(), move |yielder, first: u64| {
                            let mut sum = first + thread * 100 + number;
                            loop {
                                sum += yielder.suspend(sum);
                            }
                        })
                    })
                    .collect();
                for round in 0..1000_u64 {
                    for (number, co) in sums.iter_mut().enumerate() {
                        let state: coro_asm::CoroutineState<u64, ()> = co.resume(1);
                        assert_eq!(state.yielded(), Some(thread * 100 + number as u64 + round + 1));
                    }
                }
            })
        })
        .collect();
    for thread in threads {
        thread.join().unwrap();
    }
}
