//! What is left to be done on one descriptor.

use batch_table::Errno;
use libc::c_int;

use crate::sys::{self, address, int};

/// Something to be done on a descriptor.
#[derive(Debug)]
pub(crate) enum Item {
    /// Bytes to send, from the index `at` on.
    Bytes {
        bytes: Vec<u8>,
        at: usize,
        more: bool,
    },
    Cork(bool),
    Shutdown(c_int),
}

/// What is left to be done on a descriptor.
#[derive(Debug)]
pub(crate) struct Remainder {
    pub(crate) fd: c_int,
    /// The program has closed it; this is a duplicate under a number of our own.
    pub(crate) detached: bool,
    pub(crate) items: std::collections::VecDeque<Item>,
}

/// What a try to finish gave.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Progress {
    Done,
    /// The socket takes no more for now.
    Blocked,
    /// The connection is broken; the error, where the program still has to hear of it.
    Broken(Option<c_int>),
}

impl Remainder {
    /// Does what can be done now.
    pub(crate) fn push(&mut self) -> Progress {
        while let Some(item) = self.items.front_mut() {
            match item {
                Item::Bytes { bytes, at, more } => {
                    let rest = bytes.get(*at..).unwrap_or_default();
                    if !rest.is_empty() {
                        let flags =
                            libc::MSG_NOSIGNAL | libc::MSG_DONTWAIT | if *more { libc::MSG_MORE } else { 0 };
                        let args = [
                            int(self.fd),
                            address(rest.as_ptr()),
                            rest.len() as u64,
                            int(flags),
                        ];
                        // SAFETY: the kernel reads the live bytes of `rest`.
                        match unsafe { sys::call(libc::SYS_sendto, &args) } {
                            Ok(taken) => {
                                *at += usize::try_from(taken).unwrap_or(0);
                                continue;
                            }
                            Err(Errno::EINTR) => continue,
                            Err(Errno::EAGAIN | Errno::ENOBUFS | Errno::ENOMEM) => return Progress::Blocked,
                            Err(Errno::EPIPE | Errno::EBADF) => return Progress::Broken(None),
                            Err(errno) => return Progress::Broken(Some(errno.raw().into())),
                        }
                    }
                }
                Item::Cork(on) => {
                    let _ =
                        sys::set_socket_option(self.fd, libc::IPPROTO_TCP, libc::TCP_CORK, c_int::from(*on));
                }
                Item::Shutdown(how) => {
                    // SAFETY: touches no memory.
                    let _ = unsafe { sys::call(libc::SYS_shutdown, &[int(self.fd), int(*how)]) };
                }
            }
            self.items.pop_front();
        }
        Progress::Done
    }
}
