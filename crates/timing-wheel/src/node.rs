/// No node: the end of a list.
pub(crate) const NIL: u32 = u32::MAX;

/// No slot: the node is on no slot's list.
pub(crate) const UNLINKED: u16 = u16::MAX;

/// The wheel's record of one timer, 16 bytes: memory for a [`SliceWheel`](crate::SliceWheel).
///
/// A timer's [`Link`] and value stand in arrays beside it: re-arming and cancelling touch the node alone, and four nodes
/// fill a cache line.
#[derive(Clone, Copy, Debug)]
pub struct Node {
    /// The deadline of a live timer; of a free node, the index of the next free one.
    pub(crate) deadline: u64,
    /// Odd: live, and the generation of its handle. Even: free. Zero after use: retired.
    pub(crate) generation: u32,
    /// The slot on whose list the node is. A free node may still be on one: a tombstone.
    pub(crate) slot: u16,
}

/// A timer's neighbours on the list of its slot, 8 bytes: memory for a [`SliceWheel`](crate::SliceWheel).
#[derive(Clone, Copy, Debug)]
pub struct Link {
    pub(crate) next: u32,
    pub(crate) prev: u32,
}

const _: () = assert!(size_of::<Node>() == 16 && size_of::<Link>() == 8);

impl Node {
    /// A node of no timer.
    pub const EMPTY: Self = Self {
        deadline: NIL as u64,
        generation: 0,
        slot: UNLINKED,
    };

    #[inline]
    pub(crate) const fn is_live(&self) -> bool {
        self.generation & 1 == 1
    }

    /// The free node after this free one, or `NIL`.
    #[inline]
    #[expect(
        clippy::cast_possible_truncation,
        reason = "a free node keeps a u32 in its deadline"
    )]
    pub(crate) const fn free_next(&self) -> u32 {
        self.deadline as u32
    }
}

impl Link {
    /// A link of no timer.
    pub const EMPTY: Self = Self { next: NIL, prev: NIL };
}

impl Default for Node {
    fn default() -> Self {
        Self::EMPTY
    }
}

impl Default for Link {
    fn default() -> Self {
        Self::EMPTY
    }
}

/// The nodes and their links, index by index.
#[derive(Debug)]
pub struct Lists<'a> {
    pub(crate) nodes: &'a mut [Node],
    pub(crate) links: &'a mut [Link],
}
