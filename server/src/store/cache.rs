//! What one worker remembers of the files that it served.

use std::os::fd::{AsFd, OwnedFd};
use std::rc::Rc;
use std::sync::Arc;

use trie8::Trie;

use super::resource::{Found, Resource};
use crate::Status;

/// How long, in milliseconds, a file is served before it is looked at again.
const FRESH: u64 = 1000;
/// Most files remembered, which bounds the descriptors that stay open.
const MAX_FILES: usize = 1024;
/// Most bytes of content held in memory.
const MAX_MEMORY: usize = 32 * 1024 * 1024;

/// Resources by folder and path.
#[derive(Debug, Default)]
pub(crate) struct FileCache {
    /// A worker serves one or two folders, so a scan finds the right one. Paths come from clients, who could choose them to
    /// collide in a hash table; a trie has no bad case.
    folders: Vec<(usize, Trie<Entry>)>,
    files: usize,
    memory: usize,
}

#[derive(Debug)]
struct Entry {
    resource: Rc<Resource>,
    /// When the file was opened and read, in milliseconds of the worker's clock.
    opened: u64,
    used: u64,
}

impl FileCache {
    /// The resource at `path` beneath `root`, opened at most [`FRESH`] milliseconds before `now`.
    pub(crate) fn resource(&mut self, root: &Arc<OwnedFd>, path: &str, now: u64) -> Result<Found, Status> {
        // The router keeps every folder open for as long as a worker runs, so its address names it.
        let folder = Arc::as_ptr(root) as usize;
        if let Some((_, entries)) = self.folders.iter_mut().find(|(known, _)| *known == folder)
            && let Some(entry) = entries.get_mut(path.as_bytes())
            && now.wrapping_sub(entry.opened) < FRESH
        {
            entry.used = now;
            return Ok(Found::File(Rc::clone(&entry.resource)));
        }
        self.forget(folder, path);
        let found = Resource::open(root.as_fd(), path)?;
        if let Found::File(resource) = &found {
            self.remember(folder, path, Rc::clone(resource), now);
        }
        Ok(found)
    }

    fn forget(&mut self, folder: usize, path: &str) {
        let entries = self.folders.iter_mut().find(|(known, _)| *known == folder);
        if let Some(entry) = entries.and_then(|(_, entries)| entries.remove(path.as_bytes())) {
            self.files -= 1;
            self.memory -= entry.resource.memory();
        }
    }

    fn remember(&mut self, folder: usize, path: &str, resource: Rc<Resource>, now: u64) {
        if self.files >= MAX_FILES || self.memory >= MAX_MEMORY {
            self.evict();
        }
        let memory = resource.memory();
        let at = self
            .folders
            .iter()
            .position(|(known, _)| *known == folder)
            .unwrap_or_else(|| {
                self.folders.push((folder, Trie::new()));
                self.folders.len() - 1
            });
        let entry = Entry {
            resource,
            opened: now,
            used: now,
        };
        // A path that is too long for a key is served without being remembered.
        if self.folders[at].1.insert(path.as_bytes(), entry).is_ok() {
            self.files += 1;
            self.memory += memory;
        }
    }

    /// Drops the least recently used quarter at once, so that a scan over more files than fit here costs one look over
    /// all entries in many.
    fn evict(&mut self) {
        let all = self.folders.iter().flat_map(|(_, entries)| entries.iter());
        let mut uses: Vec<u64> = all.map(|(_, entry)| entry.used).collect();
        if uses.is_empty() {
            return;
        }
        let quarter = uses.len() / 4;
        let (_, &mut limit, _) = uses.select_nth_unstable(quarter);
        // Entries of one millisecond tie, so the number that goes is counted too.
        let mut excess = quarter + 1;
        for (_, entries) in &mut self.folders {
            let old: Vec<Vec<u8>> = entries
                .iter()
                .filter(|(_, entry)| entry.used <= limit)
                .map(|(path, _)| path.to_vec())
                .take(excess)
                .collect();
            excess -= old.len();
            for entry in old.iter().filter_map(|path| entries.remove(path)) {
                self.files -= 1;
                self.memory -= entry.resource.memory();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::store::open;

    fn etag(cache: &mut FileCache, root: &Arc<OwnedFd>, path: &str, now: u64) -> Vec<u8> {
        match cache.resource(root, path, now).unwrap() {
            Found::File(resource) => resource.identity().validators().etag.to_vec(),
            Found::Folder => panic!("{path} is a folder"),
        }
    }

    #[test]
    fn a_change_is_seen_after_a_second_and_not_before() {
        let folder = tempfile::tempdir().unwrap();
        let root = Arc::new(open::folder(folder.path()).unwrap());
        let mut cache = FileCache::default();
        fs::write(folder.path().join("f"), "one").unwrap();
        let first = etag(&mut cache, &root, "/f", 0);
        fs::write(folder.path().join("f"), "three").unwrap();
        assert_eq!(etag(&mut cache, &root, "/f", FRESH - 1), first);
        assert_ne!(etag(&mut cache, &root, "/f", FRESH), first);
        fs::remove_file(folder.path().join("f")).unwrap();
        assert_eq!(
            cache.resource(&root, "/f", 3 * FRESH).unwrap_err(),
            Status::NOT_FOUND
        );
        assert_eq!((cache.files, cache.memory), (0, 0));
    }

    #[test]
    fn the_number_of_files_is_bounded_and_the_recent_ones_stay() {
        let folder = tempfile::tempdir().unwrap();
        let root = Arc::new(open::folder(folder.path()).unwrap());
        let mut cache = FileCache::default();
        for name in 0..=MAX_FILES {
            fs::write(folder.path().join(name.to_string()), "x").unwrap();
            etag(&mut cache, &root, &format!("/{name}"), name as u64);
        }
        assert_eq!(cache.files, MAX_FILES - MAX_FILES / 4);
        assert_eq!(cache.memory, cache.files);
        let entries = &cache.folders[0].1;
        assert!(entries.get(format!("/{MAX_FILES}").as_bytes()).is_some() && entries.get(b"/0").is_none());
    }
}
