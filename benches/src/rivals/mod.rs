//! Rivals that come as a library or have no library at all: each brought to the subject's own trait.

mod arena;
mod corosensei;
mod future;
mod generator;
mod ucontext;

pub(crate) use arena::Arena;
pub(crate) use corosensei::{Corosensei, CorosenseiOwned, CorosenseiScoped};
pub(crate) use future::BoxedFuture;
pub(crate) use generator::{Generator, GeneratorReused};
pub(crate) use ucontext::{Ucontext, UcontextPooled};
