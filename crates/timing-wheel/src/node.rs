/// No node: the end of a list.
pub(crate) const NIL: u32 = u32::MAX;

/// No slot: the node is on no slot's list.
pub(crate) const UNLINKED: u16 = u16::MAX;

/// The wheel's record of one timer, 24 bytes: memory for a [`SliceWheel`](crate::SliceWheel).
///
/// The user's value is not in it: it stands in an array beside, so that the lists walk dense memory.
#[derive(Clone, Copy, Debug)]
pub struct Node {
    /// The deadline of a live timer; of a free node, the index of the next free one.
    pub(crate) deadline: u64,
    pub(crate) next: u32,
    pub(crate) prev: u32,
    /// Odd: live, and the generation of its handle. Even: free. Zero after use: retired.
    pub(crate) generation: u32,
    /// The slot on whose list the node is. A free node may still be on one: a tombstone.
    pub(crate) slot: u16,
}

const _: () = assert!(size_of::<Node>() == 24);

impl Node {
    /// A node of no timer.
    pub const EMPTY: Self = Self {
        deadline: NIL as u64,
        next: NIL,
        prev: NIL,
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

impl Default for Node {
    fn default() -> Self {
        Self::EMPTY
    }
}
