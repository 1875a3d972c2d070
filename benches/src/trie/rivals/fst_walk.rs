use core::fmt;

use crate::trie::matcher::Matcher;
use crate::trie::sets::Set;

/// fst: a walk over the transducer that remembers the last final state.
pub struct FstWalk(fst::raw::Fst<Vec<u8>>);

impl fmt::Debug for FstWalk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FstWalk").finish_non_exhaustive()
    }
}

impl Matcher for FstWalk {
    const NAME: &'static str = "fst";

    fn build(set: &Set) -> Self {
        let mut pairs: Vec<_> = set.prefixes.iter().map(String::as_bytes).zip(0..).collect();
        pairs.sort_unstable();
        let map = fst::Map::from_iter(pairs).expect("keys are sorted and different");
        Self(map.into_fst())
    }

    #[inline]
    fn longest(&self, path: &str) -> Option<u32> {
        let mut node = self.0.root();
        let mut output = fst::raw::Output::zero();
        let mut longest = None;
        for &byte in path.as_bytes() {
            let Some(index) = node.find_input(byte) else { break };
            let transition = node.transition(index);
            output = output.cat(transition.out);
            node = self.0.node(transition.addr);
            if node.is_final() {
                longest = Some(output.cat(node.final_output()));
            }
        }
        longest.map(|output| output.value() as u32)
    }
}
