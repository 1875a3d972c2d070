//! A server with all that it forks.

use std::fs::{self, File};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};
use std::thread::sleep;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use rustix::process::{Pid, Signal, kill_process, kill_process_group, set_parent_process_death_signal};

use crate::library::Mode;
use crate::patience::Patience;

/// A server that listens, killed with its whole process group when it is dropped.
#[derive(Debug)]
pub(crate) struct Server {
    address: SocketAddr,
    child: Child,
    log: PathBuf,
}

impl Server {
    /// Starts `command` on a free port and waits until it accepts a connection there.
    pub(crate) fn start(
        folder: &Path,
        mode: &Mode,
        command: impl Fn(SocketAddr) -> Result<Command>,
    ) -> Result<Self> {
        let mut said = String::new();
        // Somebody may take the port meanwhile.
        for _attempt in 0..3 {
            let address = free_address()?;
            let mut command = command(address)?;
            mode.apply(&mut command);
            let log = folder.join("stderr.log");
            let mut server = Self {
                address,
                child: spawn(&mut command, &log)?,
                log,
            };
            if server.listens()? {
                return Ok(server);
            }
            said = format!("{command:?}: {}", server.said());
        }
        bail!("does not listen: {said}")
    }

    fn listens(&mut self) -> Result<bool> {
        let mut patience = Patience::new();
        while patience.lasts(Duration::from_millis(10)) {
            if TcpStream::connect(self.address).is_ok() {
                return Ok(true);
            }
            // One that has left its work to an orphan has succeeded.
            if self.child.try_wait()?.is_some_and(|status| !status.success()) {
                return Ok(false);
            }
        }
        Ok(false)
    }

    pub(crate) const fn address(&self) -> SocketAddr {
        self.address
    }

    /// What it wrote to its standard error.
    pub(crate) fn said(&self) -> String {
        fs::read(&self.log).map_or_else(
            |error| error.to_string(),
            |text| String::from_utf8_lossy(&text).into_owned(),
        )
    }

    fn id(&self) -> Pid {
        Pid::from_child(&self.child)
    }

    /// Signals the process that was started, not what it forked.
    pub(crate) fn signal(&self, signal: Signal) -> Result<()> {
        kill_process(self.id(), signal).context("the server has ended")
    }

    /// Stops it with all that it forked, so that what arrives meanwhile is seen all at once.
    pub(crate) fn pause(&self) -> Result<()> {
        kill_process_group(self.id(), Signal::STOP)?;
        let mut patience = Patience::new();
        for process in self.family()? {
            while state(process) != Some('T') {
                ensure!(
                    patience.lasts(Duration::from_millis(1)),
                    "process {process} does not stop, but is in state {:?}",
                    state(process)
                );
            }
        }
        Ok(())
    }

    pub(crate) fn resume(&self) -> Result<()> {
        Ok(kill_process_group(self.id(), Signal::CONT)?)
    }

    /// It and its descendants.
    pub(crate) fn family(&self) -> Result<Vec<u32>> {
        let mut parents = Vec::new();
        for entry in fs::read_dir("/proc")? {
            let process = entry?
                .file_name()
                .to_str()
                .and_then(|name| name.parse::<u32>().ok());
            if let Some(process) = process
                && let Some(parent) = field(process, 1).and_then(|parent| parent.parse::<u32>().ok())
            {
                parents.push((process, parent));
            }
        }
        let mut family = vec![self.child.id()];
        let mut next = 0;
        while let Some(&member) = family.get(next) {
            let children = parents.iter().filter(|&&(_, parent)| parent == member);
            family.extend(children.map(|&(process, _)| process));
            next += 1;
        }
        Ok(family)
    }

    /// Open sockets of all its processes.
    pub(crate) fn sockets(&self) -> Result<usize> {
        Ok(self.each_socket()?.len())
    }

    /// Whether it has a file under `folder` open.
    pub(crate) fn has_open(&self, folder: &Path) -> Result<bool> {
        Ok(self
            .descriptors()?
            .iter()
            .any(|(.., target)| Path::new(target).starts_with(folder)))
    }

    /// Process, descriptor and inode of each socket.
    fn each_socket(&self) -> Result<Vec<(u32, String, String)>> {
        let sockets = self
            .descriptors()?
            .into_iter()
            .filter_map(|(process, fd, target)| {
                let inode = target.strip_prefix("socket:[")?.trim_end_matches(']');
                Some((process, fd, inode.to_owned()))
            });
        Ok(sockets.collect())
    }

    /// Process, number and target of all open descriptors.
    fn descriptors(&self) -> Result<Vec<(u32, String, String)>> {
        let mut all = Vec::new();
        for process in self.family()? {
            // It may have ended since.
            let Ok(entries) = fs::read_dir(format!("/proc/{process}/fd")) else {
                continue;
            };
            for entry in entries.flatten() {
                let target = fs::read_link(entry.path()).unwrap_or_default();
                let fd = entry.file_name().to_string_lossy().into_owned();
                all.push((process, fd, target.to_string_lossy().into_owned()));
            }
        }
        Ok(all)
    }

    /// Its TCP connections, with what the kernel says of them.
    pub(crate) fn connections(&self) -> Result<String> {
        let table = fs::read_to_string("/proc/net/tcp")?;
        let mut text = String::new();
        for (process, fd, inode) in self.each_socket()? {
            let fields = table.lines().find_map(|line| {
                let fields: Vec<_> = line.split_whitespace().collect();
                (fields.get(9) == Some(&inode.as_str())).then_some(fields)
            });
            // Local and remote address, state, bytes not sent and not read: all in hexadecimal.
            if let Some(fields) = fields {
                text += &format!("\nprocess {process}, descriptor {fd}: {}", fields[1..5].join(" "));
            }
        }
        Ok(text)
    }

    /// [`sockets`](Self::sockets), once they do not change any more.
    pub(crate) fn settled_sockets(&self) -> Result<usize> {
        let mut last = 0;
        loop {
            let now = self.sockets()?;
            if now == last {
                return Ok(now);
            }
            last = now;
            sleep(Duration::from_millis(100));
        }
    }

    /// That each of its processes has mapped `library`.
    pub(crate) fn has_mapped(&self, library: &Path) -> Result<bool> {
        for process in self.family()? {
            if !maps(process, library)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Waits for the end.
    pub(crate) fn ends(&mut self) -> Result<ExitStatus> {
        let mut patience = Patience::new();
        loop {
            if let Some(status) = self.child.try_wait()? {
                return Ok(status);
            }
            ensure!(
                patience.lasts(Duration::from_millis(5)),
                "the server does not end; it said {:?}, and has the connections {}",
                self.said(),
                self.connections()?
            );
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // A group without members is one that has ended.
        let _gone = kill_process_group(self.id(), Signal::KILL);
        let _status = self.child.wait();
    }
}

fn spawn(command: &mut Command, log: &Path) -> Result<Child> {
    command
        .process_group(0)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(File::create(log)?);
    // SAFETY: between fork and exec the closure makes one system call, which is async-signal-safe, and allocates nothing.
    unsafe { command.pre_exec(|| Ok(set_parent_process_death_signal(Some(Signal::KILL))?)) };
    command
        .spawn()
        .with_context(|| format!("cannot start {}", command.get_program().display()))
}

/// A program on `PATH` or among the system's daemons.
pub(crate) fn program(name: &str, package: &str) -> Result<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    // The system's own first: what a user has put before them may be a script.
    ["/usr/sbin".into(), "/usr/bin".into()]
        .into_iter()
        .chain(std::env::split_paths(&path))
        .map(|folder| folder.join(name))
        .find(|program| program.is_file())
        .with_context(|| format!("{name} is not installed (Debian package {package})"))
}

/// A port outside of the range from which the kernel takes those of clients.
pub(crate) fn free_address() -> Result<SocketAddr> {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let begin = std::process::id() as u16 % 16_000;
    for _attempt in 0..16_000 {
        let next = NEXT.fetch_add(1, Ordering::Relaxed);
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, 12_000 + begin.wrapping_add(next) % 16_000));
        if TcpListener::bind(address).is_ok() {
            return Ok(address);
        }
    }
    bail!("no free port on loopback")
}

/// A field of `/proc/PROCESS/stat`, counted from the state, which is the first after the name.
fn field(process: u32, index: usize) -> Option<String> {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    let rest = stat.rsplit_once(')')?.1;
    rest.split_whitespace().nth(index).map(str::to_owned)
}

/// Whether a process has mapped `library`; true for one that has ended, or is about to become another program.
pub(crate) fn maps(process: u32, library: &Path) -> Result<bool> {
    let maps = fs::read_to_string(format!("/proc/{process}/maps"))?;
    Ok(maps.is_empty() || maps.contains(&*library.to_string_lossy()))
}

/// The letter of its state; nothing once it is gone.
pub(crate) fn state(process: u32) -> Option<char> {
    field(process, 0)?.chars().next()
}
