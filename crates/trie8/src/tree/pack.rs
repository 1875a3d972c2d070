use super::index;
use crate::edge::{self, BLOCK};

/// Edges that the levels near the root may take: a quarter of a first-level cache.
const TOP: usize = 2048;

/// Copies the nodes below `root` from `edges` to `packed` without gaps, and returns the new root and how many edges
/// there are.
///
/// The levels near the root, which every lookup passes, come first. Each subtree below them is in one piece, so that
/// the rest of a lookup stays within a page or two.
pub(crate) const fn pack(root: u32, edges: &[u32], packed: &mut [u32]) -> (u32, usize) {
    let mut end = 0;
    let new_root = pack_node(root, edges, packed, &mut end);
    let mut top = end;
    let mut slot = 0;
    while slot < top {
        let mut below = end;
        packed[slot] = pack_node(packed[slot], edges, packed, &mut end);
        if end <= TOP {
            top = end;
        } else {
            while below < end {
                packed[below] = pack_node(packed[below], edges, packed, &mut end);
                below += 1;
            }
        }
        slot += 1;
    }
    (new_root, end)
}

/// Copies the node behind `edge`, if there is one, and returns the edge to the copy.
const fn pack_node(edge: u32, edges: &[u32], packed: &mut [u32], end: &mut usize) -> u32 {
    if edge::is_leaf(edge) {
        return edge;
    }
    let width = edge::width(edge);
    let (_, from) = edges.split_at(edge::block(edge) as usize * BLOCK);
    let (_, to) = packed.split_at_mut(*end);
    to.split_at_mut(width).0.copy_from_slice(from.split_at(width).0);
    let block = index(*end / BLOCK);
    *end += width;
    edge::with_block(edge, block)
}
