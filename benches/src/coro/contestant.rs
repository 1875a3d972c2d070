use core::hint::black_box;

use anyhow::Result;

/// The stack of each coroutine, for whoever lets us choose.
pub(super) const STACK_BYTES: usize = 16 << 10;

/// A suspended coroutine that answers each input `x` with `x ^ id`.
pub(crate) trait Resume {
    /// Switches to the coroutine with `input` and back with its answer.
    fn resume(&mut self, input: u64) -> u64;
}

/// One of which it is known where its next resume will look.
pub(crate) trait Prefetch: Resume {
    /// Starts to fetch that memory.
    fn prefetch(&self);
}

/// Makes suspended coroutines, all of which may be alive at once.
pub(crate) trait Spawn {
    /// What it makes.
    type Coroutine: Resume;

    /// A coroutine that runs [`body`] with `FRAMES` frames between its loop and the suspension, and `LINES` cache lines of its
    /// stack in use in between.
    ///
    /// # Errors
    ///
    /// When there is no room for another stack.
    fn spawn<const FRAMES: usize, const LINES: usize>(&mut self, id: u64) -> Result<Self::Coroutine>;
}

/// Creates a coroutine on a pooled stack, runs it to its end without a suspension, and gives the stack back.
pub(crate) trait Complete {
    /// The coroutine's result: `input ^ id`.
    fn complete(&mut self, id: u64, input: u64) -> u64;
}

/// What every coroutine runs: answers `x ^ id` for ever, and writes to so many cache lines of its stack each time.
#[inline(always)]
pub(crate) fn body<const FRAMES: usize, const LINES: usize>(
    id: u64,
    first: u64,
    mut suspend: impl FnMut(u64) -> u64,
) -> ! {
    let mut lines = [[0_u64; 8]; LINES];
    let mut input = first;
    loop {
        if LINES > 0 {
            for line in &mut lines {
                line[0] ^= input;
            }
            black_box(&mut lines);
        }
        input = through_frames::<FRAMES>(&mut suspend, input ^ id);
    }
}

/// Calls `inner` through `FRAMES` frames that each have something left to do when it returns.
#[inline(always)]
pub(crate) fn through_frames<const FRAMES: usize>(inner: &mut impl FnMut(u64) -> u64, value: u64) -> u64 {
    if FRAMES == 0 {
        inner(value)
    } else {
        frame(FRAMES, inner, value)
    }
}

#[inline(never)]
fn frame(depth: usize, inner: &mut impl FnMut(u64) -> u64, value: u64) -> u64 {
    let result = if depth <= 1 {
        inner(value)
    } else {
        frame(depth - 1, inner, value)
    };
    // Keeps the compiler from turning the calls into jumps.
    black_box(result)
}
