//! epoll: which sockets are ready.

use core::mem::MaybeUninit;
use std::os::fd::{AsFd, OwnedFd, RawFd};
use std::sync::Arc;
use std::time::Duration;

use rustix::event::Timespec;
use rustix::event::epoll::{self, CreateFlags, Event, EventData, EventFlags};
use rustix::io::Errno;

use super::connection::Connection;

/// In the upper half of an event's data, for what is not a connection.
const OTHER: u32 = u32::MAX;
/// In the lower half, with [`OTHER`] above it.
const STOP: u32 = u32::MAX;

/// What an event is about.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Source {
    Stop,
    /// The listener with this index.
    Listener(usize),
    Connection {
        fd: RawFd,
        generation: u32,
    },
}

impl Source {
    pub(super) fn of(event: &Event) -> Self {
        let data = event.data.u64();
        let (upper, lower) = ((data >> 32) as u32, data as u32);
        match (upper, lower) {
            (OTHER, STOP) => Self::Stop,
            (OTHER, index) => Self::Listener(index as usize),
            (generation, fd) => Self::Connection {
                fd: fd.cast_signed(),
                generation,
            },
        }
    }
}

/// The generation after `generation`, without the value that stands for what is not a connection.
pub(super) const fn next_generation(generation: u32) -> u32 {
    (generation + 1) % OTHER
}

const fn data(upper: u32, lower: u32) -> EventData {
    EventData::new_u64((upper as u64) << 32 | lower as u64)
}

/// An epoll instance, and the event that stops its worker.
#[derive(Debug)]
pub(super) struct Reactor {
    epoll: OwnedFd,
    _stop: Arc<OwnedFd>,
}

impl Reactor {
    pub(super) fn new(stop: Arc<OwnedFd>) -> Result<Self, Errno> {
        let epoll = epoll::create(CreateFlags::CLOEXEC)?;
        // Edge-triggered: the event is never read, and is reported once.
        epoll::add(&epoll, &stop, data(OTHER, STOP), EventFlags::IN | EventFlags::ET)?;
        Ok(Self { epoll, _stop: stop })
    }

    /// Level-triggered: what one turn does not accept is reported again.
    pub(super) fn watch_listener(&self, listener: &OwnedFd, index: usize) -> Result<(), Errno> {
        let index = u32::try_from(index).map_err(|_| Errno::INVAL)?;
        epoll::add(&self.epoll, listener, data(OTHER, index), EventFlags::IN)
    }

    /// Edge-triggered in both directions, once and for all: a request costs no change of interest, and the kernel does not
    /// look again at sockets that have been read empty.
    pub(super) fn watch_connection(&self, connection: &Connection) -> Result<(), Errno> {
        let flags = EventFlags::IN | EventFlags::OUT | EventFlags::RDHUP | EventFlags::ET;
        let data = data(connection.generation, connection.fd().cast_unsigned());
        epoll::add(&self.epoll, connection.socket.as_fd(), data, flags)
    }

    /// Waits until something is ready or `timeout` is over.
    pub(super) fn wait<'a>(
        &self,
        events: &'a mut [MaybeUninit<Event>],
        timeout: Option<Duration>,
    ) -> Result<&'a [Event], Errno> {
        // epoll_wait counts in 32 bits of milliseconds; waking up early after 24 days costs one turn.
        let timeout = timeout.map(|timeout| {
            let whole = timeout.as_millis().min(i32::MAX as u128) as i64;
            Timespec {
                tv_sec: whole / 1000,
                tv_nsec: whole % 1000 * 1_000_000,
            }
        });
        let (ready, _) = epoll::wait(&self.epoll, events, timeout.as_ref())?;
        Ok(ready)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(data: EventData) -> Source {
        Source::of(&Event {
            flags: EventFlags::IN,
            data,
        })
    }

    #[test]
    fn sources_are_told_apart() {
        assert_eq!(source(data(OTHER, STOP)), Source::Stop);
        assert_eq!(source(data(OTHER, 3)), Source::Listener(3));
        assert_eq!(source(data(7, 9)), Source::Connection { fd: 9, generation: 7 });
    }
}
