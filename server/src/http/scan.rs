//! Finds the end of a request's head without parsing it, so that nothing but bytes is kept of a head that trickles in.

/// What the bytes received so far are.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Scan {
    /// No end yet; the next scan may start at this offset, so that a trickling head is scanned once over.
    Partial {
        /// Start of the last, unfinished line.
        resume: usize,
    },
    /// The head takes this many bytes, its empty line and an ignored one before it included.
    Complete {
        /// Bytes of the head.
        len: usize,
    },
    /// A line ends in a bare LF, or there is more than one empty line before the request line: never a head that
    /// RFC 9112, section 2.2, makes a server accept.
    Malformed,
}

/// Scans `input` from the line that starts at `from`: 0, or what an earlier scan of the same bytes gave back.
pub(crate) fn scan(input: &[u8], from: usize) -> Scan {
    let start = if input.starts_with(b"\r\n") { 2 } else { 0 };
    let mut line = from.max(start).min(input.len());
    while let Some(length) = memchr::memchr(b'\n', input.get(line..).unwrap_or_default()) {
        let end = line + length;
        if length == 0 || input[end - 1] != b'\r' {
            return Scan::Malformed;
        }
        if length == 1 {
            return if line == start {
                Scan::Malformed
            } else {
                Scan::Complete { len: end + 1 }
            };
        }
        line = end + 1;
    }
    Scan::Partial {
        resume: if line == start { 0 } else { line },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: &[u8] = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n";

    #[test]
    fn finds_the_end_and_leaves_what_follows() {
        let mut bytes = HEAD.to_vec();
        bytes.extend_from_slice(b"GET /next");
        assert_eq!(scan(&bytes, 0), Scan::Complete { len: HEAD.len() });
    }

    #[test]
    fn every_split_gives_the_same_end() {
        for head in [HEAD, b"\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n" as &[u8]] {
            let mut from = 0;
            for end in 0..head.len() {
                match scan(&head[..end], from) {
                    Scan::Partial { resume } => from = resume,
                    other => panic!("{end}: {other:?}"),
                }
            }
            assert_eq!(scan(head, from), Scan::Complete { len: head.len() });
        }
    }

    #[test]
    fn bare_line_feeds_are_malformed() {
        for head in [
            &b"GET / HTTP/1.1\n"[..],
            b"GET / HTTP/1.1\r\nHost: a\n",
            b"\n",
            b"GET / HTTP/1.1\r\n\n",
        ] {
            assert_eq!(scan(head, 0), Scan::Malformed, "{head:?}");
        }
    }

    #[test]
    fn one_empty_line_before_the_request_line_is_ignored_and_two_are_not() {
        assert_eq!(scan(b"\r\nGET / HTTP/1.1\r\n\r\n", 0), Scan::Complete { len: 20 });
        assert_eq!(scan(b"\r\n\r\n", 0), Scan::Malformed);
        assert_eq!(scan(b"\r", 0), Scan::Partial { resume: 0 });
        assert_eq!(scan(b"\r\n", 0), Scan::Partial { resume: 0 });
    }
}
