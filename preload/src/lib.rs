#![doc = include_str!("../README.md")]
#![warn(clippy::cast_possible_truncation)]
#![cfg_attr(
    test,
    allow(
        dead_code,
        reason = "a test binary keeps its own libc, so much is not called there"
    )
)]

mod helper;
mod life;
mod memory;
mod process;
mod queue;
mod settings;
#[cfg(not(test))]
mod shim;
mod stats;
mod sys;

#[cfg(not(test))]
#[global_allocator]
static HEAP: memory::Mappings = memory::Mappings;
