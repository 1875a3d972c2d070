use core::num::NonZeroU32;

/// Names one timer of one wheel: the index of its node and the generation of that node.
///
/// A handle is valid until its timer expires or is cancelled. From then on it is *stale*: every operation answers
/// [`Stale`](crate::Stale), also after the node was given to another timer. A node whose generations are used up (2^31
/// timers) is retired, so a stale handle never comes back to life.
///
/// Eight bytes, and so is `Option<Handle>`. A handle does not know its wheel: showing it to another wheel is memory-safe
/// and may name any of that wheel's timers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Handle {
    pub(crate) index: u32,
    generation: NonZeroU32,
}

const _: () = assert!(size_of::<Handle>() == 8 && size_of::<Option<Handle>>() == 8);

impl Handle {
    /// The handle of a live node, whose generation is odd and so never 0.
    #[inline]
    pub(crate) fn of_live(index: u32, generation: u32) -> Self {
        Self {
            index,
            generation: NonZeroU32::MIN | generation,
        }
    }

    #[inline]
    pub(crate) const fn index(self) -> usize {
        self.index as usize
    }

    #[inline]
    pub(crate) const fn generation(self) -> u32 {
        self.generation.get()
    }

    /// The handle as one integer, never 0: for a completion queue's user data or a C interface.
    #[inline]
    #[must_use]
    pub const fn to_bits(self) -> u64 {
        (self.generation.get() as u64) << 32 | self.index as u64
    }

    /// The handle that [`to_bits`](Self::to_bits) took apart, `None` where no handle has these bits.
    #[inline]
    #[must_use]
    #[expect(clippy::cast_possible_truncation, reason = "the two halves are taken apart")]
    pub const fn from_bits(bits: u64) -> Option<Self> {
        match NonZeroU32::new((bits >> 32) as u32) {
            // As the generation of every live node is.
            Some(generation) if generation.get() & 1 == 1 => Some(Self {
                index: bits as u32,
                generation,
            }),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Handle;

    #[test]
    fn bits_round_trip() {
        let handle = Handle::of_live(u32::MAX - 1, 3);
        assert_eq!(Handle::from_bits(handle.to_bits()), Some(handle));
        assert_eq!(Handle::from_bits(0), None);
        assert_eq!(Handle::from_bits(u64::from(u32::MAX)), None);
        assert_eq!(Handle::from_bits(2 << 32), None, "the generation of a free node");
    }
}
