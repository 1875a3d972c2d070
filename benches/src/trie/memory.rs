use super::matcher::Matcher;
use super::sets::Set;

/// Heap memory that a matcher of the set keeps, in bytes for each prefix, the prefixes included.
pub(super) fn bytes_per_key<M: Matcher>(set: &Set) -> f64 {
    // The allocator counts what it keeps for the thread as handed out; in many copies of a small trie that is lost.
    let copies = (100_000 / set.prefixes.len()).clamp(1, 100);
    let before = live_heap();
    let matchers: Vec<M> = (0..copies).map(|_| M::build(set)).collect();
    let bytes = live_heap() - before;
    drop(matchers);
    bytes as f64 / (copies * set.prefixes.len()) as f64
}

/// What the allocator of the C library has handed out.
fn live_heap() -> i128 {
    // SAFETY: mallinfo2 has no preconditions; it reads the allocator's counters under its own locks.
    let info = unsafe { libc::mallinfo2() };
    info.uordblks as i128 + info.hblkhd as i128
}
