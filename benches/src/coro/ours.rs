use anyhow::Result;
use coro_asm::{Coroutine, CoroutineState, PooledStack, StackPool, StackPoolConfig};

use super::contestant::STACK_BYTES;
use super::{Complete, Prefetch, Resume, Spawn, body};

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

impl Prefetch for Coroutine<u64, u64, (), PooledStack> {
    #[inline(always)]
    fn prefetch(&self) {
        Coroutine::prefetch(self);
    }
}

impl Spawn for CoroAsm {
    type Coroutine = Coroutine<u64, u64, (), PooledStack>;

    fn spawn<const FRAMES: usize, const LINES: usize>(&mut self, id: u64) -> Result<Self::Coroutine> {
        Ok(Coroutine::with_stack(self.0.acquire()?, move |yielder, first| {
            body::<FRAMES, LINES>(id, first, |output| yielder.suspend(output));
        }))
    }
}

/// Takes a stack out of the pool for each coroutine, which returns it.
impl Complete for CoroAsm {
    #[inline(always)]
    fn complete(&mut self, id: u64, input: u64) -> u64 {
        let stack = self
            .0
            .acquire()
            .expect("the stack comes back at the end of each call");
        let mut coroutine = Completing::with_stack(stack, move |_, input| input ^ id);
        result(coroutine.resume(input))
    }
}

type Completing = Coroutine<u64, (), u64, PooledStack>;

fn result(state: CoroutineState<(), u64>) -> u64 {
    match state {
        CoroutineState::Complete(output) => output,
        CoroutineState::Yielded(()) => unreachable!("it never suspends"),
    }
}

/// Keeps one coroutine and gives it a new body each time.
pub(super) struct CoroAsmReset(Completing);

impl CoroAsmReset {
    pub(super) fn new() -> Result<Self> {
        let stack = CoroAsm::new(1)?.0.acquire()?;
        let mut coroutine = Completing::with_stack(stack, |_, input| input);
        result(coroutine.resume(0));
        Ok(Self(coroutine))
    }
}

impl Complete for CoroAsmReset {
    #[inline(always)]
    fn complete(&mut self, id: u64, input: u64) -> u64 {
        let accepted = self.0.reset(move |_, input| input ^ id);
        debug_assert!(accepted.is_ok(), "the coroutine is complete");
        result(self.0.resume(input))
    }
}

/// Makes each coroutine on a stack that it takes and gives back.
pub(super) struct CoroAsmOwned(Option<PooledStack>);

impl CoroAsmOwned {
    pub(super) fn new() -> Result<Self> {
        Ok(Self(Some(CoroAsm::new(1)?.0.acquire()?)))
    }
}

impl Complete for CoroAsmOwned {
    #[inline(always)]
    fn complete(&mut self, id: u64, input: u64) -> u64 {
        let stack = self
            .0
            .take()
            .expect("the stack comes back at the end of each call");
        let mut coroutine = Completing::with_stack(stack, move |_, input| input ^ id);
        let output = result(coroutine.resume(input));
        self.0 = coroutine.into_stack().ok();
        output
    }
}
