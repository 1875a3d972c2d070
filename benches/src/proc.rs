//! What `/proc` says about a process.

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

/// Resident memory of a process that no other process maps, in bytes.
///
/// # Errors
///
/// When the process is gone or belongs to somebody else.
pub fn private_bytes(pid: u32) -> Result<u64> {
    Ok(rollup(pid, "Private_Clean:")? + rollup(pid, "Private_Dirty:")?)
}

/// Number of mappings of a process; the kernel's limit is `vm.max_map_count`.
///
/// # Errors
///
/// When the process is gone or belongs to somebody else.
pub fn mappings(pid: u32) -> Result<usize> {
    Ok(read(pid, "maps")?.lines().count())
}

fn rollup(pid: u32, field: &str) -> Result<u64> {
    let text = read(pid, "smaps_rollup")?;
    let kibibytes = text
        .lines()
        .find_map(|line| line.strip_prefix(field))
        .and_then(|rest| rest.trim().strip_suffix(" kB"))
        .with_context(|| format!("no {field} in /proc/{pid}/smaps_rollup"))?;
    Ok(kibibytes
        .parse::<u64>()
        .with_context(|| format!("{field} of /proc/{pid}/smaps_rollup"))?
        * 1024)
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
        assert!(private_bytes(pid).unwrap() >= 31 << 20);
        assert!(mappings(pid).unwrap() > 5);
        drop(touched);
    }
}
