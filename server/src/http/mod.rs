//! HTTP/1.1 on bytes: nothing here knows a socket, a coroutine or a file.

pub(crate) mod body;
pub(crate) mod conditional;
pub(crate) mod date;
pub(crate) mod field;
pub(crate) mod head;
pub(crate) mod mime;
pub(crate) mod negotiate;
pub(crate) mod pages;
pub(crate) mod range;
pub(crate) mod scan;
pub(crate) mod status;
pub(crate) mod target;
