//! The calls that a batch may make.

use batch_table::device::ALLOWED;

/// Bit `nr % 64` of word `nr / 64`. The highest number on the list, in any table, is below 512.
const BITS: [u64; 8] = bits();

const fn bits() -> [u64; 8] {
    let mut bits = [0; 8];
    let mut index = 0;
    while index < ALLOWED.len() {
        let nr = ALLOWED[index];
        bits[nr as usize / 64] |= 1 << (nr % 64);
        index += 1;
    }
    bits
}

/// Whether a batch may make the system call `nr`: one that acts on files of the caller and leaves the task as it is, so
/// that one after another can run inside of one system call.
#[inline]
#[must_use]
pub fn is_allowed(nr: u32) -> bool {
    BITS.get(nr as usize / 64)
        .is_some_and(|word| word >> (nr % 64) & 1 == 1)
}

#[cfg(test)]
mod tests {
    use batch_table::device::ALLOWED;

    use super::is_allowed;

    #[test]
    fn only_listed_numbers_are_allowed() {
        for nr in (0..4096).chain([u32::MAX, u32::MAX - 0xf, 1 << 31, 1 << 9, 1 << 30 | 1]) {
            assert_eq!(is_allowed(nr), ALLOWED.contains(&nr), "{nr}");
        }
    }
}
