//! What several test files share; each uses a part of it.
#![allow(dead_code, reason = "each test binary uses a part of this module")]

use coro_asm::{Coroutine, PooledStack, StackPool, StackPoolConfig, Yielder};

/// A coroutine on a pooled stack.
pub(crate) type Co<I, Y, R> = Coroutine<I, Y, R, PooledStack>;

pub(crate) fn pool() -> StackPool {
    StackPool::new(StackPoolConfig::new(64 * 1024, 64)).expect("a pool of 4 MiB")
}

pub(crate) fn start<I, Y, R, F>(pool: &StackPool, body: F) -> Co<I, Y, R>
where
    I: 'static,
    Y: 'static,
    R: 'static,
    F: FnOnce(&Yielder<I, Y>, I) -> R + 'static,
{
    Coroutine::with_stack(pool.acquire().expect("a stack"), body)
}

/// Counts its drops.
#[derive(Clone, Debug)]
pub(crate) struct DropCount(std::rc::Rc<std::cell::Cell<usize>>);

impl DropCount {
    pub(crate) fn new() -> (Self, std::rc::Rc<std::cell::Cell<usize>>) {
        let count = std::rc::Rc::new(std::cell::Cell::new(0));
        (Self(count.clone()), count)
    }
}

impl Drop for DropCount {
    fn drop(&mut self) {
        self.0.set(self.0.get() + 1);
    }
}
