//! The bytes that each connection is to get, and chance.

/// Numbers that are the same in each run.
#[derive(Debug)]
pub(super) struct Random(pub(super) u32);

impl Random {
    pub(super) fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (self.0 >> 8) as usize % limit
    }

    pub(super) fn one_in(&mut self, count: usize) -> bool {
        self.below(count) == 0
    }
}

/// The byte of a stream, which is named by its peer's port.
pub(super) fn byte(stream: u16, at: usize) -> u8 {
    let mixed = (u32::from(stream) << 20 ^ u32::try_from(at).unwrap_or(0)).wrapping_mul(2_654_435_761);
    let [.., low, high] = mixed.to_be_bytes();
    low ^ high
}

pub(super) fn bytes(stream: u16, at: usize, len: usize) -> Vec<u8> {
    (at..at + len).map(|at| byte(stream, at)).collect()
}
