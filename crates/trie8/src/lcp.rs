/// Bytes that must be readable behind the last key, so that a key is compared in whole words.
pub(crate) const PADDING: usize = 32;

/// Length in bytes of the common prefix of `path` and of a key of `len` bytes, as far as the first 32 bytes tell:
/// exact below 32, and otherwise 32 or more.
///
/// `head` is the start of the key, filled up with anything.
///
/// A branch on the length of a key or path is hard to predict. So four words are compared whatever the lengths; the
/// words end where the path does, and overlap where it is shorter.
#[inline(always)]
pub(crate) const fn common_head(head: &[u8; PADDING], len: usize, path: &[u8]) -> usize {
    let limit = min(len, path.len());
    let Some(first) = path.first_chunk() else {
        let difference = word(head, 0) ^ short(path);
        return min(equal_bytes(difference), limit);
    };
    let last = path.len() - 8;
    let (b, c, d) = (min(8, last), min(16, last), min(24, last));
    let mut at = d;
    let mut difference = word(head, d) ^ word(path, d);
    let earlier = word(head, c) ^ word(path, c);
    if earlier != 0 {
        (at, difference) = (c, earlier);
    }
    let earlier = word(head, b) ^ word(path, b);
    if earlier != 0 {
        (at, difference) = (b, earlier);
    }
    let earlier = word(head, 0) ^ u64::from_le_bytes(*first);
    if earlier != 0 {
        (at, difference) = (0, earlier);
    }
    min(at + equal_bytes(difference), limit)
}

/// Length in bytes of the common prefix of `key` and `path`, of which the first 32 are known to be equal.
#[inline(never)]
pub(crate) const fn common_rest(key: &[u8], path: &[u8]) -> usize {
    let limit = min(key.len(), path.len());
    let mut common = PADDING;
    while common < limit {
        let at = min(common, limit - 8);
        let difference = word(key, at) ^ word(path, at);
        if difference != 0 {
            return at + equal_bytes(difference);
        }
        common = at + 8;
    }
    limit
}

/// Number of bytes, in memory order, before the first that differs.
#[inline]
const fn equal_bytes(difference: u64) -> usize {
    difference.trailing_zeros() as usize / 8
}

/// The word at `at`, which must be there.
#[inline(always)]
const fn word(bytes: &[u8], at: usize) -> u64 {
    match bytes.split_at(at).1.first_chunk() {
        Some(word) => u64::from_le_bytes(*word),
        None => panic!("a word behind the end of a key or path"),
    }
}

/// The bytes of `path`, fewer than eight, as a word; what follows them is zero.
#[inline]
const fn short(path: &[u8]) -> u64 {
    match (path.first_chunk(), path.last_chunk()) {
        (Some(first), Some(last)) => {
            let first = u32::from_le_bytes(*first) as u64;
            let last = u32::from_le_bytes(*last) as u64;
            first | last << (8 * (path.len() - 4))
        }
        _ => match *path {
            [] => 0,
            [a] => a as u64,
            [a, b] => a as u64 | (b as u64) << 8,
            [a, b, c, ..] => a as u64 | (b as u64) << 8 | (c as u64) << 16,
        },
    }
}

const fn min(a: usize, b: usize) -> usize {
    if a < b { a } else { b }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every pair of lengths up to 80, and every place of the first difference.
    #[test]
    fn finds_the_first_difference_wherever_it_is() {
        let key: [u8; 80] = core::array::from_fn(|at| u8::try_from(at * 7 % 256).unwrap());
        for len in 0..=key.len() {
            let mut head = [0xaa; PADDING];
            head[..len.min(PADDING)].copy_from_slice(&key[..len.min(PADDING)]);
            for path_len in 0..=key.len() {
                for changed in 0..=path_len {
                    let mut path = key;
                    if changed < path_len {
                        path[changed] ^= 0x80;
                    }
                    let mut common = common_head(&head, len, &path[..path_len]);
                    if common >= PADDING {
                        common = common_rest(&key[..len], &path[..path_len]);
                    }
                    assert_eq!(
                        common,
                        changed.min(len).min(path_len),
                        "{len} {path_len} {changed}"
                    );
                }
            }
        }
    }
}
