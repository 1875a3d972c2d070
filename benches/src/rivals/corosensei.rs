use core::arch::asm;
use std::rc::Rc;

use anyhow::Result;
use corosensei::stack::{DefaultStack, Stack, StackPointer};
use corosensei::{Coroutine, CoroutineResult, ScopedCoroutine};

use super::arena::{Arena, ArenaStack};
use crate::coro::{Complete, Prefetch, Resume, Spawn, body};

// SAFETY: `top` is 64-byte aligned, more than 12 KiB above `bottom`, and the memory between them belongs to
// this stack alone and lives as long as the arena that it holds a reference to.
unsafe impl Stack for ArenaStack {
    #[inline]
    fn base(&self) -> StackPointer {
        self.top()
    }

    #[inline]
    fn limit(&self) -> StackPointer {
        // No mapping of the kernel's choice begins at address zero.
        StackPointer::new(self.bottom()).unwrap_or(StackPointer::MIN)
    }
}

impl<S: Stack> Resume for Coroutine<u64, u64, (), S> {
    #[inline(always)]
    fn resume(&mut self, input: u64) -> u64 {
        match Coroutine::resume(self, input) {
            CoroutineResult::Yield(output) => output,
            CoroutineResult::Return(()) => unreachable!("the body loops for ever"),
        }
    }
}

fn coroutine<S: Stack + 'static, const FRAMES: usize, const LINES: usize>(
    stack: S,
    id: u64,
) -> Coroutine<u64, u64, (), S> {
    Coroutine::with_stack(stack, move |yielder, first| {
        body::<FRAMES, LINES>(id, first, |output| yielder.suspend(output));
    })
}

/// corosensei with the stacks of its own: `DefaultStack`, a guarded mapping for each.
pub(crate) struct Corosensei<Stacks>(Stacks);

impl Corosensei<usize> {
    /// Each coroutine on a `DefaultStack` of `stack_bytes`.
    pub(crate) const fn with_default_stacks(stack_bytes: usize) -> Self {
        Self(stack_bytes)
    }
}

impl Spawn for Corosensei<usize> {
    type Coroutine = Coroutine<u64, u64, (), DefaultStack>;

    fn spawn<const FRAMES: usize, const LINES: usize>(&mut self, id: u64) -> Result<Self::Coroutine> {
        Ok(coroutine::<_, FRAMES, LINES>(DefaultStack::new(self.0)?, id))
    }
}

impl Corosensei<(Rc<Arena>, usize)> {
    /// Each coroutine on the next stack of the arena.
    pub(crate) fn on_arena(arena: Arena) -> Self {
        Self((Rc::new(arena), 0))
    }
}

impl Spawn for Corosensei<(Rc<Arena>, usize)> {
    type Coroutine = Coroutine<u64, u64, (), ArenaStack>;

    fn spawn<const FRAMES: usize, const LINES: usize>(&mut self, id: u64) -> Result<Self::Coroutine> {
        let (arena, next) = &mut self.0;
        let stack = arena.stack(*next)?;
        *next += 1;
        Ok(coroutine::<_, FRAMES, LINES>(stack, id))
    }
}

/// As [`Corosensei::on_arena`], for a scheduler that keeps the stack's address beside the coroutine, to prefetch it.
pub(crate) struct CorosenseiPrefetched(Corosensei<(Rc<Arena>, usize)>);

/// A coroutine and the top of its stack.
pub(crate) struct Known {
    coroutine: Coroutine<u64, u64, (), ArenaStack>,
    top: usize,
}

impl CorosenseiPrefetched {
    /// Each coroutine on the next stack of the arena.
    pub(crate) fn on_arena(arena: Arena) -> Self {
        Self(Corosensei::on_arena(arena))
    }
}

impl Spawn for CorosenseiPrefetched {
    type Coroutine = Known;

    fn spawn<const FRAMES: usize, const LINES: usize>(&mut self, id: u64) -> Result<Known> {
        let (arena, next) = &self.0.0;
        let top = arena.stack(*next)?.top().get();
        let coroutine = self.0.spawn::<FRAMES, LINES>(id)?;
        Ok(Known { coroutine, top })
    }
}

impl Resume for Known {
    #[inline(always)]
    fn resume(&mut self, input: u64) -> u64 {
        Resume::resume(&mut self.coroutine, input)
    }
}

impl Prefetch for Known {
    /// The two lines at the top, of which one holds the link to the resumer.
    #[inline(always)]
    fn prefetch(&self) {
        for line in [1, 2] {
            prefetch_line(self.top - 64 * line);
        }
    }
}

/// Starts to fetch a cache line.
#[inline(always)]
fn prefetch_line(address: usize) {
    // SAFETY: a prefetch changes nothing and never faults.
    #[cfg(target_arch = "x86_64")]
    unsafe {
        asm!("prefetcht0 [{}]", in(reg) address, options(readonly, nostack, preserves_flags));
    }
    // SAFETY: as above.
    #[cfg(target_arch = "aarch64")]
    unsafe {
        asm!("prfm pldl1keep, [{}]", in(reg) address, options(readonly, nostack, preserves_flags));
    }
}

/// Creates coroutines on one borrowed stack: corosensei's quickest form.
pub(crate) struct CorosenseiScoped(DefaultStack);

impl CorosenseiScoped {
    pub(crate) fn new() -> Result<Self> {
        Ok(Self(DefaultStack::new(super::arena::STRIDE)?))
    }
}

impl Complete for CorosenseiScoped {
    #[inline(always)]
    fn complete(&mut self, id: u64, input: u64) -> u64 {
        let coroutine =
            ScopedCoroutine::<u64, (), u64, _>::with_stack(&mut self.0, move |_, input| input ^ id);
        coroutine.scope(|mut coroutine| match coroutine.resume(input) {
            CoroutineResult::Return(output) => output,
            CoroutineResult::Yield(()) => unreachable!("it never suspends"),
        })
    }
}

/// Creates coroutines on a stack that each takes and gives back.
pub(crate) struct CorosenseiOwned(Option<DefaultStack>);

impl CorosenseiOwned {
    pub(crate) fn new() -> Result<Self> {
        Ok(Self(Some(DefaultStack::new(super::arena::STRIDE)?)))
    }
}

impl Complete for CorosenseiOwned {
    #[inline(always)]
    fn complete(&mut self, id: u64, input: u64) -> u64 {
        let stack = self
            .0
            .take()
            .expect("the stack comes back at the end of each call");
        let mut coroutine = Coroutine::<u64, (), u64, _>::with_stack(stack, move |_, input| input ^ id);
        let CoroutineResult::Return(output) = coroutine.resume(input) else {
            unreachable!("it never suspends")
        };
        self.0 = Some(coroutine.into_stack());
        output
    }
}
