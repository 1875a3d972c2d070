//! Calls that wait for events: they flush, and their return opens the segment.

use core::ffi::c_void;

use libc::{c_int, epoll_event, fd_set, nfds_t, pollfd, sigset_t, size_t, timespec, timeval};

use super::interpose;
use crate::queue::{known, offer};

#[inline]
fn wait(real: impl FnOnce() -> c_int) -> c_int {
    offer::wait_begins();
    let events = real();
    offer::wait_ended(events);
    events
}

interpose! {
    fn epoll_wait(epoll: c_int, events: *mut epoll_event, count: c_int, timeout: c_int) -> c_int = |real| {
        let _ = (epoll, events, count, timeout);
        wait(real)
    }

    fn epoll_pwait(
        epoll: c_int,
        events: *mut epoll_event,
        count: c_int,
        timeout: c_int,
        mask: *const sigset_t,
    ) -> c_int = |real| {
        let _ = (epoll, events, count, timeout, mask);
        wait(real)
    }

    fn epoll_pwait2(
        epoll: c_int,
        events: *mut epoll_event,
        count: c_int,
        timeout: *const timespec,
        mask: *const sigset_t,
    ) -> c_int = |real| {
        let _ = (epoll, events, count, timeout, mask);
        wait(real)
    }

    fn poll | __poll(fds: *mut pollfd, count: nfds_t, timeout: c_int) -> c_int = |real| {
        let _ = (fds, count, timeout);
        wait(real)
    }

    fn __poll_chk(fds: *mut pollfd, count: nfds_t, timeout: c_int, room: size_t) -> c_int = |real| {
        let _ = (fds, count, timeout, room);
        wait(real)
    }

    fn ppoll(fds: *mut pollfd, count: nfds_t, timeout: *const timespec, mask: *const sigset_t) -> c_int = |real| {
        let _ = (fds, count, timeout, mask);
        wait(real)
    }

    fn __ppoll_chk(
        fds: *mut pollfd,
        count: nfds_t,
        timeout: *const timespec,
        mask: *const sigset_t,
        room: size_t,
    ) -> c_int = |real| {
        let _ = (fds, count, timeout, mask, room);
        wait(real)
    }

    fn select | __select(
        count: c_int,
        read: *mut fd_set,
        write: *mut fd_set,
        except: *mut fd_set,
        timeout: *mut timeval,
    ) -> c_int = |real| {
        let _ = (count, read, write, except, timeout);
        wait(real)
    }

    fn pselect(
        count: c_int,
        read: *mut fd_set,
        write: *mut fd_set,
        except: *mut fd_set,
        timeout: *const timespec,
        mask: *const sigset_t,
    ) -> c_int = |real| {
        let _ = (count, read, write, except, timeout, mask);
        wait(real)
    }

    fn epoll_ctl(epoll: c_int, operation: c_int, fd: c_int, event: *mut c_void) -> c_int = |real| {
        let _ = event;
        offer::touch(fd);
        let done = real();
        if done == 0 && operation == libc::EPOLL_CTL_ADD {
            known::added(epoll, fd);
        }
        done
    }
}
