use core::fmt;

use radix_trie::TrieCommon;

use crate::trie::matcher::Matcher;
use crate::trie::sets::Set;

/// radix_trie, sixteen ways a node; the path has to become an owned key to be looked up.
pub struct RadixTrie(radix_trie::Trie<String, u32>);

impl fmt::Debug for RadixTrie {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RadixTrie").finish_non_exhaustive()
    }
}

impl Matcher for RadixTrie {
    const NAME: &'static str = "radix_trie";

    fn build(set: &Set) -> Self {
        Self(
            (0..)
                .zip(&set.prefixes)
                .map(|(value, prefix)| (prefix.clone(), value))
                .collect(),
        )
    }

    #[inline]
    fn longest(&self, path: &str) -> Option<u32> {
        self.0.get_ancestor(path).and_then(|found| found.value()).copied()
    }
}
