//! The other end of a connection: reads in pieces, compares, and may break off.

use std::io::{ErrorKind, Read};
use std::net::{SocketAddr, TcpStream};
use std::os::fd::AsRawFd;
use std::thread;
use std::time::Duration;

use libc::c_int;

use super::PATIENCE;
use super::stream::{Random, byte};
use crate::sys;

/// What a peer found.
#[derive(Clone, Copy, Debug)]
pub(super) struct Found {
    pub(super) stream: u16,
    pub(super) len: usize,
    pub(super) aborted: bool,
}

/// Reads to the end, or breaks off.
pub(super) fn peer(address: SocketAddr, mut random: Random) -> Found {
    let mut stream = TcpStream::connect(address).expect("a connection");
    stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
    let small: c_int = 2000;
    if random.one_in(2) {
        sys::set_socket_option(stream.as_raw_fd(), libc::SOL_SOCKET, libc::SO_RCVBUF, small)
            .expect("an option");
    }
    let name = stream.local_addr().expect("an address").port();
    let breaks_off = random.one_in(4).then(|| 1 + random.below(30_000));
    let mut found = Found {
        stream: name,
        len: 0,
        aborted: false,
    };
    let mut buffer = vec![0; 20_000];
    loop {
        if random.one_in(8) {
            thread::sleep(Duration::from_micros(random.below(3000) as u64));
        }
        let most = 1 + random.below(buffer.len());
        let len = loop {
            // A timeout makes a call fail when the whole test is stopped and goes on.
            match stream.read(&mut buffer[..most]) {
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                outcome => break outcome.expect("bytes or the end"),
            }
        };
        for (offset, &got) in buffer[..len].iter().enumerate() {
            let at = found.len + offset;
            assert_eq!(got, byte(name, at), "stream {name}: byte {at} is wrong");
        }
        found.len += len;
        if len == 0 {
            return found;
        }
        if breaks_off.is_some_and(|at| found.len >= at) {
            let linger = libc::linger {
                l_onoff: 1,
                l_linger: 0,
            };
            let start: *const libc::linger = &raw const linger;
            // SAFETY: the kernel reads the 8 bytes of `linger`, which lives until the end of this block.
            unsafe {
                libc::setsockopt(
                    stream.as_raw_fd(),
                    libc::SOL_SOCKET,
                    libc::SO_LINGER,
                    start.cast(),
                    8,
                )
            };
            found.aborted = true;
            return found;
        }
    }
}
