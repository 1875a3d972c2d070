//! What can be done to a wheel, and random choices of it.

/// SplitMix64: the same run everywhere.
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ z >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ z >> 31
    }

    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum When {
    /// Ticks after the model's time.
    After(u64),
    /// Ticks before it.
    Before(u64),
    /// A tick of its own.
    At(u64),
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Op {
    Start(When),
    Rearm(u64, When),
    Cancel(u64),
    Remove(u64),
    /// An operation on a handle whose timer has gone.
    Stale(u64),
    Advance(When),
    AdvanceToBound,
    AdvanceToExact,
    /// One `pop` with this budget.
    Pop(usize),
    /// One `poll` with this bound, of which so many are taken.
    Poll(usize, usize),
    Drain,
    Change(u64),
    Clear,
}

impl Op {
    pub(crate) fn random(random: &mut Random, span_bits: u32) -> Self {
        let pick = random.next();
        let span = 1u64 << random.below(u64::from(span_bits) + 1);
        let when = match random.below(32) {
            0 => When::Before(random.below(span)),
            1 => When::After(0),
            2 => When::At(u64::MAX - random.below(2)),
            3 => When::At(random.below(span)),
            _ => When::After(random.below(span)),
        };
        match random.below(64) {
            0..20 => Self::Start(when),
            20..32 => Self::Rearm(pick, when),
            32..38 => Self::Cancel(pick),
            38..40 => Self::Remove(pick),
            40..42 => Self::Stale(pick),
            42..50 => match when {
                // The end of time ends the run: only now and then.
                When::At(_) if random.below(64) != 0 => Self::AdvanceToBound,
                When::After(ticks) => Self::Advance(When::After(ticks >> random.below(8))),
                other => Self::Advance(other),
            },
            50 => Self::AdvanceToBound,
            51 => Self::AdvanceToExact,
            52..56 => Self::Pop(1),
            56..58 => Self::Pop(pick as usize % 9),
            58..60 => Self::Poll(pick as usize % 70, random.below(20) as usize),
            60..62 => Self::Drain,
            62 => Self::Change(pick),
            _ => {
                if random.below(200) == 0 {
                    Self::Clear
                } else {
                    Self::Drain
                }
            }
        }
    }
}
