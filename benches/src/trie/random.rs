/// A small generator of numbers (xorshift64*), so that sets and paths are the same in every run.
#[derive(Debug)]
pub(super) struct Random(u64);

impl Random {
    pub(super) const fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    /// A number below `bound`.
    pub(super) const fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) as usize % bound
    }

    pub(super) const fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[self.below(from.len())]
    }

    /// Adds one to four syllables.
    pub(super) fn word(&mut self, to: &mut String) {
        for _ in 0..1 + self.below(4) {
            to.push(char::from(*self.pick(b"bcdfghjklmnprstvwz")));
            to.push(char::from(*self.pick(b"aeiou")));
        }
    }
}
