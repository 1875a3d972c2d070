#![doc = include_str!("../README.md")]
#![warn(clippy::cast_possible_truncation)]

mod calls;
mod control;
mod errors;
mod events;
mod fork;
mod message;
mod payload;
mod thread;

pub use calls::{
    esca_close, esca_fsync, esca_read, esca_recv, esca_send, esca_send_borrowed, esca_sendfile,
    esca_setsockopt, esca_shutdown, esca_splice, esca_write, esca_write_borrowed, esca_writev,
};
pub use control::{
    batch_flush, batch_start, esca_assume_tcp, esca_error, esca_executor_name, esca_init, esca_link,
    esca_result,
};
pub use events::{esca_accept4, esca_epoll_ctl, esca_epoll_wait};
pub use message::esca_sendmsg;
