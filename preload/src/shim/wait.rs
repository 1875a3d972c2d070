//! Calls that wait for events: they flush, and their return opens the segment.

use core::ffi::c_void;

use libc::{c_int, epoll_event, fd_set, nfds_t, pollfd, sigset_t, size_t, timespec, timeval};

use super::interpose;
use crate::queue::{known, offer};

#[inline]
fn wait(epoll: Option<c_int>, real: impl FnOnce() -> c_int) -> c_int {
    offer::wait_begins();
    let events = real();
    offer::wait_ended(events, epoll);
    events
}

interpose! {
    fn epoll_wait(epoll: c_int, events: *mut epoll_event, count: c_int, timeout: c_int) -> c_int = |real| {
        let _ = (events, count, timeout);
        wait(Some(epoll), real)
    }

    fn epoll_pwait(
        epoll: c_int,
        events: *mut epoll_event,
        count: c_int,
        timeout: c_int,
        mask: *const sigset_t,
    ) -> c_int = |real| {
        let _ = (events, count, timeout, mask);
        wait(Some(epoll), real)
    }

    fn epoll_pwait2(
        epoll: c_int,
        events: *mut epoll_event,
        count: c_int,
        timeout: *const timespec,
        mask: *const sigset_t,
    ) -> c_int = |real| {
        let _ = (events, count, timeout, mask);
        wait(Some(epoll), real)
    }

    fn poll | __poll(fds: *mut pollfd, count: nfds_t, timeout: c_int) -> c_int = |real| {
        let _ = (fds, count, timeout);
        wait(None, real)
    }

    fn __poll_chk(fds: *mut pollfd, count: nfds_t, timeout: c_int, room: size_t) -> c_int = |real| {
        let _ = (fds, count, timeout, room);
        wait(None, real)
    }

    fn ppoll(fds: *mut pollfd, count: nfds_t, timeout: *const timespec, mask: *const sigset_t) -> c_int = |real| {
        let _ = (fds, count, timeout, mask);
        wait(None, real)
    }

    fn __ppoll_chk(
        fds: *mut pollfd,
        count: nfds_t,
        timeout: *const timespec,
        mask: *const sigset_t,
        room: size_t,
    ) -> c_int = |real| {
        let _ = (fds, count, timeout, mask, room);
        wait(None, real)
    }

    fn select | __select(
        count: c_int,
        read: *mut fd_set,
        write: *mut fd_set,
        except: *mut fd_set,
        timeout: *mut timeval,
    ) -> c_int = |real| {
        let _ = (count, read, write, except, timeout);
        wait(None, real)
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
        wait(None, real)
    }

    fn epoll_ctl(epoll: c_int, operation: c_int, fd: c_int, event: *mut c_void) -> c_int = |real| {
        offer::touch(fd);
        let done = real();
        if done == 0 {
            let events = if operation == libc::EPOLL_CTL_DEL {
                0
            } else {
                // SAFETY: the kernel has just read an event there, which begins with this word; the program vouches for it.
                unsafe { event.cast::<u32>().read_unaligned() }
            };
            known::watched(epoll, operation, fd, events);
        }
        done
    }
}
