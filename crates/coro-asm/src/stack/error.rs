use core::error::Error;
use core::fmt;

/// Why a pool has no stack to give.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum StackError {
    /// All the stacks that the configuration allows are in use.
    Exhausted {
        /// The configured number of stacks.
        max_stacks: usize,
    },
    /// The kernel refuses more mappings (`vm.max_map_count`), of which each stack needs two where guard
    /// markers are not supported.
    TooManyMappings {
        /// How many stacks there are.
        stacks: usize,
    },
    /// The configured stack size or their number is zero, or their product exceeds the address space.
    InvalidSize {
        /// The configured size of a stack in bytes.
        stack_size: usize,
        /// The configured number of stacks.
        max_stacks: usize,
    },
    /// Overflow is reported for as many pools as possible already.
    TooManyReports {
        /// How many that is.
        limit: usize,
    },
    /// The thread runs on a hardware shadow stack, see
    /// [`raw::shadow_stack_enabled`](crate::raw::shadow_stack_enabled).
    ShadowStack,
    /// The kernel refuses this much address space or memory.
    OutOfMemory {
        /// How many bytes were asked for.
        bytes: usize,
        /// The kernel's error number.
        errno: i32,
    },
}

impl fmt::Display for StackError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Exhausted { max_stacks } => {
                write!(f, "all stacks of the pool are in use, the limit is {max_stacks}")
            }
            Self::TooManyMappings { stacks } => write!(
                f,
                "the kernel allows no more guarded stacks than the {stacks} there are, the limit is vm.max_map_count"
            ),
            Self::InvalidSize {
                stack_size,
                max_stacks,
            } => {
                write!(
                    f,
                    "a pool of {max_stacks} stacks of {stack_size} bytes does not fit the address space"
                )
            }
            Self::TooManyReports { limit } => {
                write!(f, "stack overflow is reported for {limit} pools already, which is the limit")
            }
            Self::ShadowStack => f.write_str(
                "stacks cannot be switched while a hardware shadow stack (CET, GCS) is enabled on this thread",
            ),
            Self::OutOfMemory { bytes, errno } => {
                write!(f, "the kernel refuses {bytes} bytes for stacks (error {errno})")
            }
        }
    }
}

impl Error for StackError {}
