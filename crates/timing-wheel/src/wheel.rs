use core::fmt;

#[cfg(feature = "alloc")]
use crate::storage::Heap;
use crate::{
    error::{Full, Stale},
    handle::Handle,
    hierarchy::Hierarchy,
    iter::Iter,
    node::{EPOCH, Link, NIL, Node, UNLINKED, Upper},
    storage::{Array, Slice, Storage},
};

/// A timing wheel on the heap that grows as timers are started.
///
/// Its memory is that of the largest number of timers that were live at once; it does not shrink. Growing moves all nodes,
/// as a `Vec` does; [`with_capacity`](Wheel::with_capacity) avoids it.
#[cfg(feature = "alloc")]
pub type Wheel<T> = TimingWheel<Heap<T>>;

/// A timing wheel for at most `N` timers within itself: no allocator, and `new` is `const`.
pub type ArrayWheel<T, const N: usize> = TimingWheel<Array<T, N>>;

/// A timing wheel over memory that the caller lends: no allocator, and the size known at run time.
pub type SliceWheel<'a, T> = TimingWheel<Slice<'a, T>>;

/// A tickless hierarchical timing wheel: scheme 7 of Varghese and Lauck over the whole of `u64`.
///
/// Time is a `u64` number of ticks; what a tick is, the caller decides. `S` is the memory: use it by one of the names
/// `Wheel` (grows, feature `alloc`), [`ArrayWheel`] and [`SliceWheel`].
///
/// One owner: every change takes `&mut self`, and there is no lock inside. Give each thread its own wheel.
pub struct TimingWheel<S: Storage> {
    pub(crate) now: u64,
    pub(crate) live: usize,
    /// The first free node. Free nodes are linked through `Node::low`; some may still hang in a slot.
    free: u32,
    pub(crate) hierarchy: Hierarchy,
    pub(crate) storage: S,
}

#[cfg(feature = "alloc")]
impl<T> Wheel<T> {
    /// An empty wheel at time `now`, without memory for timers yet.
    #[must_use]
    pub fn new(now: u64) -> Self {
        Self::with_capacity(now, 0)
    }

    /// An empty wheel at time `now` that starts `timers` timers before it has to grow.
    ///
    /// # Panics
    ///
    /// Where `Vec::with_capacity` does: when the memory exceeds `isize::MAX` bytes.
    #[must_use]
    pub fn with_capacity(now: u64, timers: usize) -> Self {
        Self::over(now, Heap::with_capacity(timers))
    }
}

impl<T, const N: usize> ArrayWheel<T, N> {
    /// An empty wheel at time `now`.
    #[must_use]
    pub const fn new(now: u64) -> Self {
        Self {
            now,
            live: 0,
            free: NIL,
            hierarchy: Hierarchy::new(now),
            storage: Array::new(),
        }
    }
}

impl<'a, T> SliceWheel<'a, T> {
    /// An empty wheel at time `now` for as many timers as the shortest of the four slices has elements.
    ///
    /// What stands in them is overwritten: O(length). When the wheel is dropped, the values of live timers stay in `values`.
    #[must_use]
    pub fn new(
        now: u64,
        nodes: &'a mut [Node],
        links: &'a mut [Link],
        uppers: &'a mut [Upper],
        values: &'a mut [Option<T>],
    ) -> Self {
        Self::over(now, Slice::new(nodes, links, uppers, values))
    }
}

impl<S: Storage> TimingWheel<S> {
    fn over(now: u64, storage: S) -> Self {
        Self {
            now,
            live: 0,
            free: NIL,
            hierarchy: Hierarchy::new(now),
            storage,
        }
    }

    /// Starts a timer (Varghese and Lauck's START_TIMER): `value` comes out of [`pop`](Self::pop) when the time is at
    /// `deadline` or after. O(1).
    ///
    /// Any deadline is good. One that has passed is due at once: it counts as due at the time up to which the wheel has
    /// been worked off, before everything later, in no order among its like.
    ///
    /// # Errors
    ///
    /// [`Full`] with the value when there is no node left: as many timers are live as fixed memory has nodes, or the heap
    /// gives no more.
    #[inline]
    pub fn start(&mut self, deadline: u64, value: S::Value) -> Result<Handle, Full<S::Value>> {
        let index = self.free;
        if index == NIL {
            return self.start_on_new_node(deadline, value);
        }
        let (mut lists, values) = self.storage.parts();
        let node = &mut lists.nodes[index as usize];
        self.free = node.low;
        node.generation += 1;
        let handle = Handle::of_live(index, node.generation);
        values[index as usize] = Some(value);
        self.live += 1;
        if lists.links[index as usize].slot == UNLINKED {
            self.hierarchy.link(&mut lists, index, deadline);
        } else {
            self.rehang(index, deadline);
        }
        Ok(handle)
    }

    fn start_on_new_node(&mut self, deadline: u64, value: S::Value) -> Result<Handle, Full<S::Value>> {
        let index = self.storage.grow(value).map_err(Full)?;
        let mut lists = self.storage.lists();
        let node = &mut lists.nodes[index as usize];
        node.generation += 1;
        self.live += 1;
        let handle = Handle::of_live(index, node.generation);
        self.hierarchy.link(&mut lists, index, deadline);
        Ok(handle)
    }

    /// Sets another deadline, nearer or further. O(1); where the deadline moves back, as a timeout does with every
    /// sign of life, one comparison and one store. A deadline whose upper 32 bits are not those of the wheel's time, before or
    /// after, takes a slower way that touches the timer's other 16 bytes, too.
    ///
    /// A timer that is due but was not popped yet is re-armed like any other, and does not come out before its new deadline.
    ///
    /// # Errors
    ///
    /// [`Stale`] when the timer has come out or was cancelled.
    #[inline]
    #[expect(
        clippy::cast_possible_truncation,
        reason = "the halves are compared one by one"
    )]
    pub fn rearm(&mut self, handle: Handle, deadline: u64) -> Result<(), Stale> {
        let node = self.storage.nodes_mut().get_mut(handle.index()).ok_or(Stale)?;
        if node.generation != handle.generation() {
            return self.rearm_far(handle, deadline);
        }
        let low = deadline as u32;
        // A slot never starts after the deadlines in it, so this settles it for a timeout that is pushed back.
        if low >= node.low && (deadline ^ self.hierarchy.cursor) & EPOCH == 0 {
            node.low = low;
        } else {
            self.rehang(handle.index, deadline);
        }
        Ok(())
    }

    /// `rearm` for what is not known by its node alone: a far timer, or none.
    #[inline(never)]
    fn rearm_far(&mut self, handle: Handle, deadline: u64) -> Result<(), Stale> {
        self.check_far(handle)?;
        self.rehang(handle.index, deadline);
        Ok(())
    }

    /// Stops a timer (STOP_TIMER) and gives its value back. O(1) without touching the timer's neighbours.
    ///
    /// Lazy: the node is free for the next timer at once, yet stays on its slot's list until that slot comes round or the
    /// node is started again. So [`next_bound`](Self::next_bound) may name one moment at which nothing happens;
    /// [`remove`](Self::remove) leaves no trace.
    ///
    /// # Errors
    ///
    /// [`Stale`] when the timer has come out or was cancelled already.
    #[inline]
    pub fn cancel(&mut self, handle: Handle) -> Result<S::Value, Stale> {
        match self.storage.nodes().get(handle.index()) {
            Some(node) if node.generation == handle.generation() => {
                self.release_near(handle.index).ok_or(Stale)
            }
            _ => self.cancel_far(handle),
        }
    }

    /// `cancel` for what is not known by its node alone: a far timer, or none.
    #[inline(never)]
    fn cancel_far(&mut self, handle: Handle) -> Result<S::Value, Stale> {
        self.check_far(handle)?;
        self.release(handle.index).ok_or(Stale)
    }

    /// Stops a timer, gives its value back and takes its node off the list. O(1), touching both neighbours.
    ///
    /// # Errors
    ///
    /// [`Stale`] when the timer has come out or was cancelled already.
    pub fn remove(&mut self, handle: Handle) -> Result<S::Value, Stale> {
        self.check(handle)?;
        self.hierarchy.unlink(&mut self.storage.lists(), handle.index);
        self.release(handle.index).ok_or(Stale)
    }

    /// Lets time pass (PER_TICK_BOOKKEEPING, for any number of ticks at once): timers with a deadline at or before `now`
    /// become due, and [`pop`](Self::pop) gives them out. O(1).
    ///
    /// A clock that goes back is ignored: time stands still until it has caught up.
    #[inline]
    pub fn advance(&mut self, now: u64) {
        if now > self.now {
            self.now = now;
            self.hierarchy.skip_to(now);
        }
    }

    /// The latest time that [`advance`](Self::advance) was told.
    #[inline]
    pub const fn now(&self) -> u64 {
        self.now
    }

    /// The number of live timers: started, and neither popped nor cancelled. O(1).
    #[inline]
    pub const fn len(&self) -> usize {
        self.live
    }

    /// Whether no timer is live.
    #[inline]
    pub const fn is_empty(&self) -> bool {
        self.live == 0
    }

    /// How many timers can be live without more memory.
    pub fn capacity(&self) -> usize {
        self.storage.capacity()
    }

    /// Whether the handle's timer is live.
    #[inline]
    pub fn contains(&self, handle: Handle) -> bool {
        self.check(handle).is_ok()
    }

    /// The value of a live timer.
    #[inline]
    pub fn get(&self, handle: Handle) -> Option<&S::Value> {
        self.check(handle).ok()?;
        self.storage.values()[handle.index()].as_ref()
    }

    /// The value of a live timer, to change.
    #[inline]
    pub fn get_mut(&mut self, handle: Handle) -> Option<&mut S::Value> {
        self.check(handle).ok()?;
        self.storage.values_mut()[handle.index()].as_mut()
    }

    /// The deadline of a live timer.
    #[inline]
    pub fn deadline(&self, handle: Handle) -> Option<u64> {
        self.check(handle).ok()?;
        self.deadline_of(handle.index)
    }

    /// All live timers in no particular order. O(nodes in use).
    pub fn iter(&self) -> Iter<'_, S::Value> {
        Iter::new(&self.storage, self.hierarchy.cursor, self.live)
    }

    /// Drops every timer. Time and memory stay, all handles become stale. O(nodes in use).
    pub fn clear(&mut self) {
        self.hierarchy = Hierarchy::new(self.now);
        for index in 0..self.storage.in_use() {
            self.storage.lists().links[index as usize].slot = UNLINKED;
            if self.deadline_of(index).is_some() {
                self.release_node(index);
            }
        }
        // Last, so that the wheel is whole should a value's destructor panic.
        self.storage
            .values_mut()
            .iter_mut()
            .for_each(|value| *value = None);
    }

    #[inline]
    fn check(&self, handle: Handle) -> Result<(), Stale> {
        match self.storage.nodes().get(handle.index()) {
            Some(node) if node.generation == handle.generation() => Ok(()),
            _ => self.check_far(handle),
        }
    }

    /// Whether the handle is that of a far timer.
    #[inline(never)]
    fn check_far(&self, handle: Handle) -> Result<(), Stale> {
        let (nodes, links) = (self.storage.nodes(), self.storage.links());
        match (nodes.get(handle.index()), links.get(handle.index())) {
            (Some(node), Some(link)) if link.far && node.generation | 1 == handle.generation() => Ok(()),
            _ => Err(Stale),
        }
    }

    /// The deadline of a live timer, `None` of a free node.
    #[inline]
    pub(crate) fn deadline_of(&self, index: u32) -> Option<u64> {
        self.storage.records().deadline(index, self.hierarchy.cursor)
    }

    /// Gives a live node that hangs in a slot another deadline, and where that slot comes too late, another slot.
    ///
    /// Out of line: what calls it must stay small.
    #[inline(never)]
    fn rehang(&mut self, index: u32, deadline: u64) {
        let mut lists = self.storage.lists();
        if deadline >= self.hierarchy.start_of(lists.links[index as usize].slot) {
            lists.set_deadline(index, deadline, self.hierarchy.cursor);
        } else {
            self.hierarchy.unlink(&mut lists, index);
            self.hierarchy.link(&mut lists, index, deadline);
        }
    }

    /// Ends a live node and gives out its value, which every live node has.
    #[inline]
    pub(crate) fn release(&mut self, index: u32) -> Option<S::Value> {
        self.storage.lists().bring_near(index);
        self.release_near(index)
    }

    /// `release` of a node that is not far.
    #[inline]
    fn release_near(&mut self, index: u32) -> Option<S::Value> {
        let (mut lists, values) = self.storage.parts();
        // The value first: where nodes and values lie whole pages apart, its load would have to wait for the node's stores.
        let value = values[index as usize].take();
        self.free = lists.free(index, self.free);
        self.live -= 1;
        value
    }

    /// Ends a live node without touching its value.
    pub(crate) fn release_node(&mut self, index: u32) {
        let mut lists = self.storage.lists();
        lists.bring_near(index);
        self.free = lists.free(index, self.free);
        self.live -= 1;
    }
}

impl<S: Storage> fmt::Debug for TimingWheel<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TimingWheel")
            .field("now", &self.now)
            .field("len", &self.live)
            .field("next_bound", &self.next_bound())
            .finish_non_exhaustive()
    }
}
