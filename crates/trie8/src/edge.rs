//! The edge word: where the child is and what it tests, so that a step costs one dependent load.
//!
//! ```text
//! to a node   0 | kind:2 | position:10 | block:19      block * 8 = first of the node's edges
//! to a leaf   1 | absent | record:30                   absent: no key has this digit here
//! ```
//!
//! A key is a string of digits: of each byte first `b & 7`, then `(b >> 3) & 7`, then `b >> 6`. Behind the end of
//! a key or path the digits are 0. An absent edge names some leaf of the node's own subtree: the walk may stop
//! there, since all leaves of the subtree share the same digits with a path that leaves them at this node.

/// Edges of the narrow node; nodes are allocated in multiples of it.
pub(crate) const BLOCK: usize = 8;
/// Edges of the wide node, which tests two digits at once.
pub(crate) const WIDE: usize = 64;
/// Blocks that an edge can name.
pub(crate) const MAX_BLOCKS: usize = BLOCK_MASK as usize + 1;
/// Last byte position that an edge can name.
pub(crate) const MAX_POSITION: u32 = 1023;
/// The record or value that does not exist, and the end of a list of free blocks.
pub(crate) const NONE: u32 = u32::MAX;
/// Edge of an empty trie: a leaf whose record does not exist.
pub(crate) const EMPTY: u32 = u32::MAX;

const LEAF: u32 = 1 << 31;
const ABSENT: u32 = 1 << 30;
const BLOCK_MASK: u32 = (1 << POSITION_SHIFT) - 1;
const POSITION_SHIFT: u32 = 19;
const KIND_SHIFT: u32 = 29;
/// Shift and mask of the byte by kind, a byte each.
const SHIFTS: u32 = 0x00_06_03_00;
const MASKS: u32 = 0x3f_03_07_07;

/// Kind of the node that tests the two low digits together.
pub(crate) const KIND_WIDE: u32 = 3;

#[inline]
pub(crate) const fn node(block: u32, position: u32, kind: u32) -> u32 {
    kind << KIND_SHIFT | position << POSITION_SHIFT | block
}

#[inline]
pub(crate) const fn leaf(record: u32) -> u32 {
    LEAF | record
}

#[inline]
pub(crate) const fn absent(record: u32) -> u32 {
    LEAF | ABSENT | record
}

#[inline]
pub(crate) const fn is_leaf(edge: u32) -> bool {
    edge & LEAF != 0
}

/// Whether some key takes this edge. Meaningful for the edges of a node.
#[inline]
pub(crate) const fn is_present(edge: u32) -> bool {
    edge & (LEAF | ABSENT) != LEAF | ABSENT
}

#[inline]
pub(crate) const fn record(edge: u32) -> u32 {
    edge & (ABSENT - 1)
}

/// `edge` with its leaf moved to `record`.
#[cfg(feature = "alloc")]
pub(crate) const fn with_record(edge: u32, record: u32) -> u32 {
    edge & (LEAF | ABSENT) | record
}

#[inline]
pub(crate) const fn block(edge: u32) -> u32 {
    edge & BLOCK_MASK
}

/// `edge` with its node moved to `block`.
pub(crate) const fn with_block(edge: u32, block: u32) -> u32 {
    edge & !BLOCK_MASK | block
}

#[inline]
pub(crate) const fn position(edge: u32) -> usize {
    (edge >> POSITION_SHIFT & MAX_POSITION) as usize
}

#[inline]
pub(crate) const fn kind(edge: u32) -> u32 {
    edge >> KIND_SHIFT & 3
}

/// The last digit, by its kind, that the node behind `edge` tests.
pub(crate) const fn last_digit(edge: u32) -> u32 {
    if kind(edge) == KIND_WIDE { 1 } else { kind(edge) }
}

/// Whether `edge` leads to a node that tests the digit `kind` of the byte at `at`.
pub(crate) const fn tests(edge: u32, at: usize, kind: u32) -> bool {
    let wide = self::kind(edge) == KIND_WIDE && kind < 2;
    !is_leaf(edge) && position(edge) == at && (wide || self::kind(edge) == kind)
}

/// Number of edges of the node behind `edge`.
pub(crate) const fn width(edge: u32) -> usize {
    if kind(edge) == KIND_WIDE { WIDE } else { BLOCK }
}

/// The digit of `byte` that a node of `kind` tests.
#[inline]
pub(crate) const fn digit(kind: u32, byte: u8) -> usize {
    (byte as u32 >> (SHIFTS >> (8 * kind) & 31) & (MASKS >> (8 * kind) & 63)) as usize
}

/// First kind whose digit tells `a` from `b`, two different bytes.
pub(crate) const fn first_difference(a: u8, b: u8) -> u32 {
    match (a ^ b).trailing_zeros() {
        0..=2 => 0,
        3..=5 => 1,
        _ => 2,
    }
}

/// Index of the edge that `path` takes out of the node behind `edge`.
#[inline]
pub(crate) const fn step(edge: u32, path: &[u8]) -> usize {
    let at = position(edge);
    let byte = if at < path.len() { path[at] } else { 0 };
    block(edge) as usize * BLOCK + digit(kind(edge), byte)
}
