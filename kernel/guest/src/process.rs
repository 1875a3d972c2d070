//! Child processes.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::thread;
use std::time::{Duration, Instant};

use crate::cases::Passed;

/// A child that `fork` made.
#[derive(Debug)]
pub(crate) struct Child {
    /// Its number.
    pub(crate) pid: i32,
}

/// How a child ended.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum End {
    /// It called exit with this.
    Code(i32),
    /// A signal ended it.
    Signal(i32),
}

impl End {
    fn of(status: i32) -> Self {
        if libc::WIFSIGNALED(status) {
            Self::Signal(libc::WTERMSIG(status))
        } else {
            Self::Code(libc::WEXITSTATUS(status))
        }
    }
}

impl Child {
    /// Runs `body` in a child; it exits with what `body` returns, or with 101 where it panics.
    pub(crate) fn start(body: impl FnOnce() -> i32) -> Self {
        // SAFETY: callers fork before they start threads, so no lock is held by a thread that the child lacks.
        let pid = unsafe { libc::fork() };
        assert!(pid >= 0, "fork");
        if pid == 0 {
            let code = catch_unwind(AssertUnwindSafe(body)).unwrap_or(101);
            // SAFETY: ends the process without running what belongs to the parent.
            unsafe { libc::_exit(code) }
        }
        Self { pid }
    }

    /// Waits for its end.
    pub(crate) fn wait(self) -> End {
        let mut status = 0;
        // SAFETY: `status` is written before the call returns.
        let pid = unsafe { libc::waitpid(self.pid, &raw mut status, 0) };
        assert_eq!(pid, self.pid, "waitpid");
        End::of(status)
    }

    /// Its end, if that was already.
    pub(crate) fn poll(&self) -> Option<End> {
        let mut status = 0;
        // SAFETY: as in `wait`.
        let pid = unsafe { libc::waitpid(self.pid, &raw mut status, libc::WNOHANG) };
        (pid == self.pid).then(|| End::of(status))
    }

    /// Sends it a signal.
    pub(crate) fn kill(&self, signal: i32) {
        // SAFETY: no memory is involved; the child is not reaped, so the number is still its own.
        let result = unsafe { libc::kill(self.pid, signal) };
        assert_eq!(result, 0, "kill");
    }
}

/// Runs `body` in a child and waits for it, `limit` at most. The error says how it failed.
pub(crate) fn isolated(limit: Duration, body: impl FnOnce() -> Passed) -> Result<Passed, String> {
    let (mut ours, theirs) = UnixStream::pair().map_err(|error| error.to_string())?;
    let report = theirs.try_clone().map_err(|error| error.to_string())?;
    let child = Child::start(move || {
        std::panic::set_hook(Box::new(move |panic| {
            // The first panic is the reason; nobody is left to tell where this fails.
            drop((&report).write_all(format!("{panic}\n").as_bytes()));
        }));
        match body() {
            Passed::Yes => 0,
            Passed::Ignored => 3,
        }
    });
    drop(theirs);
    let started = Instant::now();
    let end = loop {
        if let Some(end) = child.poll() {
            break end;
        }
        if started.elapsed() > limit {
            child.kill(libc::SIGKILL);
            child.wait();
            return Err(format!("did not end within {limit:?}"));
        }
        thread::sleep(Duration::from_millis(5));
    };
    match end {
        End::Code(0) => Ok(Passed::Yes),
        End::Code(3) => Ok(Passed::Ignored),
        end => {
            let mut text = String::new();
            drop(ours.set_read_timeout(Some(Duration::from_secs(1))));
            drop(ours.read_to_string(&mut text));
            Err(format!("{end:?}: {}", text.trim()))
        }
    }
}
