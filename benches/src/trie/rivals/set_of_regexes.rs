use regex::{RegexSet, RegexSetBuilder, escape};

use crate::trie::matcher::Matcher;
use crate::trie::sets::Set;

/// regex's set: a pattern for each prefix, all matched at once, with as much memory as its automaton
/// wants.
#[derive(Debug)]
pub struct Regexes {
    set: RegexSet,
    lengths: Vec<usize>,
}

impl Matcher for Regexes {
    const NAME: &'static str = "regexset";

    fn build(set: &Set) -> Self {
        let patterns = set
            .prefixes
            .iter()
            .map(|prefix| format!("^{}(?:/|$)", escape(prefix)));
        Self {
            set: RegexSetBuilder::new(patterns)
                .unicode(false)
                .dfa_size_limit(256 << 20)
                .build()
                .expect("escaped prefixes are patterns"),
            lengths: set.prefixes.iter().map(String::len).collect(),
        }
    }

    #[inline]
    fn longest(&self, path: &str) -> Option<u32> {
        let longest = self
            .set
            .matches(path)
            .into_iter()
            .max_by_key(|&index| self.lengths[index]);
        longest.map(|index| index as u32)
    }
}
