//! A single byte range (RFC 9110, section 14).

use super::head::digits;

/// What a Range field means for a representation of a known size.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Range {
    /// The whole representation: no range, a unit or a form that we do not know, or several ranges, all of which a
    /// server may ignore.
    Whole,
    /// `first..=last`, both inside the representation.
    Single {
        /// Offset of the first byte.
        first: u64,
        /// Offset of the last byte.
        last: u64,
    },
    /// A valid range that lies behind the end.
    Unsatisfiable,
}

/// Reads the value of a Range field against a representation of `size` bytes.
pub(crate) fn parse(value: &[u8], size: u64) -> Range {
    let Some((unit, set)) = split_once(value, b'=') else {
        return Range::Whole;
    };
    if !unit.eq_ignore_ascii_case(b"bytes") || set.contains(&b',') {
        return Range::Whole;
    }
    let Some((first, last)) = split_once(set.trim_ascii(), b'-') else {
        return Range::Whole;
    };
    match (first, last) {
        (b"", suffix) => match digits(suffix) {
            None => Range::Whole,
            Some(0) => Range::Unsatisfiable,
            Some(_) if size == 0 => Range::Unsatisfiable,
            Some(length) => Range::Single {
                first: size.saturating_sub(length),
                last: size - 1,
            },
        },
        (first, last) => {
            let Some(first) = digits(first) else {
                return Range::Whole;
            };
            let last = if last.is_empty() {
                Some(u64::MAX)
            } else {
                digits(last)
            };
            match last {
                None => Range::Whole,
                Some(last) if last < first => Range::Whole,
                Some(_) if first >= size => Range::Unsatisfiable,
                Some(last) => Range::Single {
                    first,
                    last: last.min(size - 1),
                },
            }
        }
    }
}

fn split_once(bytes: &[u8], separator: u8) -> Option<(&[u8], &[u8])> {
    let at = memchr::memchr(separator, bytes)?;
    Some((&bytes[..at], &bytes[at + 1..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn single(value: &str, size: u64) -> Option<(u64, u64)> {
        match parse(value.as_bytes(), size) {
            Range::Single { first, last } => Some((first, last)),
            _ => None,
        }
    }

    #[test]
    fn the_three_forms() {
        assert_eq!(single("bytes=0-4", 10), Some((0, 4)));
        assert_eq!(single("bytes=5-", 10), Some((5, 9)));
        assert_eq!(single("bytes=-3", 10), Some((7, 9)));
        assert_eq!(single("Bytes=9-9", 10), Some((9, 9)));
    }

    #[test]
    fn ends_are_clamped_to_the_size() {
        assert_eq!(single("bytes=5-99999999999999999999", 10), None);
        assert_eq!(single("bytes=5-18446744073709551615", 10), Some((5, 9)));
        assert_eq!(single("bytes=-18446744073709551615", 10), Some((0, 9)));
    }

    #[test]
    fn behind_the_end_is_unsatisfiable() {
        for (value, size) in [
            ("bytes=10-", 10),
            ("bytes=10-20", 10),
            ("bytes=-0", 10),
            ("bytes=0-", 0),
            ("bytes=-1", 0),
        ] {
            assert_eq!(parse(value.as_bytes(), size), Range::Unsatisfiable, "{value}");
        }
    }

    #[test]
    fn what_is_not_understood_is_ignored() {
        for value in [
            "",
            "bytes",
            "items=0-1",
            "bytes=",
            "bytes=a-b",
            "bytes=4-2",
            "bytes=0-1,3-4",
            "bytes=-",
            "bytes=1",
        ] {
            assert_eq!(parse(value.as_bytes(), 10), Range::Whole, "{value}");
        }
    }
}
