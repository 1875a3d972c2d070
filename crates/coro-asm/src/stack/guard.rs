/// How the guard page below each stack is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum GuardKind {
    /// `MADV_GUARD_INSTALL` (Linux 6.13 and later): a mark in the page table, which takes no mapping of its own.
    Marker,
    /// `mprotect(PROT_NONE)`: two mappings for each stack, of which a process has 65,530 by default.
    Mprotect,
    /// None, because frames lie elsewhere: where each coroutine has a thread, under Miri. Only ever reported; asked for, it
    /// counts as no wish.
    Absent,
}
