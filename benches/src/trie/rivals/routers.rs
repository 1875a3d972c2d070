use core::fmt;

use crate::trie::matcher::Matcher;
use crate::trie::sets::Set;

/// matchit. A prefix takes three of its routes: its catch-all wants something behind the slash.
#[derive(Debug)]
pub struct Matchit(matchit::Router<u32>);

impl Matcher for Matchit {
    const NAME: &'static str = "matchit";

    fn build(set: &Set) -> Self {
        let mut router = matchit::Router::new();
        for (value, prefix) in (0..).zip(&set.prefixes) {
            for route in [
                prefix.clone(),
                format!("{prefix}/"),
                format!("{prefix}/{{*rest}}"),
            ] {
                router.insert(route, value).expect("routes do not conflict");
            }
        }
        Self(router)
    }

    #[inline]
    fn longest(&self, path: &str) -> Option<u32> {
        self.0.at(path).ok().map(|found| *found.value)
    }
}

/// path-tree. A prefix takes two of its routes.
pub struct PathTree(path_tree::PathTree<u32>);

impl fmt::Debug for PathTree {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PathTree").finish_non_exhaustive()
    }
}

impl Matcher for PathTree {
    const NAME: &'static str = "pathtree";

    fn build(set: &Set) -> Self {
        let mut tree = path_tree::PathTree::new();
        for (value, prefix) in (0..).zip(&set.prefixes) {
            let _ = tree.insert(prefix, value);
            let _ = tree.insert(&format!("{prefix}/*"), value);
        }
        Self(tree)
    }

    #[inline]
    fn longest(&self, path: &str) -> Option<u32> {
        self.0.find(path).map(|(value, _)| *value)
    }
}
