//! Where servers find and leave their files.

use std::fs::{self, File};
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::time::{Duration, SystemTime};

use anyhow::{Context, Result};
use tempfile::TempDir;

/// Sizes of the files: around a page, around what fits into one segment or one send, and far more than a socket takes.
pub(crate) const SIZES: [usize; 12] = [
    0, 1, 100, 4095, 4096, 4097, 16_384, 65_536, 100_001, 300_000, 1_000_003, 20_000_003,
];

/// A temporary folder with the files to serve, gone when this is dropped.
#[derive(Debug)]
pub(crate) struct Place {
    folder: TempDir,
}

impl Place {
    pub(crate) fn new() -> Result<Self> {
        let folder = TempDir::new().context("no temporary folder")?;
        // For servers that give root away.
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755))?;
        let place = Self { folder };
        fs::create_dir(place.root())?;
        for size in SIZES {
            let mut file = File::create(place.root().join(name(size)))?;
            file.write_all(content(size))?;
            // For a file that has just changed, a server may give a tag that holds for a second only.
            file.set_modified(SystemTime::now() - Duration::from_secs(3600))?;
        }
        Ok(place)
    }

    pub(crate) fn root(&self) -> PathBuf {
        self.folder.path().join("www")
    }

    /// A folder of its own for one server.
    pub(crate) fn server(&self, name: &str) -> Result<PathBuf> {
        let folder = self.folder.path().join(name);
        fs::create_dir_all(&folder)?;
        fs::set_permissions(&folder, fs::Permissions::from_mode(0o777))?;
        Ok(folder)
    }
}

/// Writes a configuration.
pub(crate) fn write(folder: &Path, name: &str, text: &str) -> Result<PathBuf> {
    let path = folder.join(name);
    fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))?;
    Ok(path)
}

/// The name of the file of this size.
pub(crate) fn name(size: usize) -> String {
    format!("{size}.bin")
}

/// The content of the file of this size: bytes that differ from place to place, and from file to file.
pub(crate) fn content(size: usize) -> &'static [u8] {
    static LONGEST: OnceLock<Vec<u8>> = OnceLock::new();
    let all = LONGEST.get_or_init(|| {
        let mut state = 0x9e37_79b9_7f4a_7c15_u64;
        let mut bytes = Vec::with_capacity(SIZES[SIZES.len() - 1] * 2);
        while bytes.len() < bytes.capacity() - 8 {
            // Vigna's xorshift64.
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            bytes.extend_from_slice(&state.to_le_bytes());
        }
        bytes
    });
    // Each size begins elsewhere.
    let begin = size % 9973;
    &all[begin..begin + size]
}
