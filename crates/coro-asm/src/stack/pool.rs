//! A pool of guarded stacks for one thread.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::cell::{Cell, UnsafeCell};
use core::fmt;
use core::ptr::NonNull;

use super::arena::Arena;
use super::overflow::Registration;
use super::{ControlRecord, GuardKind, Stack, StackError};
use crate::raw;

/// How many stacks are opened at once.
const SLAB: usize = 64;

/// A stack's top is moved down by one of this many cache lines.
///
/// Tops at equal offsets in their pages would share a few sets of the first-level cache, so that each switch among more
/// than a dozen coroutines missed it.
const COLOURS: usize = 32;

/// Bytes in a cache line, or a divisor of it.
const LINE: usize = 64;

/// Bytes of a page, at least: x86_64 has no smaller one (Intel SDM volume 3, section 5.1), nor has AArch64 (Arm Architecture
/// Reference Manual, translation granules).
const LEAST_PAGE: usize = 4096;

/// What a [`StackPool`] is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct StackPoolConfig {
    /// Bytes of memory for each stack, rounded up to whole pages; the guard page comes on top. Just under 2 KiB of
    /// it is not usable, for it spreads the tops over the cache. Pages become resident when they are first touched.
    pub stack_size: usize,
    /// The most stacks that exist at a time. Only addresses are reserved for them.
    pub max_stacks: usize,
    /// How to make guards; the best that the kernel has if `None`.
    pub guard: Option<GuardKind>,
}

impl StackPoolConfig {
    /// A pool of up to `max_stacks` stacks of `stack_size` bytes.
    pub const fn new(stack_size: usize, max_stacks: usize) -> Self {
        Self {
            stack_size,
            max_stacks,
            guard: None,
        }
    }
}

/// 64 KiB for each of up to 16,384 stacks: 1 GiB of addresses.
impl Default for StackPoolConfig {
    fn default() -> Self {
        Self::new(64 * 1024, 16_384)
    }
}

/// What a pool holds at a moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct PoolStats {
    /// Stacks that have been opened and guarded.
    pub opened: usize,
    /// Stacks that are out.
    pub in_use: usize,
    /// Stacks that wait in the pool.
    pub idle: usize,
    /// The most that [`StackPoolConfig`] allows.
    pub max_stacks: usize,
    /// Usable bytes of each.
    pub usable_size: usize,
    /// How overflow is caught.
    pub guard: GuardKind,
}

/// Guarded stacks in one arena, for coroutines of one thread.
///
/// [`acquire`](Self::acquire) takes the stack that was returned last, whose pages and cache lines are warm, in
/// constant time; only when none is left are 64 more opened. Each stack has a guard page below it, and its top is
/// coloured: moved by a few cache lines, so that many coroutines do not fight for the same sets of the cache.
///
/// A stack keeps its pages when it is returned. [`trim`](Self::trim) gives them back, for idle times.
///
/// The pool may be dropped before its stacks; the memory goes when the last of them does.
pub struct StackPool {
    inner: NonNull<Inner>,
}

/// A stack from a [`StackPool`], to which it returns when dropped. One word.
pub struct PooledStack {
    entry: NonNull<Entry>,
}

/// What there is to know about one stack. Those of a pool stand side by side, apart from the stacks: what a switch touches of
/// a thousand coroutines lies in 16 pages and not in a thousand.
#[repr(C, align(64))]
struct Entry {
    record: ControlRecord,
    base: NonNull<u8>,
    pool: NonNull<Inner>,
}

#[cfg(not(feature = "asan"))]
const _: () = assert!(size_of::<Entry>() == LINE);

/// The entries of a pool, in rows that stay where they are. Only pointers lead there: the first field of each belongs to
/// a coroutine, the others never change.
#[derive(Default)]
struct Rows(Vec<NonNull<[Entry]>>);

/// What the pool's handle and its stacks share. The unsafe code here rests on two rules:
///
/// - **Outlives**: [`free_if_last`] alone frees this, once the handle is gone and as many stacks are idle as were ever opened; a
///   stack that is out is not idle, and one that is forgotten never will be. So it is there for whoever has a
///   [`StackPool`] or a [`PooledStack`], and with it its rows, whose entries never move, and its arena.
/// - **One call**: neither of the two is `Send` or `Sync`, and nothing here calls code that could call back. So a reference
///   to what a cell holds is the only one, as long as it ends with the function that made it.
struct Inner {
    /// The stack that came back last, or went out last from here. Taking it and returning it writes a flag and not the
    /// address, so that no coroutine has to wait for the one before it to get its stack.
    last: Cell<NonNull<Entry>>,
    /// Whether `last` is here.
    last_is_idle: Cell<bool>,
    /// The other idle stacks, the one to use next at the end.
    idle: UnsafeCell<Vec<NonNull<Entry>>>,
    rows: UnsafeCell<Rows>,
    /// How many at the start of `idle` have no pages of their own: fresh ones and trimmed ones.
    cold: Cell<usize>,
    usable_size: usize,
    /// Whether the pool's handle is gone.
    orphaned: Cell<bool>,
    max_stacks: usize,
    /// Before the arena, so that its addresses are forgotten before someone else can have them.
    report: UnsafeCell<Option<Registration>>,
    arena: Arena,
}

impl StackPool {
    /// Reserves the addresses of a pool; no stack is opened yet.
    ///
    /// # Errors
    /// [`StackError::InvalidSize`] for a size or number of zero, or too large to address;
    /// [`StackError::OutOfMemory`] when the kernel refuses the addresses; [`StackError::ShadowStack`] on a thread with one.
    pub fn new(config: StackPoolConfig) -> Result<Self, StackError> {
        if raw::shadow_stack_enabled() {
            return Err(StackError::ShadowStack);
        }
        let arena = Arena::reserve(config.stack_size, config.max_stacks, config.guard)?;
        let inner = Box::new(Inner {
            last: Cell::new(NonNull::dangling()),
            last_is_idle: Cell::new(false),
            idle: UnsafeCell::new(Vec::new()),
            rows: UnsafeCell::default(),
            cold: Cell::new(0),
            usable_size: arena.stack_size() - (COLOURS - 1) * LINE,
            orphaned: Cell::new(false),
            max_stacks: config.max_stacks,
            report: UnsafeCell::new(None),
            arena,
        });
        Ok(Self {
            inner: NonNull::from(Box::leak(inner)),
        })
    }

    /// Takes a stack out of the pool. Constant time, and no system call unless new stacks have to be opened.
    ///
    /// # Errors
    /// [`StackError::Exhausted`] when `max_stacks` are in use, [`StackError::TooManyMappings`] or
    /// [`StackError::OutOfMemory`] when the kernel gives no more.
    #[inline]
    pub fn acquire(&self) -> Result<PooledStack, StackError> {
        let inner = self.inner();
        let entry = if inner.last_is_idle.replace(false) {
            inner.last.get()
        } else {
            inner.pop(self.inner)?
        };
        Ok(PooledStack { entry })
    }

    /// Gives the pages of all idle stacks back to the kernel, neighbours in one call.
    ///
    /// The next use of such a stack faults its pages in again, which costs hundreds of times an acquire, so this is for
    /// a timer in idle times and not for the end of each connection.
    pub fn trim(&self) {
        let inner = self.inner();
        if inner.last_is_idle.replace(false) {
            inner.push(inner.last.get());
        }
        // SAFETY: nothing else refers to the list meanwhile, by *one call*.
        let idle = unsafe { &mut *inner.idle.get() };
        // SAFETY: the list has entries of this pool alone, which this handle keeps (*outlives*).
        let index_of = |entry: NonNull<Entry>| inner.arena.index_of(unsafe { Entry::base(entry) });
        let trimmed = &mut idle[inner.cold.get()..];
        trimmed.sort_unstable_by_key(|&entry| index_of(entry));
        for run in trimmed.chunk_by(|&a, &b| index_of(a) + 1 == index_of(b)) {
            // SAFETY: what is on the list is idle: no `PooledStack` has it, so no coroutine runs on it.
            unsafe { inner.arena.give_back(index_of(run[0]), run.len()) };
        }
        // Close to each other in memory is close in the page tables, too: the lowest address next.
        idle.sort_unstable_by_key(|&entry| core::cmp::Reverse(index_of(entry)));
        inner.cold.set(idle.len());
    }

    /// Has overflow of this pool's stacks reported: before the fault takes its course, one line on standard error names the
    /// stack, by its number in the pool, and its size.
    ///
    /// The first call installs a process-wide handler of SIGSEGV, which goes on to the handler that was there before. It runs
    /// on the alternate signal stack, which threads of the standard library have. For up to 64 pools at a time.
    ///
    /// # Errors
    /// [`StackError::TooManyReports`] if there are that many already.
    pub fn report_overflow(&self) -> Result<(), StackError> {
        let inner = self.inner();
        // SAFETY: nothing else refers to the report meanwhile, by *one call*.
        let report = unsafe { &mut *inner.report.get() };
        if report.is_none() {
            *report = Some(Registration::new(&inner.arena.range())?);
        }
        Ok(())
    }

    /// Counts the stacks.
    pub fn stats(&self) -> PoolStats {
        let inner = self.inner();
        let opened = inner.arena.opened();
        let idle = inner.idle();
        PoolStats {
            opened,
            in_use: opened - idle,
            idle,
            max_stacks: inner.max_stacks,
            usable_size: inner.usable_size,
            guard: inner.arena.guard(),
        }
    }

    #[inline]
    fn inner(&self) -> &Inner {
        // SAFETY: this handle keeps it, by *outlives*, and it is only ever changed through its cells.
        unsafe { self.inner.as_ref() }
    }
}

impl Entry {
    /// # Safety
    /// - The pool of this entry is there.
    #[inline]
    unsafe fn base(this: NonNull<Self>) -> NonNull<u8> {
        // SAFETY: the field lies in the entry, which the caller says is there; no reference is made, for a coroutine may be
        // writing to the record beside it.
        let base = unsafe { &raw const (*this.as_ptr()).base };
        // SAFETY: it was written before anyone had the pointer, and never again.
        unsafe { base.read() }
    }

    /// # Safety
    /// - The pool of this entry is there.
    #[inline]
    unsafe fn pool(this: NonNull<Self>) -> NonNull<Inner> {
        // SAFETY: as in `base`.
        let pool = unsafe { &raw const (*this.as_ptr()).pool };
        // SAFETY: it was written before anyone had the pointer, and never again.
        unsafe { pool.read() }
    }
}

impl Rows {
    /// Adds a row, and gives its entries in order.
    fn add(&mut self, entries: Vec<Entry>) -> impl DoubleEndedIterator<Item = NonNull<Entry>> + use<> {
        let row = NonNull::from(Box::leak(entries.into_boxed_slice()));
        self.0.push(row);
        // SAFETY: the indices are those of the row, and rows stay where they are.
        (0..row.len()).map(move |index| unsafe { row.cast::<Entry>().add(index) })
    }
}

impl Drop for Rows {
    fn drop(&mut self) {
        for row in self.0.drain(..) {
            // SAFETY: it came from `Box::leak`, and no `PooledStack` has an entry of it any more, since the pool is being
            // dropped (*outlives*).
            drop(unsafe { Box::from_raw(row.as_ptr()) });
        }
    }
}

impl PooledStack {
    #[inline]
    fn pool(&self) -> &Inner {
        // SAFETY: this stack keeps its pool, by *outlives*.
        let pool = unsafe { Entry::pool(self.entry) };
        // SAFETY: as above; the pool is only ever changed through its cells.
        unsafe { pool.as_ref() }
    }

    /// How many bytes below the base have ever been used at once, since the stack was opened or trimmed.
    ///
    /// This is how to find a stack size: run the program, and take the largest mark with a margin. Found by looking for the
    /// lowest word that is not zero, so a frame at the very end that wrote nothing but zeros is missed.
    ///
    /// One system call, one allocation, and a look at the unused part of the lowest page in use.
    pub fn high_water_mark(&self) -> usize {
        let arena = &self.pool().arena;
        let lowest = arena.lowest_used(arena.index_of(self.base()));
        self.base().addr().get().saturating_sub(lowest.addr().get())
    }
}

impl Inner {
    /// Takes a stack off the list, and opens a slab of them if there is none.
    #[inline(never)]
    fn pop(&self, pool: NonNull<Self>) -> Result<NonNull<Entry>, StackError> {
        // SAFETY: nothing else refers to the list meanwhile, by *one call*.
        let idle = unsafe { &mut *self.idle.get() };
        if idle.is_empty() {
            let first = self.arena.opened();
            let row = self.arena.open(SLAB)?.zip(first..).map(|(top, index)| {
                let offset = (index % COLOURS) * LINE;
                Entry {
                    record: ControlRecord::new(),
                    // SAFETY: a stack is at least a page long, which is more than all colours.
                    base: unsafe { top.sub(offset) },
                    pool,
                }
            });
            let row = row.collect();
            // SAFETY: nothing else refers to the rows meanwhile, by *one call*.
            let rows = unsafe { &mut *self.rows.get() };
            idle.extend(rows.add(row).rev());
            self.cold.set(idle.len());
        }
        let entry = idle.pop().ok_or(StackError::Exhausted {
            max_stacks: self.max_stacks,
        })?;
        self.cold.set(self.cold.get().min(idle.len()));
        Ok(entry)
    }

    /// Makes room for another stack that came back last.
    #[inline(never)]
    fn set_last(&self, entry: NonNull<Entry>) {
        let other = self.last.replace(entry);
        if self.last_is_idle.get() {
            self.push(other);
        }
    }

    /// Puts a stack on the list.
    fn push(&self, entry: NonNull<Entry>) {
        // SAFETY: nothing else refers to the list meanwhile, by *one call*.
        unsafe { &mut *self.idle.get() }.push(entry);
    }

    /// The number of idle stacks.
    fn idle(&self) -> usize {
        // SAFETY: nobody changes the list meanwhile, by *one call*.
        let listed = unsafe { &*self.idle.get() }.len();
        listed + usize::from(self.last_is_idle.get())
    }
}

impl Drop for StackPool {
    fn drop(&mut self) {
        self.inner().orphaned.set(true);
        free_if_last(self.inner);
    }
}

impl Drop for PooledStack {
    #[inline]
    fn drop(&mut self) {
        // A stack is not `Send`, so this is the pool's thread.
        let inner = self.pool();
        if self.entry != inner.last.get() {
            inner.set_last(self.entry);
        }
        inner.last_is_idle.set(true);
        if inner.orphaned.get() {
            // SAFETY: that this stack is idle again frees nothing by itself, so the pool is still there.
            free_if_last(unsafe { Entry::pool(self.entry) });
        }
    }
}

/// Frees a pool without a handle when all its stacks are back.
#[cold]
#[inline(never)]
fn free_if_last(pool: NonNull<Inner>) {
    // SAFETY: the callers are what *outlives* counts: the handle, and a stack, while each is being dropped.
    let inner = unsafe { pool.as_ref() };
    if inner.idle() == inner.arena.opened() {
        // SAFETY: it came from `Box::leak`; the handle is gone, no stack is out, and the caller touches nothing after this.
        drop(unsafe { Box::from_raw(pool.as_ptr()) });
    }
}

// SAFETY: the addresses never change. The base is a multiple of 16, for a slot's top is page-aligned and
// colours are multiples of 64. The slot is handed out to one `PooledStack` at a time and stays mapped until the last one is
// dropped; a forgotten one is never counted as idle, so then it stays for ever. Below the limit come less than a page of the same
// slot, then its guard page. A stack is a page or more, of which all colours but one
// are not usable.
unsafe impl Stack for PooledStack {
    const LEAST_ROOM: usize = LEAST_PAGE - (COLOURS - 1) * LINE;

    #[inline]
    fn base(&self) -> NonNull<u8> {
        // SAFETY: this stack keeps its pool and so the entry, by *outlives*.
        unsafe { Entry::base(self.entry) }
    }

    #[inline]
    fn limit(&self) -> NonNull<u8> {
        // SAFETY: that many bytes lie between the guard and the base, whatever the colour.
        unsafe { self.base().sub(self.pool().usable_size) }
    }

    #[inline(always)]
    fn record(&self) -> Option<NonNull<ControlRecord>> {
        // It begins the entry.
        Some(self.entry.cast())
    }
}

impl fmt::Debug for StackPool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("StackPool").field(&self.stats()).finish()
    }
}

impl fmt::Debug for PooledStack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PooledStack")
            .field("base", &self.base())
            .field("limit", &self.limit())
            .finish()
    }
}
