//! Reads numbers off a fuzzer's bytes.
//!
//! The reading is fixed here and nowhere else, so that a finding from years ago still means the same operations.

/// What is left of an input. Past its end every number is zero.
#[derive(Clone, Copy, Debug)]
pub struct Input<'a>(&'a [u8]);

impl<'a> Input<'a> {
    /// Starts at the first byte.
    pub fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    /// Whether every byte was read.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// One byte.
    pub fn byte(&mut self) -> u8 {
        let [byte] = self.array();
        byte
    }

    /// Two bytes, little endian.
    pub fn u16(&mut self) -> u16 {
        u16::from_le_bytes(self.array())
    }

    /// Eight bytes, little endian.
    pub fn u64(&mut self) -> u64 {
        u64::from_le_bytes(self.array())
    }

    /// A number of any magnitude, small ones as likely as large ones: a byte for the width, then eight for the value.
    pub fn scaled(&mut self) -> u64 {
        let width = u32::from(self.byte() % 65);
        let value = self.u64();
        value & u64::MAX.checked_shr(64 - width).unwrap_or(0)
    }

    /// A length byte, then so many bytes, or as many as are left.
    pub fn bytes(&mut self) -> &'a [u8] {
        let length = usize::from(self.byte()).min(self.0.len());
        let (head, tail) = self.0.split_at(length);
        self.0 = tail;
        head
    }

    /// All that is left.
    pub fn rest(&mut self) -> &'a [u8] {
        std::mem::take(&mut self.0)
    }

    fn array<const N: usize>(&mut self) -> [u8; N] {
        let length = N.min(self.0.len());
        let (head, tail) = self.0.split_at(length);
        self.0 = tail;
        let mut array = [0; N];
        array[..length].copy_from_slice(head);
        array
    }
}
