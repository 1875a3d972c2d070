//! A private copy of an entry.

use core::fmt;

use crate::{Errno, SysResult, nr};

/// Flags of an entry.
///
/// The executor reads them from shared memory, so any of the 2^16 patterns may be in here; [`check`](Self::check) tells
/// the good ones.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
#[repr(transparent)]
pub struct EntryFlags(u16);

impl EntryFlags {
    /// No flag.
    pub const NONE: Self = Self(0);
    /// The next entry belongs to the same chain: when this one fails or is short, the rest of the chain does not run and
    /// completes with `-ECANCELED`.
    pub const LINK: Self = Self(1);
    /// Every bit with a meaning.
    pub const KNOWN: Self = Self(Self::LINK.0);

    /// The flags for a number found in shared memory.
    #[inline]
    #[must_use]
    pub const fn from_raw(raw: u16) -> Self {
        Self(raw)
    }

    /// The number that stands in shared memory.
    #[inline]
    #[must_use]
    pub const fn to_raw(self) -> u16 {
        self.0
    }

    /// Whether all bits of `other` are set.
    #[inline]
    #[must_use]
    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// The bits of both.
    #[inline]
    #[must_use]
    pub const fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// The bits of `self` that are not in `other`.
    #[inline]
    #[must_use]
    pub const fn difference(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// Refuses bits without a meaning, so that they stay free for one.
    ///
    /// # Errors
    ///
    /// [`UnknownFlags`] with the bits that are not known.
    #[inline]
    pub const fn check(self) -> Result<(), UnknownFlags> {
        match self.difference(Self::KNOWN).0 {
            0 => Ok(()),
            unknown => Err(UnknownFlags(unknown)),
        }
    }
}

/// An entry carried flag bits that this version does not know. An executor completes it with `-EINVAL`.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct UnknownFlags(u16);

impl UnknownFlags {
    /// The bits that are not known.
    #[must_use]
    pub const fn bits(self) -> u16 {
        self.0
    }
}

impl From<UnknownFlags> for Errno {
    fn from(_: UnknownFlags) -> Self {
        Self::EINVAL
    }
}

impl fmt::Display for UnknownFlags {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "entry flags {:#06x} are not among the known ones ({:#06x})",
            self.0,
            EntryFlags::KNOWN.to_raw()
        )
    }
}

impl core::error::Error for UnknownFlags {}

/// A system call: number, flags and six arguments. A copy of an entry that the other side can no longer change.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
pub struct Call {
    /// Number of the system call in the table of the machine (see [`nr`]).
    pub nr: u32,
    /// What the executor does around it.
    pub flags: EntryFlags,
    /// Arguments in the order of the system call's registers; unused ones are zero.
    pub args: [u64; 6],
}

impl Call {
    /// A call without flags.
    #[inline]
    #[must_use]
    pub const fn new(nr: u32, args: [u64; 6]) -> Self {
        Self {
            nr,
            flags: EntryFlags::NONE,
            args,
        }
    }

    /// Whether the next entry is in the same chain.
    #[inline]
    #[must_use]
    pub const fn is_linked(&self) -> bool {
        self.flags.contains(EntryFlags::LINK)
    }

    /// How many bytes the call moves when nothing stops it, or `None` for a call that is never short.
    ///
    /// For `writev` and `sendmsg`, whose registers do not tell, it is what the producer stored in `args[3]`
    /// (the kernel reads three arguments there); zero means not known. A `recvfrom` counts only with `MSG_WAITALL`.
    #[inline]
    #[must_use]
    pub const fn full_length(&self) -> Option<u64> {
        nr::full_length(self.nr, &self.args)
    }

    /// Whether `result` breaks a chain behind this call: it failed, or moved fewer bytes than asked for.
    #[inline]
    #[must_use]
    pub const fn breaks_chain(&self, result: SysResult) -> bool {
        match (result.into_result(), self.full_length()) {
            (Err(_), _) => true,
            (Ok(_), None) => false,
            (Ok(moved), Some(full)) => moved < full,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Call, EntryFlags};
    use crate::{Errno, SysResult, nr};

    #[test]
    fn every_flag_pattern_is_known_or_refused() {
        for raw in 0..=u16::MAX {
            let flags = EntryFlags::from_raw(raw);
            assert_eq!(flags.to_raw(), raw);
            match flags.check() {
                Ok(()) => assert!(raw <= 1),
                Err(unknown) => {
                    assert_eq!(unknown.bits(), raw & !1);
                    assert_eq!(Errno::from(unknown), Errno::EINVAL);
                }
            }
        }
    }

    #[test]
    fn short_is_less_than_the_call_asked_for() {
        let ok = SysResult::from_raw;
        let send = Call::new(nr::native::SENDTO, [3, 0, 100, 0, 0, 0]);
        assert!(!send.breaks_chain(ok(100)));
        assert!(send.breaks_chain(ok(99)));
        assert!(send.breaks_chain(SysResult::from_errno(Errno::EAGAIN)));

        let sendfile = Call::new(nr::native::SENDFILE, [3, 4, 0, 1 << 33, 0, 0]);
        assert!(!sendfile.breaks_chain(ok(1 << 33)));
        assert!(
            sendfile.breaks_chain(ok(1)),
            "the low 32 bits alone would not tell"
        );

        let recv = Call::new(nr::native::RECVFROM, [3, 0, 100, 0, 0, 0]);
        assert!(!recv.breaks_chain(ok(0)));
        let recv_all = Call::new(nr::native::RECVFROM, [3, 0, 100, 0x100, 0, 0]);
        assert!(recv_all.breaks_chain(ok(99)));

        let gather = Call::new(nr::native::WRITEV, [3, 0, 2, 50, 0, 0]);
        assert!(gather.breaks_chain(ok(49)));
        assert!(!Call::new(nr::native::WRITEV, [3, 0, 2, 0, 0, 0]).breaks_chain(ok(1)));

        let ppid = Call::new(nr::native::GETPPID, [0; 6]);
        assert!(!ppid.breaks_chain(ok(0)));
    }
}
