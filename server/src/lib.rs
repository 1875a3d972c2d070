#![doc = include_str!("../README.md")]

mod answers;
mod body;
mod error;
mod files;
#[cfg(feature = "unstable-fuzzing")]
#[doc(hidden)]
pub mod fuzzing;
mod handler;
mod http;
mod listen;
mod request;
mod response;
mod route;
mod server;
mod session;
mod settings;
mod store;
mod worker;

#[cfg(feature = "config")]
pub mod config;

pub use answers::Welcome;
pub use body::{Body, BodyError};
pub use error::Error;
pub use files::Files;
pub use handler::Handler;
pub use http::status::Status;
pub use request::Request;
pub use response::{IntoResponse, InvalidHeader, Response};
pub use server::{Builder, Server, StopHandle};
pub use settings::{Executor, Limits, Timeouts};
