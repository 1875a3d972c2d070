//! A connection of the program under test, which makes its calls as the names of libc do.

use std::fs::File;
use std::os::fd::AsRawFd;

use libc::{c_int, c_void, iovec};

use super::stream::{Random, bytes};
use crate::queue::known;
use crate::queue::offer::{self, Offer};
use crate::sys;

/// Bytes of a stream that are in a file, too.
pub(super) const IN_FILE: usize = 20_000;

/// A connection of the program.
#[derive(Debug)]
pub(super) struct Connection {
    pub(super) fd: c_int,
    pub(super) stream: u16,
    pub(super) file: File,
    /// Bytes that the program was told are sent, and how many it wants to send.
    pub(super) at: usize,
    pub(super) end: usize,
    pub(super) corked: bool,
    /// It has shut its end down, and waits for its peer's.
    pub(super) ending: bool,
}

/// What became of a try to send.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Sent {
    Some,
    Full,
    Broken,
}

impl Connection {
    fn judge(&mut self, offer: Offer, real: impl FnOnce(&mut Self) -> isize) -> Sent {
        let (sent, errno) = match offer {
            Offer::Taken(len) => (len.cast_signed(), 0),
            Offer::Fail(errno) => (-1, errno),
            Offer::Pass => {
                let sent = real(self);
                if sent > 0 {
                    known::moved(self.fd);
                }
                (sent, sys::errno())
            }
        };
        match (usize::try_from(sent), errno) {
            (Ok(len), _) => {
                self.at += len;
                Sent::Some
            }
            (_, libc::EAGAIN) => Sent::Full,
            (_, libc::EPIPE | libc::ECONNRESET) => Sent::Broken,
            (_, errno) => panic!("stream {}: error {errno}", self.stream),
        }
    }

    /// The next bytes, by one of the calls that send.
    pub(super) fn send(&mut self, random: &mut Random) -> Sent {
        let largest = if random.one_in(16) { 30_000 } else { 3000 };
        let len = (1 + random.below(largest)).min(self.end - self.at);
        let fd = self.fd;
        if self.at + len <= IN_FILE && random.one_in(4) {
            let mut offset = self.at.cast_signed() as i64;
            let file = self.file.as_raw_fd();
            // SAFETY: the offset is a variable of this function's, which outlives the call.
            let offer = unsafe { offer::sendfile(fd, file, &raw mut offset, len) };
            // SAFETY: as above.
            return self.judge(offer, |_| unsafe {
                libc::sendfile(fd, file, &raw mut offset, len)
            });
        }
        let mut copy = bytes(self.stream, self.at, len);
        let flags = libc::MSG_NOSIGNAL | if random.one_in(5) { libc::MSG_MORE } else { 0 };
        let start: *mut c_void = copy.as_mut_ptr().cast();
        let cut = random.below(len + 1);
        let parts = [(start, cut), (start.wrapping_byte_add(cut), len - cut)];
        let parts = parts.map(|(iov_base, iov_len)| iovec { iov_base, iov_len });
        let offer = offer::send(fd, &parts, flags);
        // SAFETY: the kernel reads the `len` bytes of `copy`.
        let sent = self.judge(offer, |_| unsafe { libc::send(fd, start, len, flags) });
        // What the program does with its buffer then is no matter.
        copy.fill(0xee);
        sent
    }

    pub(super) fn cork(&mut self) {
        self.corked = !self.corked;
        if offer::cork(self.fd, self.corked) == Offer::Pass {
            known::option_set(self.fd, libc::IPPROTO_TCP, libc::TCP_CORK);
            let _ = sys::set_socket_option(self.fd, libc::IPPROTO_TCP, libc::TCP_CORK, self.corked.into());
        }
    }

    pub(super) fn close(&self) {
        match offer::close(self.fd) {
            Offer::Taken(_) => {}
            // SAFETY: the connection owns the descriptor, and is not used after this.
            Offer::Pass => assert_eq!(unsafe { libc::close(self.fd) }, 0),
            Offer::Fail(errno) => panic!("close: error {errno}"),
        }
    }

    pub(super) fn shut_down(&mut self) -> Sent {
        self.ending = true;
        match offer::shutdown(self.fd, libc::SHUT_WR) {
            Offer::Taken(_) => Sent::Some,
            Offer::Fail(errno) => panic!("shutdown: error {errno}"),
            // SAFETY: the descriptor is the connection's own; no memory is involved.
            Offer::Pass if unsafe { libc::shutdown(self.fd, libc::SHUT_WR) } == 0 => Sent::Some,
            Offer::Pass => Sent::Broken,
        }
    }

    /// Whether the peer has ended, too.
    pub(super) fn has_ended(&self) -> bool {
        let mut byte = 0_u8;
        if let Some(errno) = offer::before(self.fd) {
            return errno != libc::EAGAIN;
        }
        let start: *mut u8 = &raw mut byte;
        // SAFETY: the kernel writes one byte at most, to `byte`.
        let got = unsafe { libc::recv(self.fd, start.cast(), 1, libc::MSG_DONTWAIT) };
        got == 0 || (got < 0 && sys::errno() != libc::EAGAIN)
    }
}
