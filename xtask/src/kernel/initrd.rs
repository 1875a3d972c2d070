//! The guest's first file system: a cpio archive in the form `newc` (the kernel's
//! `Documentation/driver-api/early-userspace/buffer-format.rst`).

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};

/// An archive under construction.
#[derive(Debug, Default)]
pub(super) struct Initrd {
    bytes: Vec<u8>,
    count: u32,
}

const FOLDER: u32 = 0o040_755;
const PROGRAM: u32 = 0o100_755;
const LINK: u32 = 0o120_777;

impl Initrd {
    pub(super) fn folder(&mut self, path: &str) {
        self.entry(path, FOLDER, &[]);
    }

    pub(super) fn link(&mut self, path: &str, to: &str) {
        self.entry(path, LINK, to.as_bytes());
    }

    /// A file that may be executed.
    pub(super) fn file(&mut self, path: &str, contents: &[u8]) {
        self.entry(path, PROGRAM, contents);
    }

    /// A copy of a file of the host.
    pub(super) fn copy(&mut self, path: &str, from: &Path) -> Result<()> {
        let contents = fs::read(from).with_context(|| format!("cannot read {}", from.display()))?;
        self.file(path, &contents);
        Ok(())
    }

    fn entry(&mut self, path: &str, mode: u32, contents: &[u8]) {
        self.count += 1;
        let name_size = u32::try_from(path.len() + 1).unwrap_or(u32::MAX);
        // The form has 32 bits for a size; what is packed here is programs.
        let size = u32::try_from(contents.len()).unwrap_or(u32::MAX);
        // ino, mode, uid, gid, nlink, mtime, filesize, device of the file, device that it is, namesize, check
        let fields = [self.count, mode, 0, 0, 1, 0, size, 0, 0, 0, 0, name_size, 0];
        self.bytes.extend_from_slice(b"070701");
        for field in fields {
            self.bytes.extend_from_slice(format!("{field:08x}").as_bytes());
        }
        self.bytes.extend_from_slice(path.as_bytes());
        self.bytes.push(0);
        self.pad();
        self.bytes.extend_from_slice(contents);
        self.pad();
    }

    fn pad(&mut self) {
        self.bytes.resize(self.bytes.len().next_multiple_of(4), 0);
    }

    /// The whole archive.
    pub(super) fn finish(mut self) -> Vec<u8> {
        self.entry("TRAILER!!!", 0, &[]);
        self.bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_have_the_documented_form() {
        let mut initrd = Initrd::default();
        initrd.file("init", b"#!/bin/sh\n");
        let bytes = initrd.finish();
        assert_eq!(&bytes[..6], b"070701");
        assert_eq!(&bytes[6..14], b"00000001");
        assert_eq!(&bytes[14..22], format!("{PROGRAM:08x}").as_bytes());
        // The file's size, the name's with its zero.
        assert_eq!(&bytes[54..62], b"0000000a");
        assert_eq!(&bytes[94..102], b"00000005");
        assert_eq!(&bytes[110..115], b"init\0");
        // 110 + 5 is padded to 116, there is the content, padded again.
        assert_eq!(&bytes[116..126], b"#!/bin/sh\n");
        assert_eq!(&bytes[128..134], b"070701");
        assert_eq!(bytes.len() % 4, 0);
    }

    #[test]
    fn cpio_reads_it_where_there_is_one() {
        use std::io::Write as _;
        use std::process::{Command, Stdio};
        let mut initrd = Initrd::default();
        initrd.folder("bin");
        initrd.link("bin/sh", "busybox");
        initrd.file("bin/busybox", &[7; 1001]);
        let bytes = initrd.finish();
        let child = Command::new("cpio")
            .arg("-it")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn();
        let Ok(mut child) = child else {
            eprintln!("skipped: no cpio");
            return;
        };
        let mut input = child.stdin.take().expect("a pipe");
        input.write_all(&bytes).expect("cpio reads");
        drop(input);
        let output = child.wait_with_output().expect("cpio ends");
        assert!(output.status.success());
        assert_eq!(output.stdout, b"bin\nbin/sh\nbin/busybox\n");
    }
}
