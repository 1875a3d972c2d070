//! Memory that coroutines run on.

use core::ptr::NonNull;

#[cfg(feature = "std")]
#[cfg_attr(any(miri, coro_asm_threads), path = "arena_allocated.rs")]
mod arena;
#[cfg(feature = "std")]
mod error;
#[cfg(feature = "std")]
mod guard;
#[cfg(feature = "alloc")]
mod heap;
#[cfg(feature = "std")]
mod overflow;
#[cfg(feature = "std")]
mod pool;
mod record;
mod r#static;

#[cfg(feature = "std")]
pub use self::error::StackError;
#[cfg(feature = "std")]
pub use self::guard::GuardKind;
#[cfg(feature = "alloc")]
pub use self::heap::HeapStack;
#[cfg(feature = "std")]
pub use self::pool::{PoolStats, PooledStack, StackPool, StackPoolConfig};
pub use self::record::ControlRecord;
pub use self::r#static::StaticStack;

/// The alignment of a stack's base, in bytes, on both architectures.
pub(crate) const ALIGNMENT: usize = 16;

/// Memory for one coroutine at a time, which grows downwards from [`base`](Self::base).
///
/// # Safety
/// - `base` and `limit` give the same addresses for the whole life of the value, wherever it is moved.
/// - `base` is aligned to 16 bytes and not below `limit`.
/// - The bytes from `limit` up to `base` are readable and writable, and nothing but the coroutine that
///   holds the value uses them, until the value is dropped. **If it is never dropped, they stay so for the rest of the
///   program**: forgetting a suspended coroutine is safe, and its frames may be pinned.
///   So a stack in borrowed memory needs a `'static` borrow.
/// - All of this is true of what `record` gives, too, if it gives something.
/// - A write below `limit` either lies in memory that nothing else uses or traps, so far down as code without stack
///   probes may reach, which is one page. (Rust probes each page of a large frame.) A stack without a trap
///   must come from an `unsafe` constructor that has the caller answer for the depth.
/// - `base` is above `limit` by at least [`LEAST_ROOM`](Self::LEAST_ROOM) bytes.
pub unsafe trait Stack {
    /// The least bytes that such a stack has, whatever its configuration. A body that fits needs no check when it is started.
    const LEAST_ROOM: usize = 0;

    /// The highest address, one past the last usable byte.
    fn base(&self) -> NonNull<u8>;

    /// The lowest usable address.
    fn limit(&self) -> NonNull<u8>;

    /// Where the coroutine's control record is to be, if not at the top of the stack: always the same place, for this stack alone.
    ///
    /// A switch touches the record and nothing else. Where those of many stacks stand side by side, a thousand of them share
    /// 16 pages and their address translations, and a stack is touched only for what its body does.
    #[inline(always)]
    fn record(&self) -> Option<NonNull<ControlRecord>> {
        None
    }
}
