/// No node: the end of a list.
pub(crate) const NIL: u32 = u32::MAX;

/// No slot: the node is on no slot's list.
pub(crate) const UNLINKED: u16 = u16::MAX;

/// The upper half of a time.
pub(crate) const EPOCH: u64 = u64::MAX << 32;

/// What re-arming and cancelling a timer touch of its record, 8 bytes: memory for a [`SliceWheel`](crate::SliceWheel).
///
/// Eight of them fill a cache line, so the upper half of a deadline is not here: it is that of the wheel's cursor, or else
/// the timer is *far* and has it in its [`Upper`]. The cursor does not enter a new epoch of 2^32 ticks before every timer of
/// the old one has come out or hangs beyond, and on the way there each of these is linked once more.
#[derive(Clone, Copy, Debug)]
pub struct Node {
    /// The lower half of a live timer's deadline; of a free node, the index of the next free one.
    pub(crate) low: u32,
    /// Odd: the generation of the live timer's handle. Even: free, or one less than that of a far timer, whose handle
    /// so takes the slower way. Zero after use: retired.
    pub(crate) generation: u32,
}

/// A timer's neighbours on the list of its slot, 12 bytes: memory for a [`SliceWheel`](crate::SliceWheel).
#[derive(Clone, Copy, Debug)]
pub struct Link {
    pub(crate) next: u32,
    pub(crate) prev: u32,
    /// The slot on whose list the node is. A free node may still be on one: a tombstone.
    pub(crate) slot: u16,
    /// The node holds a live timer whose deadline was not in the cursor's epoch when it was set.
    pub(crate) far: bool,
}

/// The upper half of a far timer's deadline, 4 bytes: memory for a [`SliceWheel`](crate::SliceWheel).
#[derive(Clone, Copy, Debug)]
pub struct Upper(u32);

const _: () = assert!(size_of::<Node>() == 8 && size_of::<Link>() == 12 && size_of::<Upper>() == 4);

impl Node {
    /// A node of no timer.
    pub const EMPTY: Self = Self {
        low: NIL,
        generation: 0,
    };
}

impl Link {
    /// A link of no timer.
    pub const EMPTY: Self = Self {
        next: NIL,
        prev: NIL,
        slot: UNLINKED,
        far: false,
    };
}

impl Upper {
    /// The upper half of no deadline.
    pub const EMPTY: Self = Self(0);
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

impl Default for Upper {
    fn default() -> Self {
        Self::EMPTY
    }
}

/// The parts of the records, index by index.
#[derive(Clone, Copy, Debug)]
pub struct Records<'a> {
    pub(crate) nodes: &'a [Node],
    pub(crate) links: &'a [Link],
    pub(crate) uppers: &'a [Upper],
}

impl Records<'_> {
    /// The deadline of a live timer, `None` of a free node.
    #[inline]
    pub(crate) fn deadline(&self, index: u32, cursor: u64) -> Option<u64> {
        let node = self.nodes[index as usize];
        if node.generation & 1 == 1 {
            Some(cursor & EPOCH | u64::from(node.low))
        } else if self.links[index as usize].far {
            Some(u64::from(self.uppers[index as usize].0) << 32 | u64::from(node.low))
        } else {
            None
        }
    }
}

/// The parts of the records, to change.
#[derive(Debug)]
pub struct Lists<'a> {
    pub(crate) nodes: &'a mut [Node],
    pub(crate) links: &'a mut [Link],
    pub(crate) uppers: &'a mut [Upper],
}

impl Lists<'_> {
    /// The deadline of a live timer, `None` of a free node.
    #[inline]
    pub(crate) fn deadline(&self, index: u32, cursor: u64) -> Option<u64> {
        let records = Records {
            nodes: self.nodes,
            links: self.links,
            uppers: self.uppers,
        };
        records.deadline(index, cursor)
    }

    /// Notes the deadline of a live timer.
    #[inline]
    #[expect(clippy::cast_possible_truncation, reason = "the two halves are taken apart")]
    pub(crate) fn set_deadline(&mut self, index: u32, deadline: u64, cursor: u64) {
        let link = &mut self.links[index as usize];
        let node = &mut self.nodes[index as usize];
        node.low = deadline as u32;
        let far = (deadline ^ cursor) & EPOCH != 0;
        if far || link.far {
            link.far = far;
            self.uppers[index as usize].0 = (deadline >> 32) as u32;
            node.generation = node.generation & !1 | u32::from(!far);
        }
    }

    /// Lets a live node be known by itself alone, at the price of a far timer's deadline: to be done before it ends.
    #[inline]
    pub(crate) fn bring_near(&mut self, index: u32) {
        let node = &mut self.nodes[index as usize];
        if node.generation & 1 == 0 {
            node.generation |= 1;
            self.links[index as usize].far = false;
        }
    }

    /// Makes the handle of a live node that is not far stale, and the node the first of the free ones before `free`, unless
    /// its generations are used up. Answers the first free node.
    #[inline]
    pub(crate) fn free(&mut self, index: u32, free: u32) -> u32 {
        let node = &mut self.nodes[index as usize];
        node.generation = node.generation.wrapping_add(1);
        if node.generation == 0 {
            return free;
        }
        node.low = free;
        index
    }

    /// Puts a node before `head`, which may be `NIL`, on the list of `slot`.
    #[inline]
    pub(crate) fn put_first(&mut self, index: u32, head: u32, slot: u16) {
        // Without a branch on whether the list was empty, which is anybody's guess.
        let second = if head == NIL { index } else { head };
        self.links[second as usize].prev = index;
        let link = &mut self.links[index as usize];
        link.next = head;
        link.prev = NIL;
        link.slot = slot;
    }
}
