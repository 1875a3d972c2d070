#![no_std]
#![doc = include_str!("../README.md")]
#![deny(
    clippy::std_instead_of_core,
    clippy::std_instead_of_alloc,
    clippy::alloc_instead_of_core
)]
#![warn(clippy::cast_possible_truncation)]

#[cfg(feature = "alloc")]
extern crate alloc;
#[cfg(feature = "std")]
extern crate std;

mod arch;
#[cfg(feature = "alloc")]
mod buffer;
#[cfg(feature = "alloc")]
mod completion;
#[cfg(feature = "alloc")]
mod descriptor;
mod executor;
mod flags;
#[cfg(feature = "alloc")]
mod memory;
#[cfg(feature = "alloc")]
mod operation;
#[cfg(feature = "alloc")]
mod optimise;
#[cfg(feature = "alloc")]
mod segment;
#[cfg(feature = "alloc")]
mod slots;
#[cfg(feature = "alloc")]
mod vectored;

#[cfg(feature = "std")]
pub use completion::io_error;
#[cfg(feature = "alloc")]
pub use {
    buffer::{Buffer, RangeError},
    completion::Completion,
    descriptor::Descriptor,
    memory::TableMemory,
    operation::Operation,
    segment::{
        BorrowedOperation, BorrowedPushError, Borrowing, FlushError, PushError, Segment, SegmentError,
    },
    vectored::Vectored,
};

pub use batch_table::{Errno, SysResult};
#[cfg(feature = "std")]
pub use executor::{AnyExecutor, ChoiceError, Kernel, KernelError, Uring};
pub use executor::{Description, Direct, Executor};
pub use flags::{AcceptFlags, EpollEvent, EpollOp, MsgFlags, Shutdown, SpliceFlags};

/// Makes one system call with six arguments; unused ones are zero. The result is the kernel's own, in all its width.
///
/// # Safety
///
/// - The call with these arguments must be sound to make: what it reads and writes through pointers must be valid for
///   that, and what it does to the process must not break what other code relies on.
#[inline]
#[must_use]
pub unsafe fn syscall(nr: u32, args: &[u64; 6]) -> SysResult {
    // SAFETY: exactly what this function asks of its caller.
    SysResult::from_raw(unsafe { arch::syscall6(nr, args) })
}

/// An address as the kernel takes it. The memory behind it is exposed: the kernel may reach it through the number.
#[cfg(feature = "alloc")]
#[inline]
pub(crate) fn address<T>(pointer: *const T) -> u64 {
    pointer.expose_provenance() as u64
}
