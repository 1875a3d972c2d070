use super::sets::Set;

/// A way to find the registered prefix that a path belongs to.
pub trait Matcher: Sized {
    /// The contestant's name.
    const NAME: &'static str;

    /// Registers all prefixes of the set.
    fn build(set: &Set) -> Self;

    /// The number of the longest registered prefix.
    fn longest(&self, path: &str) -> Option<u32>;
}

/// Looks all paths up and folds the answers.
pub(super) fn pass<M: Matcher>(matcher: &M, paths: &[String]) -> u64 {
    paths.iter().fold(0, |sum: u64, path| {
        let answer = matcher.longest(path).map_or(0, |value| u64::from(value) + 1);
        sum.rotate_left(1).wrapping_add(answer)
    })
}
