//! Which executor runs: what there is, and what the environment says.

use alloc::string::String;
use core::fmt;
use std::ffi::OsString;

use batch_table::{Errno, Table};

use super::{Description, Direct, Executor, Kernel, KernelError, Uring};
use crate::TableMemory;

/// The variable that overrides the choice.
const VARIABLE: &str = "ESCA_EXECUTOR";

/// One of the executors, chosen at run time.
#[derive(Debug)]
pub struct AnyExecutor {
    kind: Kind,
    why: &'static str,
}

#[derive(Debug)]
enum Kind {
    Direct(Direct),
    Uring(Uring),
    Kernel(Kernel),
}

/// The executor that was asked for cannot run.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum ChoiceError {
    /// The name is none of `direct`, `uring`, `io_uring`, `kernel` and `auto`.
    Name(String),
    /// io_uring was asked for, and the kernel refused it.
    Uring(Errno),
    /// The kernel module was asked for, and cannot be used.
    Kernel(KernelError),
}

impl fmt::Display for ChoiceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => {
                write!(
                    f,
                    "{VARIABLE} is {name:?}, which is none of direct, uring, kernel and auto"
                )
            }
            Self::Uring(errno) => write!(
                f,
                "the executor uring was asked for, but io_uring cannot be set up: {errno}"
            ),
            Self::Kernel(error) => write!(f, "the executor kernel was asked for, but {error}"),
        }
    }
}

impl core::error::Error for ChoiceError {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        match self {
            Self::Name(_) => None,
            Self::Uring(errno) => Some(errno),
            Self::Kernel(error) => Some(error),
        }
    }
}

impl AnyExecutor {
    /// The executor that the environment variable `ESCA_EXECUTOR` names, or without it the best that there is.
    ///
    /// # Errors
    ///
    /// As for [`named`](Self::named). Without the variable it never fails.
    pub fn probe() -> Result<Self, ChoiceError> {
        match std::env::var_os(VARIABLE) {
            None => Ok(Self::best()),
            Some(name) => Self::named(&OsString::into_string(name).unwrap_or_else(|name| {
                // Not UTF-8, so none of the names.
                name.to_string_lossy().into_owned()
            })),
        }
    }

    /// The executor of this name: `direct`, `uring` (or `io_uring`, as it calls itself), `kernel`, or `auto` for the best that
    /// there is.
    ///
    /// # Errors
    ///
    /// [`ChoiceError`] where the name is another one, or where that executor cannot run here.
    pub fn named(name: &str) -> Result<Self, ChoiceError> {
        let kind = match name {
            "direct" => Kind::Direct(Direct::new()),
            "uring" | "io_uring" => Kind::Uring(Uring::new().map_err(ChoiceError::Uring)?),
            "kernel" => Kind::Kernel(Kernel::new().map_err(ChoiceError::Kernel)?),
            "auto" | "" => return Ok(Self::best()),
            other => return Err(ChoiceError::Name(other.into())),
        };
        Ok(Self {
            kind,
            why: "asked for by name",
        })
    }

    /// The kernel module where it is loaded and may be used, else io_uring where it is there and pays on this machine, else
    /// plain calls.
    #[must_use]
    pub fn best() -> Self {
        if let Ok(kernel) = Kernel::new() {
            return Self {
                kind: Kind::Kernel(kernel),
                why: "/dev/esca is there",
            };
        }
        let (kind, why) = match Uring::new() {
            Ok(uring) if uring.break_even().is_none() => (
                Kind::Direct(Direct::new()),
                "there is no usable /dev/esca, and io_uring was measured to cost more than plain calls",
            ),
            Ok(uring) => (
                Kind::Uring(uring),
                "there is no usable /dev/esca, and io_uring works",
            ),
            Err(_) => (
                Kind::Direct(Direct::new()),
                "there is neither a usable /dev/esca nor io_uring",
            ),
        };
        Self { kind, why }
    }
}

// SAFETY: each method is that of the chosen executor, whose promise it is.
unsafe impl Executor for AnyExecutor {
    fn allocate(&mut self, capacity: u32) -> Result<TableMemory, Errno> {
        match &mut self.kind {
            Kind::Direct(direct) => direct.allocate(capacity),
            Kind::Uring(uring) => uring.allocate(capacity),
            Kind::Kernel(kernel) => kernel.allocate(capacity),
        }
    }

    #[inline]
    unsafe fn run(&mut self, table: &Table<'_>, first: u32, count: u32) -> Result<u32, Errno> {
        match &mut self.kind {
            // SAFETY: the caller's promise is passed on.
            Kind::Direct(direct) => unsafe { direct.run(table, first, count) },
            // SAFETY: as above.
            Kind::Uring(uring) => unsafe { uring.run(table, first, count) },
            // SAFETY: as above.
            Kind::Kernel(kernel) => unsafe { kernel.run(table, first, count) },
        }
    }

    #[inline]
    fn is_plain(&self, count: u32) -> bool {
        match &self.kind {
            Kind::Direct(direct) => direct.is_plain(count),
            Kind::Uring(uring) => uring.is_plain(count),
            Kind::Kernel(kernel) => kernel.is_plain(count),
        }
    }

    fn describe(&self) -> Description {
        let name = match &self.kind {
            Kind::Direct(direct) => direct.describe().name,
            Kind::Uring(uring) => uring.describe().name,
            Kind::Kernel(kernel) => kernel.describe().name,
        };
        Description { name, why: self.why }
    }
}
