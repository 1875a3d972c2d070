//! Opens files beneath a folder, never outside it.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

use rustix::fs::{Mode, OFlags, ResolveFlags};
use rustix::io::Errno;

/// A FIFO must not stop the worker, and what is opened must not leak into programs that it starts.
const READ: OFlags = OFlags::RDONLY
    .union(OFlags::NONBLOCK)
    .union(OFlags::NOCTTY)
    .union(OFlags::CLOEXEC);

/// Opens the folder that later paths are resolved beneath.
pub(crate) fn folder(path: &Path) -> io::Result<OwnedFd> {
    Ok(rustix::fs::open(
        path,
        OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC,
        Mode::empty(),
    )?)
}

/// Tries before a path is given up that cannot be resolved for renames elsewhere.
const TRIES: u32 = 64;

/// Opens `path`, relative to `root`, for reading.
pub(super) fn beneath(root: BorrowedFd<'_>, path: &str) -> Result<OwnedFd, Errno> {
    let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_MAGICLINKS;
    let mut outcome = Err(Errno::AGAIN);
    for _ in 0..TRIES {
        outcome = rustix::fs::openat2(root, path, READ, Mode::empty(), resolve);
        // EAGAIN: a rename anywhere in the system raced with the resolution of "..", which only a symbolic link can bring
        // in here.
        if !matches!(outcome, Err(Errno::AGAIN)) {
            break;
        }
    }
    match outcome {
        Err(Errno::NOSYS | Errno::PERM) => segment_by_segment(root, path),
        outcome => outcome,
    }
}

/// For kernels before 5.6, and for filters that do not know `openat2`: no symbolic link is followed, so nothing leads
/// outside.
fn segment_by_segment(root: BorrowedFd<'_>, path: &str) -> Result<OwnedFd, Errno> {
    let mut folder: Option<OwnedFd> = None;
    let mut segments = path.split('/').filter(|segment| !segment.is_empty()).peekable();
    while let Some(segment) = segments.next() {
        if segment == ".." {
            return Err(Errno::XDEV);
        }
        let flags = READ | OFlags::NOFOLLOW;
        let flags = if segments.peek().is_some() {
            flags | OFlags::DIRECTORY
        } else {
            flags
        };
        let parent = folder.as_ref().map_or(root, AsFd::as_fd);
        folder = Some(rustix::fs::openat(parent, segment, flags, Mode::empty())?);
    }
    folder.ok_or(Errno::ISDIR)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use super::*;

    type Opener = fn(BorrowedFd<'_>, &str) -> Result<OwnedFd, Errno>;

    #[test]
    fn both_ways_stay_beneath_the_folder() {
        let outside = tempfile::tempdir().unwrap();
        fs::write(outside.path().join("secret"), "x").unwrap();
        let root = outside.path().join("root");
        fs::create_dir_all(root.join("a")).unwrap();
        fs::write(root.join("a/file"), "x").unwrap();
        symlink(outside.path(), root.join("up")).unwrap();
        symlink("../..", root.join("a/climb")).unwrap();
        let root = folder(&root).unwrap();
        for open in [beneath as Opener, segment_by_segment] {
            assert!(open(root.as_fd(), "a/file").is_ok());
            assert!(open(root.as_fd(), "a//file").is_ok());
            for path in [
                "../secret",
                "up/secret",
                "a/climb/secret",
                "a/../../secret",
                "a/file/x",
            ] {
                assert!(open(root.as_fd(), path).is_err(), "{path}");
            }
            assert_eq!(open(root.as_fd(), "none").unwrap_err(), Errno::NOENT);
        }
    }

    #[test]
    fn links_that_stay_inside_are_followed() {
        let root = tempfile::tempdir().unwrap();
        fs::write(root.path().join("file"), "x").unwrap();
        symlink("file", root.path().join("link")).unwrap();
        let root = folder(root.path()).unwrap();
        assert!(beneath(root.as_fd(), "link").is_ok());
        assert!(segment_by_segment(root.as_fd(), "link").is_err());
    }
}
