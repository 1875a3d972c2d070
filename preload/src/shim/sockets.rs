//! Calls that make sockets, and that set and ask their options.

use core::ffi::c_void;

use libc::{c_int, sockaddr, socklen_t};

use super::{fail, interpose};
use crate::queue::offer::{self, Offer};
use crate::queue::{fds, known};
use crate::sys;

interpose! {
    fn socket(domain: c_int, kind: c_int, protocol: c_int) -> c_int = |real| {
        offer::numbers();
        let fd = real();
        if fd >= 0 {
            known::made_socket(fd, domain, kind, protocol);
        }
        fd
    }

    fn socketpair(domain: c_int, kind: c_int, protocol: c_int, pair: *mut c_int) -> c_int = |real| {
        let _ = (domain, kind, protocol);
        offer::numbers();
        let done = real();
        if done == 0 {
            // Both ends are in this process, which may look at one end for what it sent to the other.
            // SAFETY: libc has just written two numbers there.
            unsafe { known::made_pair(pair) };
        }
        done
    }

    fn accept(fd: c_int, address: *mut sockaddr, len: *mut socklen_t) -> c_int = |real| {
        let _ = (address, len);
        offer::numbers();
        offer::before(fd);
        let accepted = real();
        if accepted >= 0 {
            known::accepted(fd, accepted, 0);
        }
        accepted
    }

    fn accept4(fd: c_int, address: *mut sockaddr, len: *mut socklen_t, flags: c_int) -> c_int = |real| {
        let _ = (address, len);
        offer::numbers();
        offer::before(fd);
        let accepted = real();
        if accepted >= 0 {
            known::accepted(fd, accepted, flags);
        }
        accepted
    }

    fn connect | __connect(fd: c_int, address: *const sockaddr, len: socklen_t) -> c_int = |real| {
        let _ = (address, len);
        offer::before(fd);
        known::forget(fd, fds::CONNECTED);
        real()
    }

    fn shutdown(fd: c_int, how: c_int) -> c_int = |real| {
        match offer::shutdown(fd, how) {
            Offer::Taken(_) => 0,
            Offer::Fail(errno) => fail(errno),
            Offer::Pass => real(),
        }
    }

    fn setsockopt(fd: c_int, level: c_int, name: c_int, value: *const c_void, len: socklen_t) -> c_int = |real| {
        let corks = level == libc::IPPROTO_TCP && name == libc::TCP_CORK;
        if corks && len >= 4 && sys::is_plausible(value) {
            // SAFETY: the program vouches for `len` bytes there.
            let value = unsafe { value.cast::<c_int>().read_unaligned() };
            match offer::cork(fd, value != 0) {
                Offer::Taken(_) => return 0,
                Offer::Fail(errno) => return fail(errno),
                Offer::Pass => {}
            }
        } else {
            offer::touch(fd);
        }
        known::option_set(fd, level, name);
        real()
    }

    fn getsockopt(fd: c_int, level: c_int, name: c_int, value: *mut c_void, len: *mut socklen_t) -> c_int = |real| {
        offer::touch(fd);
        let done = real();
        if done == 0 && level == libc::SOL_SOCKET && name == libc::SO_ERROR {
            let value = value.cast::<c_int>();
            // SAFETY: libc has just written the option's four bytes there.
            let none = unsafe { value.read_unaligned() } == 0;
            if none && let Some(errno) = known::latched(fd) {
                // SAFETY: as above.
                unsafe { value.write_unaligned(errno) };
            }
        }
        let _ = len;
        done
    }
}
