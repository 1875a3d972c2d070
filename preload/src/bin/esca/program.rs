//! Whether preloading would do anything for a program.

use std::env;
use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::Read;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// As much of a file as holds its ELF headers.
const HEAD: u64 = 64 << 10;

/// The file that a shell would run.
pub(crate) fn find(name: &OsStr) -> Result<PathBuf, String> {
    if name.as_bytes().contains(&b'/') {
        return Ok(PathBuf::from(name));
    }
    let path = env::var_os("PATH").unwrap_or_else(|| "/usr/local/bin:/usr/bin:/bin".into());
    let runs = |file: &PathBuf| {
        fs::metadata(file).is_ok_and(|of| of.is_file() && of.permissions().mode() & 0o111 != 0)
    };
    env::split_paths(&path)
        .map(|folder| folder.join(name))
        .find(runs)
        .ok_or_else(|| format!("{}: not found in PATH", name.display()))
}

/// Says why a program cannot be helped, if so.
pub(crate) fn check(path: &Path) -> Result<(), String> {
    let shown = path.display();
    let mut file = File::open(path).map_err(|error| format!("{shown}: {error}"))?;
    let of = file.metadata().map_err(|error| format!("{shown}: {error}"))?;
    if of.permissions().mode() & 0o6000 != 0 {
        return Err(format!(
            "{shown} is setuid or setgid: the loader ignores LD_PRELOAD for it. Start it as its user, from a copy without the bit"
        ));
    }
    if has_capabilities(path) {
        return Err(format!(
            "{shown} has file capabilities: the loader ignores LD_PRELOAD for it"
        ));
    }
    let mut head = Vec::new();
    file.by_ref()
        .take(HEAD)
        .read_to_end(&mut head)
        .map_err(|error| format!("{shown}: {error}"))?;
    if let Some(rest) = head.strip_prefix(b"#!") {
        let line = rest.split(|&byte| byte == b'\n').next().unwrap_or_default();
        let interpreter = line
            .trim_ascii()
            .split(u8::is_ascii_whitespace)
            .next()
            .unwrap_or_default();
        return check(Path::new(OsStr::from_bytes(interpreter)));
    }
    match kind(&head) {
        Kind::Dynamic => Ok(()),
        Kind::Static => Err(format!(
            "{shown} is statically linked: there is no loader that would take LD_PRELOAD"
        )),
        Kind::Foreign => Err(format!("{shown} is for another processor than this library")),
        Kind::Unknown => Err(format!("{shown} is neither an ELF program nor a script")),
    }
}

fn has_capabilities(path: &Path) -> bool {
    let Ok(path) = std::ffi::CString::new(path.as_os_str().as_bytes()) else {
        return false;
    };
    // SAFETY: both are C strings; a length of zero asks for the size only.
    let size = unsafe {
        libc::getxattr(
            path.as_ptr(),
            c"security.capability".as_ptr(),
            std::ptr::null_mut(),
            0,
        )
    };
    size > 0
}

#[derive(Debug, Eq, PartialEq)]
enum Kind {
    Dynamic,
    Static,
    Foreign,
    Unknown,
}

/// What kind of program begins like this. ELF-64, little endian: `elf(5)`.
fn kind(head: &[u8]) -> Kind {
    const MACHINE: u16 = if cfg!(target_arch = "x86_64") { 62 } else { 183 };
    const PT_INTERP: u32 = 3;
    if !head.starts_with(b"\x7fELF") {
        return Kind::Unknown;
    }
    let half = |at: usize| {
        head.get(at..at + 2)
            .and_then(|bytes| bytes.try_into().ok())
            .map(u16::from_le_bytes)
    };
    let word = |at: usize| {
        head.get(at..at + 4)
            .and_then(|bytes| bytes.try_into().ok())
            .map(u32::from_le_bytes)
    };
    let long = |at: usize| {
        head.get(at..at + 8)
            .and_then(|bytes| bytes.try_into().ok())
            .map(u64::from_le_bytes)
    };
    if !head[4..].starts_with(&[2, 1]) || half(18) != Some(MACHINE) {
        return Kind::Foreign;
    }
    let (Some(table), Some(size), Some(count)) = (long(32), half(54), half(56)) else {
        return Kind::Unknown;
    };
    let interpreted = (0..usize::from(count)).any(|index| {
        let at = usize::try_from(table)
            .ok()
            .and_then(|table| table.checked_add(index * usize::from(size)));
        at.is_some_and(|at| at < head.len() && word(at) == Some(PT_INTERP))
    });
    if interpreted { Kind::Dynamic } else { Kind::Static }
}

#[cfg(test)]
mod tests {
    use super::{Kind, kind};

    #[test]
    fn programs_are_told_apart() {
        let own = std::fs::read(std::env::current_exe().unwrap()).unwrap();
        assert_eq!(kind(&own), Kind::Dynamic);
        let mut foreign = own.clone();
        foreign[18] ^= 1;
        assert_eq!(kind(&foreign), Kind::Foreign);
        // No program headers: nothing asks for a loader.
        let mut alone = own;
        alone[56..58].fill(0);
        assert_eq!(kind(&alone), Kind::Static);
        assert_eq!(kind(b"\x7fELF"), Kind::Foreign);
        assert_eq!(kind(b"MZ"), Kind::Unknown);
    }
}
