//! The comparison of `trie`: sets of 10, 130, 1,000 and 100,000 prefixes, five kinds of paths.
//!
//! Two questions are asked, and ours is asked the one that the rival can answer: the longest registered prefix of
//! bytes, and the longest that ends between two segments of the path. Every answer of every rival is checked.

mod matcher;
mod memory;
mod ours;
mod paths;
mod random;
pub mod rivals;
mod sets;

use std::hint::black_box;

use anyhow::{Result, ensure};

use crate::compare::{Options, Report, Workload};
pub use matcher::Matcher;
use matcher::pass;
use memory::bytes_per_key;
pub use ours::{Bytes, Segments};
pub use paths::Kind;
use rivals::{
    FstWalk, HashFx, HashFxCapped, HashSip, HashSipCapped, LowBits, Matchit, NaiveScan, PathTree, RadixTrie,
    Regexes, SortedSearch,
};
pub use sets::Set;

/// From this size on, rivals that do something for every prefix are left out: a pass would last seconds.
const TOO_MANY: usize = 100_000;

/// Everybody who finds the longest prefix of bytes in one set.
#[derive(Debug)]
pub struct ByteField {
    key: &'static str,
    ours: Bytes,
    radix_trie: RadixTrie,
    fst: FstWalk,
    sorted: SortedSearch,
    scan: Option<NaiveScan>,
    low_bits: LowBits,
}

impl ByteField {
    /// Lets everybody register the set.
    #[must_use]
    pub fn new(set: &Set) -> Self {
        Self {
            key: set.name,
            ours: Bytes::build(set),
            radix_trie: RadixTrie::build(set),
            fst: FstWalk::build(set),
            sorted: SortedSearch::build(set),
            scan: (set.prefixes.len() < TOO_MANY).then(|| NaiveScan::build(set)),
            low_bits: LowBits::build(set),
        }
    }

    /// Looks up all `paths`.
    #[must_use]
    pub fn workload<'a>(&'a self, kind: Kind, paths: &'a [String]) -> Workload<'a> {
        // The answers of the inexact trie are computed and counted elsewhere; here it is let off the comparison.
        let checksum = pass(&self.ours, paths);
        let low_bits = move || {
            black_box(pass(&self.low_bits, paths));
            checksum
        };
        let workload = workload(self.key, kind, paths, &self.ours)
            .rival(LowBits::NAME, low_bits)
            .rival(RadixTrie::NAME, || pass(&self.radix_trie, paths))
            .rival(FstWalk::NAME, || pass(&self.fst, paths))
            .rival(SortedSearch::NAME, || pass(&self.sorted, paths));
        match &self.scan {
            Some(scan) => workload.rival(NaiveScan::NAME, || pass(scan, paths)),
            None => workload,
        }
    }

    /// How many answers of ours differ from those of plain searches, and how many of the inexact trie from ours.
    #[must_use]
    pub fn wrong(&self, paths: &[String]) -> (usize, usize) {
        let mut wrong = (0, 0);
        for path in paths {
            let answer = self.ours.longest(path);
            let scanned = self.scan.as_ref().map_or(answer, |scan| scan.longest(path));
            wrong.0 += usize::from(answer != self.sorted.longest(path) || answer != scanned);
            wrong.1 += usize::from(answer != self.low_bits.longest(path));
        }
        wrong
    }
}

/// Everybody who finds the longest prefix that ends between two segments in one set.
#[derive(Debug)]
pub struct SegmentField {
    key: &'static str,
    ours: Segments,
    matchit: Matchit,
    path_tree: PathTree,
    hash_fx: HashFx,
    hash_capped: HashFxCapped,
    hash_sip: HashSip,
    hash_sip_capped: HashSipCapped,
    regexes: Option<Regexes>,
}

impl SegmentField {
    /// Lets everybody register the set.
    #[must_use]
    pub fn new(set: &Set) -> Self {
        Self {
            key: set.name,
            ours: Segments::build(set),
            matchit: Matchit::build(set),
            path_tree: PathTree::build(set),
            hash_fx: HashFx::build(set),
            hash_capped: HashFxCapped::build(set),
            hash_sip: HashSip::build(set),
            hash_sip_capped: HashSipCapped::build(set),
            regexes: (set.prefixes.len() < TOO_MANY).then(|| Regexes::build(set)),
        }
    }

    /// Looks up all `paths`.
    #[must_use]
    pub fn workload<'a>(&'a self, kind: Kind, paths: &'a [String]) -> Workload<'a> {
        let workload = workload(self.key, kind, paths, &self.ours)
            .rival(Matchit::NAME, || pass(&self.matchit, paths))
            .rival(PathTree::NAME, || pass(&self.path_tree, paths))
            .rival(HashFx::NAME, || pass(&self.hash_fx, paths))
            .rival(HashFxCapped::NAME, || pass(&self.hash_capped, paths))
            .rival(HashSip::NAME, || pass(&self.hash_sip, paths))
            .rival(HashSipCapped::NAME, || pass(&self.hash_sip_capped, paths));
        match &self.regexes {
            Some(regexes) => workload.rival(Regexes::NAME, || pass(regexes, paths)),
            None => workload,
        }
    }

    /// How many answers of ours differ from those of the hash map.
    #[must_use]
    pub fn wrong(&self, paths: &[String]) -> usize {
        paths
            .iter()
            .filter(|path| self.ours.longest(path) != self.hash_fx.longest(path))
            .count()
    }
}

fn workload<'a, M: Matcher>(set: &str, kind: Kind, paths: &'a [String], ours: &'a M) -> Workload<'a> {
    Workload::new(format!("trie.{}.{set}", kind.name()), paths.len() as u64)
        .ours(M::NAME, || pass(ours, paths))
}

/// Measures everything and returns the ratios and figures.
///
/// # Errors
///
/// When two contestants answer differently, or ours answers wrongly.
pub fn run(options: &Options) -> Result<Report> {
    let mut report = Report::new();
    let mut wrong = 0;
    for set in Set::all() {
        let name = set.name;
        report.figure(
            format!("trie.bytes_per_key.{name}"),
            bytes_per_key::<Bytes>(&set),
            "bytes",
        );
        report.figure(
            format!("trie.bytes_per_key.{name}.matchit"),
            bytes_per_key::<Matchit>(&set),
            "bytes",
        );
        report.figure(
            format!("trie.bytes_per_key.{name}.hash_fx"),
            bytes_per_key::<HashFx>(&set),
            "bytes",
        );

        let bytes = ByteField::new(&set);
        let segments = SegmentField::new(&set);
        for kind in Kind::ALL {
            let paths = kind.paths(&set);
            let (ours, low_bits) = bytes.wrong(&paths);
            wrong += ours + segments.wrong(&paths);
            report.figure(
                format!("trie.wrong.{}.{name}.low_bits", kind.name()),
                low_bits as f64,
                "answers",
            );
            report.measure(options, segments.workload(kind, &paths))?;
            report.measure(options, bytes.workload(kind, &paths))?;
        }
    }
    report.figure("trie.wrong", wrong as f64, "answers");
    ensure!(wrong == 0, "trie8 gave {wrong} wrong answers");
    Ok(report)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every rival answers as ours does; the inexact trie does not, or there would be nothing to count.
    #[test]
    fn everybody_agrees() {
        let mut inexact = 0;
        for set in [Set::ten(), Set::code_host(), Set::made_up("300", 300)] {
            let bytes = ByteField::new(&set);
            let segments = SegmentField::new(&set);
            for kind in Kind::ALL {
                let mut paths = kind.paths(&set);
                paths.truncate(500);
                let (wrong, low_bits) = bytes.wrong(&paths);
                assert_eq!((wrong, segments.wrong(&paths)), (0, 0));
                inexact += low_bits;

                let answer = pass(&bytes.ours, &paths);
                assert_eq!(pass(&bytes.radix_trie, &paths), answer);
                assert_eq!(pass(&bytes.fst, &paths), answer);
                let answer = pass(&segments.ours, &paths);
                assert_eq!(pass(&segments.matchit, &paths), answer);
                assert_eq!(pass(&segments.path_tree, &paths), answer);
                assert_eq!(pass(&segments.hash_capped, &paths), answer);
                assert_eq!(pass(&segments.hash_sip_capped, &paths), answer);
            }
        }
        assert!(inexact > 0);
    }
}
