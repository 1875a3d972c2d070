//! A file as it is served: its variants, their fields and validators.

use std::fs::File;
use std::io::Read;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::rc::Rc;
use std::sync::Arc;

use rustix::fs::{FileType, Stat};
use rustix::io::Errno;

use super::open;
use crate::Status;
use crate::http::conditional::{Validators, format_date};
use crate::http::negotiate::Coding;
use crate::http::{field, mime};
use crate::response::Content;

/// Largest file, in bytes, whose content is kept in memory and leaves in one write with its head.
const MEMORY_LIMIT: u64 = 16 * 1024;

/// What a path leads to.
#[derive(Debug)]
pub(crate) enum Found {
    File(Rc<Resource>),
    /// A folder named without its final slash.
    Folder,
}

/// A file and its precompressed siblings.
#[derive(Debug)]
pub(crate) struct Resource {
    identity: Variant,
    codings: [Option<Variant>; Coding::ALL.len()],
}

/// One representation of a resource.
#[derive(Debug)]
pub(crate) struct Variant {
    fields: Arc<[u8]>,
    etag: Box<[u8]>,
    modified: u64,
    length: u64,
    content: Source,
}

#[derive(Debug)]
enum Source {
    Memory(Arc<[u8]>),
    File(Arc<OwnedFd>),
}

impl Resource {
    /// Opens what `path`, with or without leading slashes, names beneath `root`.
    pub(super) fn open(root: BorrowedFd<'_>, path: &str) -> Result<Found, Status> {
        let relative = path.trim_start_matches('/');
        let index;
        let relative = if path.is_empty() {
            return Ok(Found::Folder);
        } else if relative.is_empty() || relative.ends_with('/') {
            index = format!("{relative}index.html");
            &index
        } else {
            relative
        };
        let file = open::beneath(root, relative).map_err(status)?;
        let stat = rustix::fs::fstat(&file).map_err(status)?;
        match FileType::from_raw_mode(stat.st_mode) {
            FileType::RegularFile => {}
            FileType::Directory => return Ok(Found::Folder),
            _ => return Err(Status::NOT_FOUND),
        }
        let siblings = Coding::ALL.map(|coding| sibling(root, relative, coding, &stat));
        let vary = siblings.iter().any(Option::is_some);
        let identity = Variant::new(relative, None, vary, file, &stat)?;
        let mut codings = [const { None }; Coding::ALL.len()];
        for ((slot, sibling), coding) in codings.iter_mut().zip(siblings).zip(Coding::ALL) {
            if let Some((file, stat)) = sibling {
                *slot = Some(Variant::new(relative, Some(coding), vary, file, &stat)?);
            }
        }
        Ok(Found::File(Rc::new(Self { identity, codings })))
    }

    pub(crate) const fn identity(&self) -> &Variant {
        &self.identity
    }

    pub(crate) fn coded(&self, coding: Coding) -> Option<&Variant> {
        self.codings[coding as usize].as_ref()
    }

    pub(crate) fn has_codings(&self) -> bool {
        self.codings.iter().any(Option::is_some)
    }

    /// Bytes of memory that the contents take.
    pub(super) fn memory(&self) -> usize {
        let variants = self.codings.iter().flatten().chain([&self.identity]);
        variants
            .map(|variant| {
                if let Source::Memory(bytes) = &variant.content {
                    bytes.len()
                } else {
                    0
                }
            })
            .sum()
    }
}

/// A regular file beside the one that is served and not older than it: an older one holds yesterday's content.
fn sibling(root: BorrowedFd<'_>, path: &str, coding: Coding, original: &Stat) -> Option<(OwnedFd, Stat)> {
    let file = open::beneath(root, &format!("{path}{}", coding.suffix())).ok()?;
    let stat = rustix::fs::fstat(&file).ok()?;
    let age = |stat: &Stat| (stat.st_mtime, stat.st_mtime_nsec);
    (FileType::from_raw_mode(stat.st_mode).is_file() && age(&stat) >= age(original)).then_some((file, stat))
}

impl Variant {
    fn new(
        path: &str,
        coding: Option<Coding>,
        vary: bool,
        file: OwnedFd,
        stat: &Stat,
    ) -> Result<Self, Status> {
        let modified = u64::try_from(stat.st_mtime).unwrap_or(0);
        let length = u64::try_from(stat.st_size).unwrap_or(0);
        let coding_name = coding.map(Coding::name);
        let tag = coding_name.unwrap_or_default();
        let etag = format!("\"{modified:x}.{:x}-{length:x}{tag}\"", stat.st_mtime_nsec);
        let (content, length) = if length <= MEMORY_LIMIT {
            let bytes = read(file, length).map_err(|_| Status::INTERNAL_SERVER_ERROR)?;
            let length = bytes.len() as u64;
            (Source::Memory(bytes.into()), length)
        } else {
            (Source::File(Arc::new(file)), length)
        };
        let mut fields = Vec::new();
        field::push(&mut fields, "Content-Type", mime::for_path(path));
        if let Some(name) = coding_name {
            field::push(&mut fields, "Content-Encoding", name);
        }
        if vary {
            field::push(&mut fields, "Vary", "Accept-Encoding");
        }
        field::push(&mut fields, "ETag", &etag);
        field::push(&mut fields, "Last-Modified", &format_date(modified));
        field::push(&mut fields, "Accept-Ranges", "bytes");
        Ok(Self {
            fields: fields.into(),
            etag: etag.into_bytes().into(),
            modified,
            length,
            content,
        })
    }

    pub(crate) fn fields(&self) -> Arc<[u8]> {
        Arc::clone(&self.fields)
    }

    pub(crate) const fn validators(&self) -> Validators<'_> {
        Validators {
            etag: &self.etag,
            modified: self.modified,
        }
    }

    pub(crate) const fn len(&self) -> u64 {
        self.length
    }

    pub(crate) fn content(&self) -> Content {
        match &self.content {
            Source::Memory(bytes) => Content::Shared(Arc::clone(bytes)),
            Source::File(file) => Content::File {
                file: Arc::clone(file),
                offset: 0,
                length: self.length,
            },
        }
    }

    /// `length` bytes from `offset`; the caller keeps both inside the representation.
    pub(crate) fn part(&self, offset: u64, length: u64) -> Content {
        match &self.content {
            Source::Memory(bytes) => {
                let start = usize::try_from(offset).unwrap_or(usize::MAX);
                let count = usize::try_from(length).unwrap_or(usize::MAX);
                Content::Owned(bytes.iter().skip(start).take(count).copied().collect())
            }
            Source::File(file) => Content::File {
                file: Arc::clone(file),
                offset,
                length,
            },
        }
    }
}

/// At most `length` bytes: a file that grows meanwhile is served as its length said.
fn read(file: OwnedFd, length: u64) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::with_capacity(usize::try_from(length).unwrap_or(0));
    File::from(file).take(length).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// What a client is told when a file cannot be opened. That a path leads outside is not told apart from its absence.
fn status(error: Errno) -> Status {
    match error {
        Errno::NOENT
        | Errno::NOTDIR
        | Errno::NAMETOOLONG
        | Errno::LOOP
        | Errno::XDEV
        | Errno::INVAL
        | Errno::NXIO => Status::NOT_FOUND,
        Errno::ACCESS | Errno::PERM => Status::FORBIDDEN,
        // Renames elsewhere kept the path from being resolved; another time it may be.
        Errno::AGAIN => Status::SERVICE_UNAVAILABLE,
        Errno::MFILE | Errno::NFILE => {
            tracing::error!("cannot open a file: {error}; raise the limit of open files");
            Status::SERVICE_UNAVAILABLE
        }
        _ => {
            tracing::error!("cannot open a file: {error}");
            Status::INTERNAL_SERVER_ERROR
        }
    }
}
