use core::net::SocketAddr;
use core::time::Duration;
use std::fs::{self, File};
use std::io;
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::Instant;

use anyhow::{Context, Result, bail};
use rustix::process::{Pid, Signal, kill_process_group, set_parent_process_death_signal};

use crate::compare::pin_to;
use crate::proc;

const START_LIMIT: Duration = Duration::from_secs(5);
const STOP_LIMIT: Duration = Duration::from_secs(2);

/// A process with all that it forks, ended when this is dropped.
#[derive(Debug)]
pub(crate) struct Process {
    child: Child,
}

impl Process {
    /// Starts `command` on processor `cpu`, leader of a process group of its own.
    ///
    /// The calling thread is moved there for a moment, because a child inherits its parent's affinity, and then
    /// to `home`.
    pub(crate) fn start(command: &mut Command, cpu: usize, home: usize) -> Result<Self> {
        let name = command.get_program().to_owned();
        command.process_group(0);
        // SAFETY: between fork and exec the closure makes one system call, which is async-signal-safe, and
        // allocates nothing.
        unsafe { command.pre_exec(|| Ok(set_parent_process_death_signal(Some(Signal::TERM))?)) };
        pin_to(None, cpu)?;
        let child = command.spawn();
        pin_to(None, home)?;
        let child = child.with_context(|| format!("cannot start {}", name.display()))?;
        Ok(Self { child })
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    fn has_ended(&mut self) -> io::Result<bool> {
        Ok(self.child.try_wait()?.is_some())
    }

    fn signal(&self, signal: Signal) {
        // A group without members is one that has ended, which is what is asked for.
        let _ = kill_process_group(Pid::from_child(&self.child), signal);
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.signal(Signal::TERM);
        let started = Instant::now();
        while started.elapsed() < STOP_LIMIT && matches!(self.has_ended(), Ok(false)) {
            sleep(Duration::from_millis(5));
        }
        self.signal(Signal::KILL);
        let _ = self.child.wait();
    }
}

/// A server under test, listening.
#[derive(Debug)]
pub(crate) struct Server {
    name: String,
    address: SocketAddr,
    process: Process,
}

/// Where a server finds and leaves its files.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place<'a> {
    /// For its configuration and logs.
    pub(crate) scratch: &'a Path,
    /// The files that it serves.
    pub(crate) root: &'a Path,
    /// The processor that it runs on.
    pub(crate) cpu: usize,
    /// The processor that the comparison itself runs on.
    pub(crate) home: usize,
}

impl Server {
    /// Starts a server on a free port and waits until it accepts a connection.
    pub(crate) fn start(
        name: &str,
        place: Place<'_>,
        command: impl FnOnce(SocketAddr) -> Result<Command>,
    ) -> Result<Self> {
        let address = free_address()?;
        let log = place.scratch.join(format!("{name}.log"));
        let mut command = command(address)?;
        command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(create(&log)?);
        let process = Process::start(&mut command, place.cpu, place.home)?;
        let mut server = Self {
            name: name.to_owned(),
            address,
            process,
        };
        server.wait_until_listening(&log)?;
        Ok(server)
    }

    fn wait_until_listening(&mut self, log: &Path) -> Result<()> {
        let started = Instant::now();
        while started.elapsed() < START_LIMIT {
            if TcpStream::connect(self.address).is_ok() {
                return Ok(());
            }
            if self.process.has_ended()? {
                break;
            }
            sleep(Duration::from_millis(10));
        }
        let said = fs::read_to_string(log).unwrap_or_default();
        bail!(
            "{} does not listen on {}: {}",
            self.name,
            self.address,
            said.trim()
        );
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    pub(crate) const fn address(&self) -> SocketAddr {
        self.address
    }

    /// It and what it has forked.
    pub(crate) fn processes(&self) -> Result<Vec<u32>> {
        proc::family(self.process.id())
    }

    /// Processor time of all its processes so far.
    pub(crate) fn cpu_time(&self) -> Result<Duration> {
        proc::family(self.process.id())?
            .into_iter()
            .map(proc::cpu_time)
            .sum()
    }

    /// Memory of all its processes; pages that they share are counted once.
    pub(crate) fn memory(&self) -> Result<u64> {
        proc::family(self.process.id())?
            .into_iter()
            .map(proc::proportional_bytes)
            .sum()
    }
}

/// A program on `PATH` or among the system's daemons.
pub(crate) fn find_program(name: &str, package: &str) -> Result<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .chain(["/usr/sbin".into(), "/usr/local/sbin".into()])
        .map(|folder| folder.join(name))
        .find(|program| program.is_file())
        .with_context(|| format!("{name} is not installed (Debian package {package})"))
}

fn create(path: &Path) -> Result<File> {
    File::create(path).with_context(|| format!("cannot create {}", path.display()))
}

fn free_address() -> Result<SocketAddr> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("no free port on loopback")?;
    Ok(listener.local_addr()?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compare::allowed_cpus;

    #[test]
    fn a_dropped_process_takes_its_children_along() {
        let cpu = allowed_cpus().unwrap()[0];
        let mut command = Command::new("sh");
        command.args(["-c", "sleep 60 & sleep 60"]);
        let process = Process::start(&mut command, cpu, cpu).unwrap();
        let started = Instant::now();
        let family = loop {
            let family = proc::family(process.id()).unwrap();
            if family.len() == 3 {
                break family;
            }
            assert!(started.elapsed() < START_LIMIT, "{family:?}");
        };
        drop(process);
        assert!(started.elapsed() < START_LIMIT);
        for pid in family {
            // Gone, or a zombie that waits for its reaper.
            let ended = || {
                let status = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
                status.is_empty() || status.contains(") Z ")
            };
            while !ended() {
                assert!(started.elapsed() < START_LIMIT, "{pid} still runs");
                sleep(Duration::from_millis(1));
            }
        }
    }
}
