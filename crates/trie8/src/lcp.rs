/// Length of the common prefix of `a` and `b` in bytes.
#[inline]
pub(crate) const fn common_prefix(a: &[u8], b: &[u8]) -> usize {
    let (mut rest_a, mut rest_b) = (a, b);
    let mut length = 0;
    while let (Some((x, tail_a)), Some((y, tail_b))) =
        (rest_a.split_first_chunk::<8>(), rest_b.split_first_chunk::<8>())
    {
        let difference = u64::from_le_bytes(*x) ^ u64::from_le_bytes(*y);
        if difference != 0 {
            return length + (difference.trailing_zeros() / 8) as usize;
        }
        length += 8;
        (rest_a, rest_b) = (tail_a, tail_b);
    }
    while length < a.len() && length < b.len() && a[length] == b[length] {
        length += 1;
    }
    length
}
