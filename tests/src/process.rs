//! The server as a program of its own.

use std::ffi::OsStr;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};

use crate::client::Client;

/// A running `anglerfish`, killed when it is dropped.
#[derive(Debug)]
pub struct Program {
    child: Child,
    address: SocketAddr,
}

impl Program {
    /// Starts it on a free port with these arguments.
    ///
    /// # Panics
    ///
    /// When it does not say where it listens.
    pub fn start(arguments: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Self {
        let mut command = Command::new(crate::anglerfish());
        command.args(["--listen", "127.0.0.1:0"]).args(arguments);
        Self::spawn(command)
    }

    /// Starts a command that becomes the program.
    ///
    /// # Panics
    ///
    /// When it does not say where it listens.
    pub fn spawn(mut command: Command) -> Self {
        let mut child = command
            .stdout(Stdio::piped())
            .spawn()
            .expect("the program starts");
        let mut line = String::new();
        let mut output = BufReader::new(child.stdout.take().expect("a pipe"));
        output.read_line(&mut line).expect("a line");
        let address = line
            .trim_end()
            .strip_prefix("anglerfish serves http://")
            .and_then(|rest| rest.strip_suffix('/'))
            .and_then(|address| address.parse().ok());
        let Some(address) = address else {
            let _gone = child.kill();
            panic!("the program says {line:?}");
        };
        Self { child, address }
    }

    /// Where it listens.
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// A connection to it.
    pub fn client(&self) -> Client {
        Client::connect(self.address)
    }

    /// Stops it where it is.
    ///
    /// # Panics
    ///
    /// When it has ended.
    pub fn pause(&self) {
        self.signal(Signal::STOP);
    }

    /// Lets it go on.
    ///
    /// # Panics
    ///
    /// When it has ended.
    pub fn resume(&self) {
        self.signal(Signal::CONT);
    }

    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).expect("it runs");
    }

    /// Bytes of its memory that are not backed by a file.
    ///
    /// # Panics
    ///
    /// When the kernel does not say.
    pub fn anonymous_memory(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).expect("a status");
        let kibibytes = status
            .lines()
            .find_map(|line| line.strip_prefix("RssAnon:")?.trim().strip_suffix(" kB"))
            .and_then(|number| number.trim().parse::<u64>().ok());
        kibibytes.expect("RssAnon in kB") * 1024
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // It may have ended by itself, which the test has noticed then.
        let _gone = self.child.kill();
        let _status = self.child.wait();
    }
}

/// Raises the number of files that this test may open to the hard limit, and says how many that are, but for a hundred
/// that other things need.
///
/// # Panics
///
/// When the system does not allow its own limit.
pub fn raise_file_limit() -> usize {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    let raised = Rlimit {
        current: maximum,
        maximum,
    };
    setrlimit(Resource::Nofile, raised).expect("a soft limit may be raised");
    maximum
        .and_then(|limit| usize::try_from(limit).ok())
        .map_or(usize::MAX, |limit| limit.saturating_sub(100))
}
