use anyhow::Result;

use super::Spawn;
use super::contestant::STACK_BYTES;
use super::ours::CoroAsm;
use crate::rivals::{Arena, BoxedFuture, Corosensei, Generator, Ucontext};

/// Whose coroutines a process of its own runs.
#[derive(Clone, Copy, Debug, Eq, PartialEq, clap::ValueEnum)]
#[value(rename_all = "snake_case")]
pub enum Candidate {
    /// Ours on its pool of guarded stacks.
    CoroAsm,
    /// corosensei on stacks of its own.
    Corosensei,
    /// corosensei on one mapping, without guards.
    CorosenseiArena,
    /// corosensei on one mapping with coloured stack tops, without guards.
    CorosenseiColoured,
    /// The `generator` crate.
    Generator,
    /// The C library's contexts on one mapping, without guards.
    Ucontext,
    /// Boxed futures.
    Future,
}

/// What is done with a candidate's spawner, whatever its type.
pub(super) trait Visit {
    type Output;

    fn visit<S: Spawn>(self, spawner: S) -> Result<Self::Output>;
}

impl Candidate {
    /// The name in keys and on command lines.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::CoroAsm => "coro_asm",
            Self::Corosensei => "corosensei",
            Self::CorosenseiArena => "corosensei_arena",
            Self::CorosenseiColoured => "corosensei_coloured",
            Self::Generator => "generator",
            Self::Ucontext => "ucontext",
            Self::Future => "future",
        }
    }

    /// Hands a spawner for up to `count` coroutines to `visit`.
    pub(super) fn visit<V: Visit>(self, count: usize, visit: V) -> Result<V::Output> {
        match self {
            Self::CoroAsm => visit.visit(CoroAsm::new(count)?),
            Self::Corosensei => visit.visit(Corosensei::with_default_stacks(STACK_BYTES)),
            Self::CorosenseiArena => visit.visit(Corosensei::on_arena(Arena::new(count, false)?)),
            Self::CorosenseiColoured => visit.visit(Corosensei::on_arena(Arena::new(count, true)?)),
            Self::Generator => visit.visit(Generator::new(STACK_BYTES)),
            Self::Ucontext => visit.visit(Ucontext::on_arena(Arena::new(count, false)?)),
            Self::Future => visit.visit(BoxedFuture::new()),
        }
    }
}
