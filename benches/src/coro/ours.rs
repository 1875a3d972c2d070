use anyhow::Result;
use coro_asm::{Coroutine, CoroutineState, PooledStack, StackPool, StackPoolConfig};

use super::contestant::STACK_BYTES;
use super::{Complete, Resume, Spawn, body};

/// `coro-asm` on its own pool: guarded, coloured stacks.
pub(super) struct CoroAsm(StackPool);

impl CoroAsm {
    /// A pool of up to `count` stacks.
    pub(super) fn new(count: usize) -> Result<Self> {
        Ok(Self(StackPool::new(StackPoolConfig::new(STACK_BYTES, count))?))
    }
}

impl Resume for Coroutine<u64, u64, (), PooledStack> {
    #[inline(always)]
    fn resume(&mut self, input: u64) -> u64 {
        match Coroutine::resume(self, input) {
            CoroutineState::Yielded(output) => output,
            CoroutineState::Complete(()) => unreachable!("the body loops for ever"),
        }
    }
}

impl Spawn for CoroAsm {
    type Coroutine = Coroutine<u64, u64, (), PooledStack>;

    fn spawn<const FRAMES: usize>(&mut self, id: u64) -> Result<Self::Coroutine> {
        Ok(Coroutine::with_stack(self.0.acquire()?, move |yielder, first| {
            body::<FRAMES>(id, first, |output| yielder.suspend(output));
        }))
    }
}

impl Complete for CoroAsm {
    #[inline(always)]
    fn complete(&mut self, id: u64, input: u64) -> u64 {
        let stack = self
            .0
            .acquire()
            .expect("the stack comes back at the end of each call");
        let mut coroutine = Coroutine::<u64, (), u64, _>::with_stack(stack, move |_, input| input ^ id);
        match coroutine.resume(input) {
            CoroutineState::Complete(output) => output,
            CoroutineState::Yielded(()) => unreachable!("it never suspends"),
        }
    }
}
