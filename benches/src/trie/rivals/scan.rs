use crate::trie::matcher::Matcher;
use crate::trie::sets::Set;

/// Each prefix with its value, in the order of the values.
fn pairs(set: &Set) -> Vec<(Box<str>, u32)> {
    set.prefixes
        .iter()
        .map(|prefix| prefix.as_str().into())
        .zip(0..)
        .collect()
}

/// Binary search in a sorted list, where every prefix knows its longest proper prefix in the list.
#[derive(Debug)]
pub struct SortedSearch {
    prefixes: Vec<Box<str>>,
    /// The value, and the index of the longest proper prefix.
    links: Vec<(u32, Option<u32>)>,
}

impl Matcher for SortedSearch {
    const NAME: &'static str = "sorted";

    fn build(set: &Set) -> Self {
        let mut pairs = pairs(set);
        pairs.sort_unstable();
        let mut open: Vec<u32> = Vec::new();
        let mut links = Vec::with_capacity(pairs.len());
        for (index, (prefix, value)) in (0..).zip(&pairs) {
            while open
                .last()
                .is_some_and(|&last| !prefix.starts_with(&*pairs[last as usize].0))
            {
                open.pop();
            }
            links.push((*value, open.last().copied()));
            open.push(index);
        }
        Self {
            prefixes: pairs.into_iter().map(|(prefix, _)| prefix).collect(),
            links,
        }
    }

    #[inline]
    fn longest(&self, path: &str) -> Option<u32> {
        // The last prefix that is not behind the path shares the most bytes with it of all that can be its prefix.
        let mut index = self
            .prefixes
            .partition_point(|prefix| **prefix <= *path)
            .checked_sub(1)?;
        while !path.starts_with(&*self.prefixes[index]) {
            index = self.links[index].1? as usize;
        }
        Some(self.links[index].0)
    }
}

/// All prefixes one after the other, from the longest.
#[derive(Debug)]
pub struct NaiveScan(Vec<(Box<str>, u32)>);

impl Matcher for NaiveScan {
    const NAME: &'static str = "scan";

    fn build(set: &Set) -> Self {
        let mut pairs = pairs(set);
        pairs.sort_by_key(|(prefix, _)| core::cmp::Reverse(prefix.len()));
        Self(pairs)
    }

    #[inline]
    fn longest(&self, path: &str) -> Option<u32> {
        self.0
            .iter()
            .find(|(prefix, _)| path.starts_with(&**prefix))
            .map(|&(_, value)| value)
    }
}
