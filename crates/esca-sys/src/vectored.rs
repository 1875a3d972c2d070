//! Several buffers that go out in one call.

use alloc::vec::Vec;

use crate::{Buffer, address};

/// Words of `struct msghdr` on a 64-bit Linux (`linux/socket.h`): name, namelen, iov, iovlen, control, controllen, flags.
const MSGHDR_WORDS: usize = 7;
const MSGHDR_IOV: usize = 2;
const MSGHDR_IOVLEN: usize = 3;
/// Words of `struct iovec`: base and length.
const IOVEC_WORDS: usize = 2;

/// Buffers to send in one call, in order, with the structures that the kernel wants beside them.
///
/// The memory is kept: a `Vectored` that came back in a completion can be [cleared](Self::clear) and filled again without
/// allocating.
#[derive(Debug, Default)]
pub struct Vectored {
    parts: Vec<Buffer>,
    /// `struct msghdr` followed by the `struct iovec`s; the vector's memory stays in place while the value moves.
    words: Vec<u64>,
    len: usize,
}

impl Vectored {
    /// Largest number of parts in one call (`UIO_MAXIOV` of Linux).
    pub const MAX_PARTS: usize = 1024;

    /// No parts.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            parts: Vec::new(),
            words: Vec::new(),
            len: 0,
        }
    }

    /// Adds a part at the end.
    ///
    /// # Errors
    ///
    /// The buffer, where there are [`MAX_PARTS`](Self::MAX_PARTS) already or where it is itself gathered.
    pub fn push(&mut self, part: impl Into<Buffer>) -> Result<(), Buffer> {
        let part = part.into();
        let nested = part.as_slice().len() != part.len();
        if nested || self.parts.len() == Self::MAX_PARTS {
            return Err(part);
        }
        self.len += part.len();
        self.parts.push(part);
        Ok(())
    }

    /// The parts.
    #[must_use]
    pub fn parts(&self) -> &[Buffer] {
        &self.parts
    }

    /// Takes the parts out, for instance to give them back to a pool; what was allocated for the list stays.
    pub fn drain(&mut self) -> impl Iterator<Item = Buffer> + '_ {
        self.len = 0;
        self.parts.drain(..)
    }

    /// Drops the parts; what was allocated for the list stays.
    pub fn clear(&mut self) {
        self.len = 0;
        self.parts.clear();
    }

    /// Number of bytes in all parts.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.len
    }

    /// Whether there are no bytes.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Drops the first `count` bytes and the parts that become empty by it.
    pub fn advance(&mut self, mut count: usize) {
        self.len = self.len.saturating_sub(count);
        let mut gone = 0;
        for part in &mut self.parts {
            let len = part.len();
            if count < len {
                part.advance(count);
                break;
            }
            count -= len;
            gone += 1;
        }
        self.parts.drain(..gone);
    }

    /// Fills in the kernel's structures: address of the message header, address of the vectors, number of vectors.
    pub(crate) fn describe(&mut self) -> (u64, u64, u64) {
        self.words.clear();
        self.words
            .resize(MSGHDR_WORDS + IOVEC_WORDS * self.parts.len(), 0);
        let base = address(self.words.as_mut_ptr());
        let iov = base + (MSGHDR_WORDS * size_of::<u64>()) as u64;
        let count = self.parts.len() as u64;
        self.words[MSGHDR_IOV] = iov;
        self.words[MSGHDR_IOVLEN] = count;
        let vectors = self.words[MSGHDR_WORDS..].chunks_exact_mut(IOVEC_WORDS);
        for (vector, part) in vectors.zip(&self.parts) {
            let bytes = part.as_slice();
            vector[0] = address(bytes.as_ptr());
            vector[1] = bytes.len() as u64;
        }
        (base, iov, count)
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use super::Vectored;
    use crate::Buffer;

    fn bytes(parts: &Vectored) -> Vec<u8> {
        parts
            .parts()
            .iter()
            .flat_map(|part| part.as_slice().iter().copied())
            .collect()
    }

    #[test]
    fn advancing_leaves_exactly_the_tail() {
        for count in 0..=12 {
            let mut parts = Vectored::new();
            for part in ["abc", "", "defg", "hij"] {
                parts.push(part).unwrap();
            }
            parts.advance(count);
            assert_eq!(bytes(&parts), &b"abcdefghij"[count.min(10)..]);
            assert_eq!(parts.len(), 10_usize.saturating_sub(count));
        }
    }

    #[test]
    fn the_limit_is_kept_and_the_part_given_back() {
        let mut parts = Vectored::new();
        for _ in 0..Vectored::MAX_PARTS {
            parts.push("x").unwrap();
        }
        assert_eq!(parts.push("last").unwrap_err().as_slice(), b"last");
        let nested = Buffer::vectored(parts);
        let mut outer = Vectored::new();
        assert_eq!(outer.push(nested).unwrap_err().len(), Vectored::MAX_PARTS);
    }
}
