//! The request target: its form (RFC 9112, section 3.2) and the path that routes and files see.

use std::borrow::Cow;

/// What a target asks for.
#[derive(Debug, Eq, PartialEq)]
pub(crate) struct Target<'a> {
    /// Percent-decoded except for `%2F`, without dot segments, starting with `/`; `*` for `OPTIONS *`.
    pub(crate) path: Cow<'a, str>,
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
    if rest.contains('#') {
        return Err(InvalidTarget);
    }
    let (path, query) = match rest.split_once('?') {
        Some((path, query)) => (path, Some(query)),
        None => (rest, None),
    };
    let path = if path.is_empty() { "/" } else { path };
    Ok(Target {
        path: normalise(path)?,
        query,
        authority,
    })
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

/// Decodes percent-encodings and refuses dot segments.
///
/// Routes are matched on the result, so that `/%61dmin` cannot pass beside a route for `/admin`. An encoded slash stays
/// encoded: it is data inside a segment, and a decoded one would be a separator.
fn normalise(path: &str) -> Result<Cow<'_, str>, InvalidTarget> {
    let decoded = if memchr::memchr(b'%', path.as_bytes()).is_some() {
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
        Cow::Owned(String::from_utf8(bytes).map_err(|_| InvalidTarget)?)
    } else {
        Cow::Borrowed(path)
    };
    if has_dot_segment(&decoded) {
        Err(InvalidTarget)
    } else {
        Ok(decoded)
    }
}

fn has_dot_segment(path: &str) -> bool {
    memchr::memmem::find(path.as_bytes(), b"/.").is_some()
        && path.split('/').any(|segment| segment == "." || segment == "..")
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
