//! Rivals that come as a library or have no library at all: each brought to the subject's own trait.

mod arena;
mod corosensei;
mod epoll_floor;
mod future;
mod generator;
mod ucontext;

pub(crate) use arena::Arena;
pub(crate) use corosensei::{Corosensei, CorosenseiOwned, CorosenseiPrefetched, CorosenseiScoped};
pub(crate) use epoll_floor::serve as serve_epoll_floor;
pub(crate) use future::BoxedFuture;
pub(crate) use generator::{Generator, GeneratorReused};
pub(crate) use ucontext::{Ucontext, UcontextPooled, UcontextTask, UcontextTasks};
