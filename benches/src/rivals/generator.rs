use anyhow::Result;
use generator::Gn;

use crate::coro::{Complete, Resume, Spawn, body};

type Running = generator::Generator<'static, u64, u64>;

impl Resume for Running {
    #[inline(always)]
    fn resume(&mut self, input: u64) -> u64 {
        match self.raw_send(Some(input)) {
            Some(output) => output,
            None => unreachable!("the body loops for ever"),
        }
    }
}

/// The `generator` crate, which the `may` runtime stands on.
pub(crate) struct Generator {
    stack_bytes: usize,
}

impl Generator {
    /// Each on a guarded mapping of `stack_bytes`.
    pub(crate) const fn new(stack_bytes: usize) -> Self {
        Self { stack_bytes }
    }
}

impl Spawn for Generator {
    type Coroutine = Running;

    fn spawn<const FRAMES: usize, const LINES: usize>(&mut self, id: u64) -> Result<Running> {
        Ok(Gn::<u64>::new_scoped_opt(
            self.stack_bytes / size_of::<usize>(),
            move |mut scope| {
                let first = scope.get_yield().unwrap_or_default();
                body::<FRAMES, LINES>(id, first, |output| scope.yield_(output).unwrap_or_default())
            },
        ))
    }
}

/// One finished generator given a new body each time, as `may` reuses them.
pub(crate) struct GeneratorReused(Running);

impl GeneratorReused {
    /// A generator that has finished once.
    pub(crate) fn new() -> Self {
        let mut generator: Running = Gn::<u64>::new_scoped(|mut scope| scope.get_yield().unwrap_or_default());
        generator.raw_send(Some(0));
        Self(generator)
    }
}

impl Default for GeneratorReused {
    fn default() -> Self {
        Self::new()
    }
}

impl Complete for GeneratorReused {
    #[inline(always)]
    fn complete(&mut self, id: u64, input: u64) -> u64 {
        self.0
            .scoped_init(move |mut scope| scope.get_yield().unwrap_or_default() ^ id);
        self.0.raw_send(Some(input)).unwrap_or_default()
    }
}
