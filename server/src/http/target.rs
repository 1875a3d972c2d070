//! The request target: its form (RFC 9112, section 3.2) and the path that routes and files see.

use std::borrow::Cow;

/// What a target asks for.
#[derive(Debug, Eq, PartialEq)]
pub(crate) struct Target<'a> {
    /// Percent-decoded except for `%2F`, without dot segments and empty ones, starting with `/`; `*` for `OPTIONS *`.
    pub(crate) path: Cow<'a, str>,
    /// Whether a segment of the path may begin with a dot.
    pub(crate) has_dots: bool,
    /// What follows the first `?`, as sent.
    pub(crate) query: Option<&'a str>,
    /// The authority of an absolute-form target, which overrides the Host field.
    pub(crate) authority: Option<&'a str>,
}

/// A target that no form allows, or whose path would mean different things to different readers.
#[derive(Debug, Eq, PartialEq)]
pub(crate) struct InvalidTarget;

/// Splits and normalises `target`.
pub(crate) fn parse<'a>(method: &str, target: &'a str) -> Result<Target<'a>, InvalidTarget> {
    if target == "*" && method == "OPTIONS" {
        return Ok(Target {
            path: Cow::Borrowed("*"),
            has_dots: false,
            query: None,
            authority: None,
        });
    }
    let (authority, rest) = if target.starts_with('/') {
        (None, target)
    } else {
        let (authority, rest) = absolute(target).ok_or(InvalidTarget)?;
        (Some(authority), rest)
    };
    let marks = Marks::of(rest.as_bytes());
    if marks.has_fragment {
        return Err(InvalidTarget);
    }
    let (path, query) = match rest.split_at_checked(marks.path) {
        Some((path, query)) => (path, query.get(1..)),
        None => (rest, None),
    };
    let path = match path {
        "" => Cow::Borrowed("/"),
        path if marks.is_encoded => Cow::Owned(decode(path)?),
        path => Cow::Borrowed(path),
    };
    let path = if marks.has_empty_segments {
        Cow::Owned(merge_slashes(&path))
    } else {
        path
    };
    let has_dots = if marks.is_encoded {
        path.contains("/.")
    } else {
        marks.has_dots
    };
    if has_dots && path.split('/').any(|segment| segment == "." || segment == "..") {
        return Err(InvalidTarget);
    }
    Ok(Target {
        path,
        has_dots,
        query,
        authority,
    })
}

/// What stands in a target, found in one pass: most targets are short, and hold none of it.
#[derive(Default)]
struct Marks {
    /// Bytes before the query.
    path: usize,
    /// The path holds a percent sign.
    is_encoded: bool,
    /// The path holds a dot behind a slash.
    has_dots: bool,
    /// The path holds a slash behind a slash.
    has_empty_segments: bool,
    has_fragment: bool,
}

impl Marks {
    fn of(target: &[u8]) -> Self {
        let mut marks = Self {
            path: target.len(),
            ..Self::default()
        };
        let mut last = 0;
        for (at, &byte) in target.iter().enumerate() {
            match byte {
                b'%' => marks.is_encoded = true,
                b'.' => marks.has_dots |= last == b'/',
                b'/' => marks.has_empty_segments |= last == b'/',
                b'?' => {
                    marks.path = at;
                    marks.has_fragment |= memchr::memchr(b'#', &target[at..]).is_some();
                    break;
                }
                b'#' => marks.has_fragment = true,
                _ => {}
            }
            last = byte;
        }
        marks
    }
}

/// Authority and the rest of an absolute-form target of one of our two schemes.
fn absolute(target: &str) -> Option<(&str, &str)> {
    let (scheme, rest) = target.split_once("://")?;
    if !scheme.eq_ignore_ascii_case("http") && !scheme.eq_ignore_ascii_case("https") {
        return None;
    }
    let end = rest.find(['/', '?']).unwrap_or(rest.len());
    let (authority, rest) = rest.split_at(end);
    (!authority.is_empty() && !authority.contains('@')).then_some((authority, rest))
}

/// Decodes percent-encodings.
///
/// Routes are matched on the result, so that `/%61dmin` cannot pass beside a route for `/admin`. An encoded slash stays
/// encoded: it is data inside a segment, and a decoded one would be a separator.
fn decode(path: &str) -> Result<String, InvalidTarget> {
    let mut bytes = Vec::with_capacity(path.len());
    let mut rest = path.as_bytes();
    while let Some((&byte, tail)) = rest.split_first() {
        if byte != b'%' {
            bytes.push(byte);
            rest = tail;
            continue;
        }
        let (digits, tail) = tail.split_at_checked(2).ok_or(InvalidTarget)?;
        let value = hex(digits[0])
            .zip(hex(digits[1]))
            .map(|(high, low)| high << 4 | low);
        match value.ok_or(InvalidTarget)? {
            0 => return Err(InvalidTarget),
            b'/' => bytes.extend_from_slice(b"%2F"),
            value => bytes.push(value),
        }
        rest = tail;
    }
    String::from_utf8(bytes).map_err(|_| InvalidTarget)
}

/// One slash for each run of them: files are found by such a path, so `//admin` must not pass beside a route for `/admin`.
fn merge_slashes(path: &str) -> String {
    let mut merged = String::with_capacity(path.len());
    for segment in path.split('/').filter(|segment| !segment.is_empty()) {
        merged.push('/');
        merged.push_str(segment);
    }
    if path.ends_with('/') {
        merged.push('/');
    }
    merged
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit)
        .to_digit(16)
        .and_then(|value| u8::try_from(value).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(target: &str) -> Result<String, InvalidTarget> {
        parse("GET", target).map(|target| target.path.into_owned())
    }

    #[test]
    fn origin_form() {
        let target = parse("GET", "/a/b?c=d?e").unwrap();
        assert_eq!(
            target,
            Target {
                path: "/a/b".into(),
                has_dots: false,
                query: Some("c=d?e"),
                authority: None
            }
        );
        assert!(matches!(target.path, Cow::Borrowed(_)));
    }

    #[test]
    fn absolute_form_gives_its_authority() {
        let target = parse("GET", "HTTP://example.com:80/x?y").unwrap();
        assert_eq!(
            target,
            Target {
                path: "/x".into(),
                has_dots: false,
                query: Some("y"),
                authority: Some("example.com:80")
            }
        );
        assert_eq!(path("http://example.com").unwrap(), "/");
        assert_eq!(path("http://example.com?q").unwrap(), "/");
    }

    #[test]
    fn other_forms_are_refused() {
        for target in [
            "",
            "a",
            "*",
            "example.com:443",
            "ftp://a/b",
            "http:///x",
            "http://user@host/",
            "/a#b",
            "/a#b?c",
            "/a?b#c",
        ] {
            assert_eq!(path(target), Err(InvalidTarget), "{target}");
        }
        assert_eq!(parse("OPTIONS", "*").unwrap().path, "*");
    }

    #[test]
    fn decodes_once_and_keeps_encoded_slashes() {
        assert_eq!(path("/%61dmin").unwrap(), "/admin");
        assert_eq!(path("/a%2fb%2Fc").unwrap(), "/a%2Fb%2Fc");
        assert_eq!(path("/%2561").unwrap(), "/%61");
        assert_eq!(path("/caf%C3%A9").unwrap(), "/café");
    }

    #[test]
    fn runs_of_slashes_are_one_slash() {
        for (target, merged) in [
            ("//", "/"),
            ("//a", "/a"),
            ("/a//b///c//", "/a/b/c/"),
            ("///%61", "/a"),
            ("http://a//b", "/b"),
        ] {
            assert_eq!(path(target).unwrap(), merged, "{target}");
        }
        assert_eq!(path("//..//x"), Err(InvalidTarget));
        assert_eq!(parse("GET", "/a?//").unwrap().query, Some("//"));
    }

    #[test]
    fn broken_encodings_are_refused() {
        for target in ["/%", "/%6", "/%zz", "/%+1", "/a%00b", "/%ff"] {
            assert_eq!(path(target), Err(InvalidTarget), "{target}");
        }
    }

    #[test]
    fn dot_segments_are_refused_however_they_are_written() {
        for target in [
            "/..",
            "/../x",
            "/a/../b",
            "/a/..",
            "/.",
            "/a/./b",
            "/%2e%2e/x",
            "/.%2E",
            "/%2E",
        ] {
            assert_eq!(path(target), Err(InvalidTarget), "{target}");
        }
        for target in ["/...", "/.well-known/x", "/a..b", "/..a", "/a.."] {
            assert_eq!(path(target).unwrap(), target);
        }
    }
}
