//! Who owns an entry.

/// State of an entry, and with it the side that owns the entry.
///
/// ```text
///            producer                  executor
///   EMPTY ------------> READY ------------------> DONE
///     ^                   |                        |
///     |                   +--------> CANCELED      |
///     |                                 |          |
///     +------------- producer ----------+----------+
/// ```
///
/// [`Ready`](Self::Ready) belongs to the executor, every other state to the producer. The side that gives an entry away
/// stores the new state with `Release` order after everything else; the other side loads it with `Acquire` order before
/// anything else, so it sees the entry whole.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[repr(u16)]
pub enum State {
    /// Free: the producer may fill it.
    Empty = 0,
    /// Filled: the executor may run it.
    Ready = 1,
    /// Ran: the result is the call's own.
    Done = 2,
    /// Did not run; the result is `-ECANCELED`.
    Canceled = 3,
}

impl State {
    /// The state for a number found in shared memory, or `None` where the number names no state.
    #[inline]
    #[must_use]
    pub const fn from_raw(raw: u16) -> Option<Self> {
        match raw {
            0 => Some(Self::Empty),
            1 => Some(Self::Ready),
            2 => Some(Self::Done),
            3 => Some(Self::Canceled),
            _ => None,
        }
    }

    /// The number that stands in shared memory.
    #[inline]
    #[must_use]
    pub const fn to_raw(self) -> u16 {
        self as u16
    }
}

#[cfg(test)]
mod tests {
    use super::State;

    #[test]
    fn every_number_decodes_to_itself_or_to_nothing() {
        for raw in 0..=u16::MAX {
            match State::from_raw(raw) {
                Some(state) => assert_eq!(state.to_raw(), raw),
                None => assert!(raw > 3),
            }
        }
    }
}
