use trie8::Trie;

use super::matcher::Matcher;
use super::sets::Set;

/// trie8, asked for the longest prefix.
#[derive(Debug)]
pub struct Bytes(Trie<u32>);

/// trie8, asked for the longest prefix that ends between two segments.
#[derive(Debug)]
pub struct Segments(Trie<u32>);

fn build(set: &Set) -> Trie<u32> {
    let mut trie = Trie::new();
    for (value, prefix) in (0..).zip(&set.prefixes) {
        trie.insert(prefix.as_bytes(), value).expect("within the limits");
    }
    trie.shrink_to_fit();
    trie
}

impl Matcher for Bytes {
    const NAME: &'static str = "trie8";

    fn build(set: &Set) -> Self {
        Self(build(set))
    }

    #[inline]
    fn longest(&self, path: &str) -> Option<u32> {
        self.0.longest_prefix(path.as_bytes()).map(|found| *found.value)
    }
}

impl Matcher for Segments {
    const NAME: &'static str = "trie8 (segments)";

    fn build(set: &Set) -> Self {
        Self(build(set))
    }

    #[inline]
    fn longest(&self, path: &str) -> Option<u32> {
        self.0
            .longest_segment_prefix(path.as_bytes())
            .map(|found| *found.value)
    }
}
