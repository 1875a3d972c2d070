//! Chains: entries that only make sense when the ones before them worked.

use crate::{Call, EntryFlags, SysResult};

/// Where a walk over entries stands in a chain.
///
/// An entry with [`EntryFlags::LINK`] is in one chain with the entry behind it. Every executor keeps one of these and
/// asks it before each entry, so a chain means the same in all of them.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Chain {
    open: bool,
    broken: bool,
}

impl Chain {
    /// Before the first entry: no chain.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            open: false,
            broken: false,
        }
    }

    /// Whether the next entry must not run, because one before it in its chain failed or was short.
    #[inline]
    #[must_use]
    pub const fn is_broken(self) -> bool {
        self.broken
    }

    /// Whether the next entry continues a chain.
    #[inline]
    #[must_use]
    pub const fn is_open(self) -> bool {
        self.open
    }

    /// Notes an entry that ran.
    #[inline]
    pub const fn ran(&mut self, call: &Call, result: SysResult) {
        self.open = call.is_linked();
        self.broken = self.open && call.breaks_chain(result);
    }

    /// Notes an entry that was cancelled instead.
    #[inline]
    pub const fn canceled(&mut self, flags: EntryFlags) {
        self.open = flags.contains(EntryFlags::LINK);
        self.broken = self.open;
    }
}

#[cfg(test)]
mod tests {
    use super::Chain;
    use crate::{Call, EntryFlags, Errno, SysResult};

    const LINKED: Call = Call {
        nr: 0xffff,
        flags: EntryFlags::LINK,
        args: [0; 6],
    };
    const LAST: Call = Call {
        nr: 0xffff,
        flags: EntryFlags::NONE,
        args: [0; 6],
    };

    #[test]
    fn a_failure_reaches_the_end_of_its_chain_and_no_further() {
        let mut chain = Chain::new();
        chain.ran(&LINKED, SysResult::from_raw(0));
        assert!(chain.is_open() && !chain.is_broken());
        chain.ran(&LINKED, SysResult::from_errno(Errno::EPIPE));
        assert!(chain.is_broken());
        chain.canceled(EntryFlags::LINK);
        assert!(chain.is_broken());
        chain.canceled(EntryFlags::NONE);
        assert!(!chain.is_broken() && !chain.is_open());
    }

    #[test]
    fn a_failure_of_the_last_link_breaks_nothing() {
        let mut chain = Chain::new();
        chain.ran(&LAST, SysResult::from_errno(Errno::EPIPE));
        assert_eq!(chain, Chain::new());
    }
}
