//! What `/proc` says about a process.

use core::time::Duration;
use std::fs;

use anyhow::{Context, Result};

/// Resident memory of a process in bytes: every resident page, shared ones too.
///
/// # Errors
///
/// When the process is gone or belongs to somebody else.
pub fn resident_bytes(pid: u32) -> Result<u64> {
    rollup(pid, "Rss:")
}

/// Resident memory of a process in bytes, where a page shared by n processes counts as an n-th.
///
/// # Errors
///
/// When the process is gone or belongs to somebody else.
pub fn proportional_bytes(pid: u32) -> Result<u64> {
    rollup(pid, "Pss:")
}

/// Memory that new work may take without swapping, in bytes.
///
/// # Errors
///
/// When `/proc/meminfo` cannot be read.
pub fn available_bytes() -> Result<u64> {
    let path = "/proc/meminfo";
    let text = fs::read_to_string(path).with_context(|| format!("cannot read {path}"))?;
    kibibytes(&text, "MemAvailable:").with_context(|| format!("no MemAvailable in {path}"))
}

/// Number of mappings of a process; the kernel's limit is `vm.max_map_count`.
///
/// # Errors
///
/// When the process is gone or belongs to somebody else.
pub fn mappings(pid: u32) -> Result<usize> {
    Ok(read(pid, "maps")?.lines().count())
}

/// Processor time that the living threads of a process have taken.
///
/// # Errors
///
/// When the process is gone, or the kernel was built without `CONFIG_SCHED_INFO`.
pub fn cpu_time(pid: u32) -> Result<Duration> {
    let folder = format!("/proc/{pid}/task");
    let threads = fs::read_dir(&folder).with_context(|| format!("cannot read {folder}"))?;
    let mut total = Duration::ZERO;
    for thread in threads {
        let path = thread?.path().join("schedstat");
        let text = fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
        let nanoseconds = text
            .split_whitespace()
            .next()
            .and_then(|field| field.parse().ok());
        total += Duration::from_nanos(nanoseconds.with_context(|| format!("malformed {}", path.display()))?);
    }
    Ok(total)
}

/// A process and all its living descendants.
///
/// # Errors
///
/// When `/proc` cannot be read.
pub fn family(pid: u32) -> Result<Vec<u32>> {
    let mut parents = Vec::new();
    for entry in fs::read_dir("/proc").context("cannot read /proc")? {
        let Some(child) = entry?
            .file_name()
            .to_str()
            .and_then(|name| name.parse::<u32>().ok())
        else {
            continue;
        };
        // It may have ended since.
        if let Some(parent) = read(child, "stat").ok().and_then(|stat| parent(&stat)) {
            parents.push((child, parent));
        }
    }
    let mut family = vec![pid];
    let mut next = 0;
    while let Some(&member) = family.get(next) {
        family.extend(
            parents
                .iter()
                .filter(|&&(_, parent)| parent == member)
                .map(|&(child, _)| child),
        );
        next += 1;
    }
    Ok(family)
}

/// The parent in a line of `/proc/PID/stat`: the second field after the name, which may hold anything.
fn parent(stat: &str) -> Option<u32> {
    stat.rsplit_once(')')?.1.split_whitespace().nth(1)?.parse().ok()
}

fn rollup(pid: u32, field: &str) -> Result<u64> {
    kibibytes(&read(pid, "smaps_rollup")?, field)
        .with_context(|| format!("no {field} in /proc/{pid}/smaps_rollup"))
}

/// The value of a line `FIELD 123 kB`, in bytes.
fn kibibytes(text: &str, field: &str) -> Option<u64> {
    let value = text
        .lines()
        .find_map(|line| line.strip_prefix(field))?
        .trim()
        .strip_suffix(" kB")?;
    Some(value.parse::<u64>().ok()? * 1024)
}

fn read(pid: u32, file: &str) -> Result<String> {
    let path = format!("/proc/{pid}/{file}");
    fs::read_to_string(&path).with_context(|| format!("cannot read {path}"))
}

#[cfg(test)]
mod tests {
    use core::hint::black_box;

    use super::*;

    #[test]
    fn touched_memory_is_seen() {
        let pid = std::process::id();
        let before = resident_bytes(pid).unwrap();
        let touched = black_box(vec![1_u8; 32 << 20]);
        let after = resident_bytes(pid).unwrap();
        assert!(after - before >= 31 << 20, "{before} {after}");
        assert!(proportional_bytes(pid).unwrap() >= 31 << 20);
        assert!(mappings(pid).unwrap() > 5);
        drop(touched);
    }

    #[test]
    fn work_takes_processor_time() {
        let mut child = std::process::Command::new("sh")
            .args(["-c", "while :; do :; done"])
            .spawn()
            .unwrap();
        let started = std::time::Instant::now();
        while cpu_time(child.id()).unwrap() < Duration::from_millis(20) {
            assert!(started.elapsed() < Duration::from_secs(20));
        }
        child.kill().unwrap();
        child.wait().unwrap();
    }

    #[test]
    fn children_belong_to_the_family() {
        let mut child = std::process::Command::new("sleep").arg("60").spawn().unwrap();
        let family = family(std::process::id()).unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(
            family.contains(&child.id()) && family.contains(&std::process::id()),
            "{family:?}"
        );
    }

    #[test]
    fn names_do_not_confuse_the_parent() {
        assert_eq!(parent("12 (a) S 7 (b)) S 34 12 12 0"), Some(34));
    }
}
