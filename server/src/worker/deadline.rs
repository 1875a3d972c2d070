//! Deadlines of connections on the wheel.

use std::os::fd::RawFd;

use super::connection::{Phase, Wait};
use super::{Worker, accept};
use crate::session::Wake;

/// Timers that one turn looks at, so that a thousand deadlines of one moment do not hold up the requests beside them.
const BUDGET: usize = 256;

impl Worker {
    /// Sets the connection's one deadline. Pushing it back, which every request does, is one store.
    pub(super) fn arm(&mut self, fd: RawFd, deadline: u64) {
        let Some(connection) = self.connections.get_mut(fd) else {
            return;
        };
        if let Some(timer) = connection.timer
            && self.wheel.rearm(timer, deadline).is_ok()
        {
            return;
        }
        connection.timer = match self.wheel.start(deadline, fd) {
            Ok(timer) => Some(timer),
            Err(full) => {
                tracing::error!("a connection has no deadline: {full}");
                None
            }
        };
    }

    /// Acts on the deadlines that have passed.
    pub(super) fn expire(&mut self) {
        self.wheel.advance(self.context.clock.now());
        let mut budget = BUDGET;
        while let Some(expired) = self.wheel.pop(&mut budget) {
            self.time_out(expired.value);
        }
    }

    fn time_out(&mut self, fd: RawFd) {
        let Some(connection) = self.connections.get_mut(fd) else {
            return;
        };
        connection.timer = None;
        match &connection.phase {
            Phase::Idle | Phase::Lingering => self.close(fd),
            Phase::Head { .. } => {
                accept::time_out(&connection.socket);
                self.close(fd);
            }
            // The deadline of an earlier phase; the coroutine's next wait, or its end, sets its own.
            Phase::Running {
                wait: Wait::Completion,
                ..
            } => {}
            Phase::Running { .. } => self.resume(fd, Wake::TimedOut),
        }
    }
}
