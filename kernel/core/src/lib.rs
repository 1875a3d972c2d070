//! What the kernel module does with a batch of system calls, without the kernel.
//!
//! [`flush`] walks the entries of a table that a user process shares and may rewrite at any moment. It copies each entry
//! once, checks the copy, and has a [`Host`] make the call. In the module the host is the C side (`kernel/glue`); under
//! cargo it is a script, so that the code that runs in the kernel is tested outside of it.
#![no_std]

mod allow;
mod answer;
mod batch;
#[cfg(target_os = "none")]
mod seam;

pub use allow::is_allowed;
pub use answer::Answer;
pub use batch::{Host, Verdict, flush};
