use core::ffi::c_void;
use core::num::NonZeroUsize;
use core::ptr;
use std::rc::Rc;

use anyhow::{Context, Result, ensure};
use rustix::mm::{MapFlags, ProtFlags, mmap_anonymous, munmap};

/// Distance between neighbouring stacks, and the size of each.
pub(super) const STRIDE: usize = 16 << 10;
/// Stack tops of a coloured arena are spread over this many cache lines: one page.
const COLOURS: usize = 64;
const CACHE_LINE: usize = 64;

/// One mapping cut into 16 KiB stacks without guards: what a rival that brings no arena of its own is given, so
/// that it is also measured without the cost of a mapping for each stack.
pub(crate) struct Arena {
    start: NonZeroUsize,
    stacks: usize,
    coloured: bool,
}

impl Arena {
    /// Maps room for `stacks` stacks. With `coloured`, their tops are spread over the sets of the first-level
    /// cache instead of all falling on the same ones.
    ///
    /// # Errors
    ///
    /// When the kernel has no room for the mapping.
    pub(crate) fn new(stacks: usize, coloured: bool) -> Result<Self> {
        // SAFETY: the address is left to the kernel, so no existing mapping is replaced.
        let start = unsafe {
            mmap_anonymous(
                ptr::null_mut(),
                stacks * STRIDE,
                ProtFlags::READ | ProtFlags::WRITE,
                MapFlags::PRIVATE | MapFlags::NORESERVE,
            )
        }
        .with_context(|| format!("cannot map {stacks} stacks of {STRIDE} bytes"))?;
        let start = NonZeroUsize::new(start.addr()).context("the kernel mapped the zero page")?;
        Ok(Self {
            start,
            stacks,
            coloured,
        })
    }

    /// The part of the mapping that is stack `index`.
    pub(super) fn stack(self: &Rc<Self>, index: usize) -> Result<ArenaStack> {
        ensure!(index < self.stacks, "the arena has only {} stacks", self.stacks);
        let colour = if self.coloured { colour(index) } else { 0 };
        debug_assert!(colour < COLOURS);
        let top = self.start.get() + (index + 1) * STRIDE - colour * CACHE_LINE;
        let top = NonZeroUsize::new(top).context("an arena at the end of the address space")?;
        Ok(ArenaStack {
            arena: Rc::clone(self),
            top,
        })
    }
}

/// A colour without a pattern (the finisher of SplitMix64), so that no prefetcher or set index meets one.
fn colour(index: usize) -> usize {
    let mut mixed = index as u64;
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    (mixed ^ (mixed >> 31)) as usize % COLOURS
}

impl Drop for Arena {
    fn drop(&mut self) {
        let start = ptr::with_exposed_provenance_mut::<c_void>(self.start.get());
        // SAFETY: the mapping was made in `new` with this length, and every stack in it holds a reference to
        // the arena, so none is in use any more.
        let unmapped = unsafe { munmap(start, self.stacks * STRIDE) };
        debug_assert!(unmapped.is_ok());
    }
}

/// A stack inside an [`Arena`], two words wide like corosensei's own `DefaultStack`.
pub(crate) struct ArenaStack {
    #[expect(dead_code, reason = "keeps the mapping alive")]
    arena: Rc<Arena>,
    top: NonZeroUsize,
}

impl ArenaStack {
    /// One past the highest byte; a multiple of 64.
    pub(super) fn top(&self) -> NonZeroUsize {
        self.top
    }

    /// The lowest byte.
    pub(super) fn bottom(&self) -> usize {
        // A top is at most a page below the end of its 16 KiB, and the mapping starts on a page, not
        // necessarily on a multiple of 16 KiB, so the bottom is counted from the top's page.
        self.top.get().next_multiple_of(COLOURS * CACHE_LINE) - STRIDE
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stacks_do_not_overlap() {
        for coloured in [false, true] {
            let arena = Rc::new(Arena::new(200, coloured).unwrap());
            let mut end_of_last = 0;
            for index in 0..200 {
                let stack = arena.stack(index).unwrap();
                assert!(stack.bottom() >= end_of_last);
                assert!(stack.top().get() - stack.bottom() > STRIDE - 4096);
                end_of_last = stack.top().get();
            }
            assert!(arena.stack(200).is_err());
        }
    }

    #[test]
    fn colours_are_spread() {
        let arena = Rc::new(Arena::new(64, true).unwrap());
        let mut offsets: Vec<_> = (0..64)
            .map(|index| arena.stack(index).unwrap().top().get() % 4096)
            .collect();
        offsets.sort_unstable();
        offsets.dedup();
        assert!(offsets.len() > 32, "{}", offsets.len());
    }
}
