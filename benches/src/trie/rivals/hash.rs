use core::fmt;
use core::hash::BuildHasher;
use std::collections::HashMap;
use std::hash::RandomState;

use rustc_hash::FxBuildHasher;

use crate::trie::matcher::Matcher;
use crate::trie::sets::Set;

/// The standard map with the fast hasher of the compiler. It is asked for every prefix of the path that ends before
/// a slash, from the longest.
pub type HashFx = Hash<FxBuildHasher, false>;
/// As `HashFx`, but only for prefixes that have no more segments than the deepest that is registered.
pub type HashFxCapped = Hash<FxBuildHasher, true>;
/// As `HashFx`, with the standard hasher, which an attacker cannot predict.
pub type HashSip = Hash<RandomState, false>;
/// As `HashFxCapped`, with the standard hasher.
pub type HashSipCapped = Hash<RandomState, true>;

/// A hash map of the registered prefixes.
pub struct Hash<S, const CAPPED: bool> {
    map: HashMap<Box<str>, u32, S>,
    deepest: usize,
}

impl<S, const CAPPED: bool> fmt::Debug for Hash<S, CAPPED> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hash")
            .field("deepest", &self.deepest)
            .finish_non_exhaustive()
    }
}

/// Tells the four apart in tables.
pub trait Named {
    const NAMES: [&'static str; 2];
}

impl Named for FxBuildHasher {
    const NAMES: [&'static str; 2] = ["hash_fx", "hash_capped"];
}

impl Named for RandomState {
    const NAMES: [&'static str; 2] = ["hash_sip", "hash_sip_capped"];
}

impl<S: BuildHasher + Default + Named, const CAPPED: bool> Matcher for Hash<S, CAPPED> {
    const NAME: &'static str = S::NAMES[CAPPED as usize];

    fn build(set: &Set) -> Self {
        let map = (0..)
            .zip(&set.prefixes)
            .map(|(value, prefix)| (prefix.as_str().into(), value))
            .collect();
        let depth = |prefix: &String| prefix.bytes().filter(|&byte| byte == b'/').count();
        let deepest = set.prefixes.iter().map(depth).max().unwrap_or(0);
        Self { map, deepest }
    }

    #[inline]
    fn longest(&self, path: &str) -> Option<u32> {
        let mut rest = if CAPPED {
            first_segments(path, self.deepest)
        } else {
            path
        };
        loop {
            if let Some(&value) = self.map.get(rest) {
                return Some(value);
            }
            rest = &rest[..memchr::memrchr(b'/', rest.as_bytes())?];
        }
    }
}

/// The part of `path` before its slash number `segments + 1`.
#[inline]
fn first_segments(path: &str, segments: usize) -> &str {
    match memchr::memchr_iter(b'/', path.as_bytes()).nth(segments) {
        Some(end) => &path[..end],
        None => path,
    }
}
