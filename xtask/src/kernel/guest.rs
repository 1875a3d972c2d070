//! A machine under QEMU that boots a kernel, loads the module, does its jobs one after the other, and is gone.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Result;

use super::emulator::Emulator;
use super::initrd::Initrd;
use super::target::Arch;
use crate::runner::Runner;

/// Before and after what a job prints: a mark, what it is, the job's name, at the end the exit status.
const MARK: &str = "@@esca";

/// Something that the guest does.
#[derive(Clone, Debug)]
pub(super) struct Job {
    pub(super) name: String,
    /// A command of its shell.
    pub(super) command: String,
}

impl Job {
    pub(super) fn new(name: impl Into<String>, command: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            command: command.into(),
        }
    }
}

/// What came of a job.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Section {
    pub(super) name: String,
    pub(super) text: String,
    /// None when the guest ended before it.
    pub(super) status: Option<i32>,
}

/// What came of a machine.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Boot {
    pub(super) sections: Vec<Section>,
    /// Whether it was switched off by itself.
    pub(super) ended: bool,
    /// What it printed last.
    pub(super) last: String,
}

/// A machine to be started.
#[derive(Debug)]
pub(super) struct Guest<'a> {
    pub(super) emulator: &'a Emulator,
    pub(super) arch: Arch,
    pub(super) image: &'a Path,
    pub(super) busybox: &'a Path,
    pub(super) module: &'a Path,
    /// Programs of the host, by their names in the guest's `/test`.
    pub(super) programs: Vec<(String, PathBuf)>,
    pub(super) jobs: Vec<Job>,
    /// More words for the kernel's command line.
    pub(super) append: &'a str,
    /// Processors.
    pub(super) cpus: u32,
    pub(super) megabytes: u32,
    /// More arguments for QEMU.
    pub(super) machine: &'a [&'a str],
}

impl Guest<'_> {
    /// Boots it, with files in `folder`, and gives what its jobs printed until it ended or the runner's time was over.
    pub(super) fn run(&self, folder: &Path, runner: &Runner) -> Result<Boot> {
        let initrd = folder.join("initrd");
        fs::create_dir_all(folder)?;
        fs::write(&initrd, self.pack()?)?;
        let (console, machine) = match self.arch {
            Arch::Amd64 => ("ttyS0", &["-cpu", "max"][..]),
            Arch::Arm64 => ("ttyAMA0", &["-M", "virt", "-cpu", "max,pauth-impdef=on"][..]),
        };
        let mut command = self.emulator.command(self.arch);
        command.args(["-accel", "tcg", "-nographic", "-nodefaults", "-no-reboot"]);
        command.args(["-serial", "stdio", "-monitor", "none"]);
        command.args(machine).args(self.machine);
        command.args(["-smp", &self.cpus.to_string(), "-m", &self.megabytes.to_string()]);
        command.arg("-kernel").arg(self.image).arg("-initrd").arg(&initrd);
        // A busy host may keep the guest waiting for seconds, which is no fault of the kernel's. What lasts longer ends it.
        let words = "quiet panic=-1 oops=panic log_buf_len=4M watchdog_thresh=60 rcupdate.rcu_cpu_stall_timeout=120 sysctl.kernel.panic_on_rcu_stall=1";
        command.args(["-append", &format!("console={console} {words} {}", self.append)]);
        let done = runner.run(&mut command)?;
        Ok(Boot {
            sections: sections(&done.text),
            ended: done.success,
            last: last_lines(&done.text),
        })
    }

    fn pack(&self) -> Result<Vec<u8>> {
        let mut initrd = Initrd::default();
        for folder in ["bin", "dev", "etc", "proc", "sys", "test", "tmp"] {
            initrd.folder(folder);
        }
        initrd.copy("bin/busybox", self.busybox)?;
        initrd.link("bin/sh", "busybox");
        initrd.copy("esca.ko", self.module)?;
        for (name, path) in &self.programs {
            initrd.copy(&format!("test/{name}"), path)?;
        }
        initrd.file("init", self.script().as_bytes());
        Ok(initrd.finish())
    }

    fn script(&self) -> String {
        let mut script = String::from(
            "#!/bin/sh\n\
             /bin/busybox --install -s /bin\n\
             mount -t proc proc /proc; mount -t sysfs sys /sys; mount -t devtmpfs dev /dev\n\
             mkdir -p /dev/pts /dev/shm; mount -t devpts pts /dev/pts; mount -t tmpfs tmp /tmp\n\
             mount -t debugfs debug /sys/kernel/debug 2>/dev/null\n\
             ip link set lo up; ulimit -n 16384; cd /tmp; export HOME=/tmp PATH=/bin:/test\n",
        );
        for job in &self.jobs {
            script += &format!(
                "echo '{MARK} begin {name}'; ( {command} ) 2>&1 </dev/null; s=$?; echo; echo \"{MARK} end {name} $s\"\n",
                name = job.name,
                command = job.command,
            );
        }
        script += "poweroff -f\n";
        script
    }
}

/// What jobs printed, out of all that came over the console.
fn sections(console: &str) -> Vec<Section> {
    let mut found: Vec<Section> = Vec::new();
    let mut open = false;
    for line in console.lines() {
        let line = line.trim_end_matches('\r');
        let mark = line.find(MARK).map(|at| line[at + MARK.len()..].trim());
        if let Some(name) = mark.and_then(|rest| rest.strip_prefix("begin ")) {
            found.push(Section {
                name: name.to_owned(),
                text: String::new(),
                status: None,
            });
            open = true;
        } else if let Some(rest) = mark.and_then(|rest| rest.strip_prefix("end ")) {
            if let Some(section) = found.last_mut() {
                section.status = rest.rsplit(' ').next().and_then(|status| status.parse().ok());
            }
            open = false;
        } else if !open || found.is_empty() {
            let outside = Section {
                name: "console".to_owned(),
                text: String::new(),
                status: Some(0),
            };
            if !matches!(found.last(), Some(section) if section.name == "console") {
                found.push(outside);
            }
            append(&mut found, line);
        } else {
            append(&mut found, line);
        }
    }
    found
}

/// The end of what came over the console, for one line of a table.
fn last_lines(console: &str) -> String {
    const LINES: usize = 4;
    const CHARACTERS: usize = 160;
    let lines: Vec<String> = console
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty())
        .map(|line| line.chars().take(CHARACTERS).collect())
        .collect();
    lines[lines.len().saturating_sub(LINES)..].join(" | ")
}

fn append(sections: &mut [Section], line: &str) {
    if let Some(section) = sections.last_mut() {
        section.text.push_str(line);
        section.text.push('\n');
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn jobs_are_told_apart() {
        let console = "\
SeaBIOS\r
@@esca begin insmod\r
[    1.2] esca: loaded\r
\r
@@esca end insmod 0\r
@@esca begin tests\r
test result: ok. 3 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out\r
[    9.9] Kernel panic - not syncing: Fatal exception\r
";
        let found = sections(console);
        let names: Vec<_> = found
            .iter()
            .map(|section| (section.name.as_str(), section.status))
            .collect();
        assert_eq!(
            names,
            [("console", Some(0)), ("insmod", Some(0)), ("tests", None)]
        );
        assert!(found[2].text.contains("Kernel panic"));
    }

    #[test]
    fn the_last_lines_make_one() {
        assert_eq!(last_lines("a\r\n\r\nb\r\n"), "a | b");
        assert_eq!(last_lines("1\n2\n3\n4\n5\n"), "2 | 3 | 4 | 5");
        assert_eq!(last_lines(""), "");
    }
}
