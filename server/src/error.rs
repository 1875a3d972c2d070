//! Why a server cannot be built or has stopped.

use core::fmt;
use std::io;
use std::net::SocketAddr;

use esca_sys::ChoiceError;

/// Why a server could not be built, or why a worker gave up.
#[derive(Debug)]
#[non_exhaustive]
pub enum Error {
    /// An address cannot be listened on.
    Listen {
        /// The address that was asked for.
        address: SocketAddr,
        /// The system's reason.
        source: io::Error,
    },
    /// Two handlers for one path.
    DuplicateRoute {
        /// The path.
        path: String,
    },
    /// A path that no request can have.
    InvalidRoute {
        /// The path.
        path: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// A setting outside its range.
    Setting {
        /// The setting's name.
        name: &'static str,
        /// The value that was asked for.
        value: usize,
        /// The smallest value allowed.
        min: usize,
        /// The largest value allowed.
        max: usize,
    },
    /// The executor that was asked for cannot run here.
    Executor {
        /// Why, and what is missing.
        source: ChoiceError,
    },
    /// The system refused something that a worker cannot do without.
    System {
        /// What was asked of it.
        action: &'static str,
        /// The system's reason.
        source: io::Error,
    },
    /// A worker's thread panicked.
    Worker,
}

impl Error {
    /// For `map_err` after a system call.
    pub(crate) fn system<E: Into<io::Error>>(action: &'static str) -> impl FnOnce(E) -> Self {
        move |error| Self::System {
            action,
            source: error.into(),
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Listen { address, source } => {
                write!(f, "cannot listen on {address}: ")?;
                match source.kind() {
                    io::ErrorKind::AddrInUse => f.write_str("the port is in use by another program"),
                    io::ErrorKind::PermissionDenied => {
                        f.write_str("no permission; ports below 1024 need root or CAP_NET_BIND_SERVICE")
                    }
                    io::ErrorKind::AddrNotAvailable => f.write_str("this machine has no such address"),
                    _ => write!(f, "{source}"),
                }
            }
            Self::DuplicateRoute { path } => write!(f, "two routes for the path {path:?}"),
            Self::InvalidRoute { path, reason } => write!(f, "route {path:?}: {reason}"),
            Self::Setting {
                name,
                value,
                min,
                max,
            } => {
                write!(f, "{name} is {value}, but must be {min} to {max}")
            }
            Self::Executor { source } => write!(f, "{source}"),
            Self::System { action, source } => write!(f, "cannot {action}: {source}"),
            Self::Worker => f.write_str("a worker panicked"),
        }
    }
}

impl core::error::Error for Error {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        match self {
            Self::Listen { source, .. } | Self::System { source, .. } => Some(source),
            Self::Executor { source } => source.source(),
            _ => None,
        }
    }
}
