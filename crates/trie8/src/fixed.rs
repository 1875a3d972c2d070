use core::fmt;

use crate::borrowed::{TrieRef, fill};
use crate::edge::BLOCK;
use crate::error::BuildError;
use crate::iter::{Iter, Prefixes};
use crate::matches::Match;
use crate::tree::{State, pack};
use crate::values::Values;
use crate::view::View;

/// A trie built by the compiler, for a `static` in read-only memory.
///
/// [`static_trie!`](crate::static_trie) works the three sizes out: the number of keys, of blocks of eight words for
/// the nodes, and of bytes for the keys. By hand:
///
/// ```
/// use trie8::{Plan, StaticTrie, record_bytes, max_node_words};
///
/// const KEYS: [&[u8]; 2] = [b"/", b"/static"];
/// const BYTES: usize = record_bytes(&KEYS);
/// const PLAN: Plan<2, { max_node_words(2) / 8 }, BYTES> = Plan::new(&KEYS);
/// static ROUTES: StaticTrie<char, 2, { PLAN.blocks() }, BYTES> = StaticTrie::new(&PLAN, ['i', 's']);
///
/// assert_eq!(ROUTES.get(b"/static"), Some(&'s'));
/// ```
pub struct StaticTrie<T, const KEYS: usize, const BLOCKS: usize, const BYTES: usize> {
    root: u32,
    nodes: Nodes<BLOCKS>,
    records: [u8; BYTES],
    values: [T; KEYS],
}

/// Two narrow nodes a cache line, and neither in two lines.
#[repr(align(64))]
struct Nodes<const BLOCKS: usize>([[u32; BLOCK]; BLOCKS]);

impl<T, const KEYS: usize, const BLOCKS: usize, const BYTES: usize> StaticTrie<T, KEYS, BLOCKS, BYTES> {
    /// The trie that `plan` laid out, with `values[i]` for key `i`.
    ///
    /// # Panics
    ///
    /// When `BLOCKS` is not [`Plan::blocks`]. In a constant, as it should be used, that is a compile error.
    pub const fn new<const ROOM: usize>(plan: &Plan<KEYS, ROOM, BYTES>, values: [T; KEYS]) -> Self {
        assert!(
            BLOCKS == plan.blocks(),
            "StaticTrie: BLOCKS is not the number of blocks of the plan"
        );
        let mut nodes = Nodes([[0; BLOCK]; BLOCKS]);
        let root = pack(
            plan.state.root,
            plan.nodes.as_flattened(),
            nodes.0.as_flattened_mut(),
        )
        .0;
        Self {
            root,
            nodes,
            records: plan.records,
            values,
        }
    }

    /// Lends the trie in the form that does not name its sizes.
    #[inline]
    pub const fn as_ref(&self) -> TrieRef<'_, T> {
        TrieRef {
            view: View {
                root: self.root,
                edges: self.nodes.0.as_flattened(),
                records: &self.records,
            },
            values: Values::Dense(&self.values),
            len: KEYS,
        }
    }

    /// Number of keys.
    pub const fn len(&self) -> usize {
        KEYS
    }

    /// Whether there is no key.
    pub const fn is_empty(&self) -> bool {
        KEYS == 0
    }

    /// The value of exactly `key`.
    #[inline]
    pub fn get(&self, key: &[u8]) -> Option<&T> {
        self.as_ref().get(key)
    }

    /// The longest key that `path` starts with; see [`TrieRef::longest_prefix`].
    #[inline]
    pub fn longest_prefix(&self, path: &[u8]) -> Option<Match<'_, T>> {
        self.as_ref().longest_prefix(path)
    }

    /// The longest key that `path` starts with and that ends at a boundary between segments; see
    /// [`TrieRef::longest_segment_prefix`].
    #[inline]
    pub fn longest_segment_prefix(&self, path: &[u8]) -> Option<Match<'_, T>> {
        self.as_ref().longest_segment_prefix(path)
    }

    /// All keys that `path` starts with, from the longest to the shortest.
    pub fn prefixes(&self, path: &[u8]) -> Prefixes<'_, T> {
        self.as_ref().prefixes(path)
    }

    /// All keys with their values, in the order in which they were given.
    pub const fn iter(&self) -> Iter<'_, T> {
        self.as_ref().iter()
    }
}

impl<T: fmt::Debug, const KEYS: usize, const BLOCKS: usize, const BYTES: usize> fmt::Debug
    for StaticTrie<T, KEYS, BLOCKS, BYTES>
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.as_ref().fmt(f)
    }
}

/// The shape of a [`StaticTrie`], with `ROOM` blocks to build it in. It exists only while the compiler works.
#[derive(Debug)]
pub struct Plan<const KEYS: usize, const ROOM: usize, const BYTES: usize> {
    state: State,
    blocks: usize,
    nodes: [[u32; BLOCK]; ROOM],
    records: [u8; BYTES],
}

impl<const KEYS: usize, const ROOM: usize, const BYTES: usize> Plan<KEYS, ROOM, BYTES> {
    /// Lays out a trie of `keys`. `ROOM` is an eighth of [`max_node_words`](crate::max_node_words), and `BYTES` is
    /// [`record_bytes`](crate::record_bytes).
    ///
    /// # Panics
    ///
    /// When a key is there twice or breaks a limit, or when a size is too small. In a constant, as it should be used,
    /// that is a compile error.
    pub const fn new(keys: &[&[u8]; KEYS]) -> Self {
        let mut plan = Self {
            state: State::new(),
            blocks: 0,
            nodes: [[0; BLOCK]; ROOM],
            records: [0; BYTES],
        };
        let nodes = plan.nodes.as_flattened_mut();
        match fill(&mut plan.state, nodes, &mut plan.records, keys) {
            Ok(()) => {}
            Err(BuildError::Duplicate { .. }) => panic!("static trie: a key is there twice"),
            Err(BuildError::Limit { .. }) => panic!("static trie: a key is too long, or there are too many"),
            Err(_) => panic!("static trie: ROOM or BYTES is too small for the keys"),
        }
        plan.blocks = plan.state.live_blocks();
        plan
    }

    /// Number of blocks of the trie: `BLOCKS` of its [`StaticTrie`].
    pub const fn blocks(&self) -> usize {
        self.blocks
    }
}
