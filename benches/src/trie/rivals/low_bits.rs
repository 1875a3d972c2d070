use crate::trie::matcher::Matcher;
use crate::trie::sets::Set;

/// The trie of the lwan server, from the description of its layout: a level for each byte, eight children chosen by
/// the low three bits of it, and a leaf that is taken without a look at its key.
///
/// It answers wrongly, which the comparison counts; its time is the price of a walk that compares nothing.
#[derive(Debug, Default)]
pub struct LowBits {
    root: Node,
}

/// Nine pointers.
#[derive(Debug, Default)]
struct Node {
    children: [Option<Box<Node>>; 8],
    leaf: Option<Box<u32>>,
}

impl Matcher for LowBits {
    const NAME: &'static str = "low_bits";

    fn build(set: &Set) -> Self {
        let mut trie = Self::default();
        for (value, prefix) in (0..).zip(&set.prefixes) {
            let mut node = &mut trie.root;
            for &byte in prefix.as_bytes() {
                node = node.children[usize::from(byte & 7)].get_or_insert_default();
            }
            node.leaf = Some(Box::new(value));
        }
        trie
    }

    #[inline]
    fn longest(&self, path: &str) -> Option<u32> {
        let mut node = &self.root;
        let mut leaf = node.leaf.as_deref();
        for &byte in path.as_bytes() {
            let Some(child) = node.children[usize::from(byte & 7)].as_deref() else {
                break;
            };
            node = child;
            leaf = node.leaf.as_deref().or(leaf);
        }
        leaf.copied()
    }
}
