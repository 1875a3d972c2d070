//! Conditional requests (RFC 9110, section 13).

use std::borrow::Cow;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// The validators of the representation that a request selected.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Validators<'a> {
    /// A strong entity tag, quotes included.
    pub(crate) etag: &'a [u8],
    /// Modification time in whole seconds since the epoch.
    pub(crate) modified: u64,
}

/// The conditional fields of a request.
#[derive(Clone, Debug, Default)]
pub(crate) struct Preconditions<'a> {
    pub(crate) if_match: Option<Cow<'a, [u8]>>,
    pub(crate) if_none_match: Option<Cow<'a, [u8]>>,
    pub(crate) if_modified_since: Option<&'a [u8]>,
    pub(crate) if_unmodified_since: Option<&'a [u8]>,
}

/// What the preconditions say to do with a GET or HEAD.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Verdict {
    Proceed,
    NotModified,
    Failed,
}

impl Preconditions<'_> {
    /// Evaluates in the order of section 13.2.2.
    pub(crate) fn evaluate(&self, validators: Validators<'_>) -> Verdict {
        if let Some(tags) = &self.if_match {
            if !any_tag_matches(tags, validators.etag, Comparison::Strong) {
                return Verdict::Failed;
            }
        } else if let Some(date) = self.if_unmodified_since.and_then(parse_date)
            && validators.modified > date
        {
            return Verdict::Failed;
        }
        if let Some(tags) = &self.if_none_match {
            if any_tag_matches(tags, validators.etag, Comparison::Weak) {
                return Verdict::NotModified;
            }
        } else if let Some(date) = self.if_modified_since.and_then(parse_date)
            && validators.modified <= date
        {
            return Verdict::NotModified;
        }
        Verdict::Proceed
    }
}

/// Whether an If-Range value still names this representation, so that its ranges may be served (section 13.1.5).
pub(crate) fn range_applies(if_range: &[u8], validators: Validators<'_>) -> bool {
    if if_range.starts_with(b"\"") || if_range.starts_with(b"W/") {
        tag_matches(if_range, validators.etag, Comparison::Strong)
    } else {
        parse_date(if_range) == Some(validators.modified)
    }
}

#[derive(Clone, Copy, Eq, PartialEq)]
enum Comparison {
    Strong,
    Weak,
}

fn any_tag_matches(list: &[u8], etag: &[u8], comparison: Comparison) -> bool {
    if list.trim_ascii() == b"*" {
        return true;
    }
    // An entity tag may hold a comma, so the list is cut at its quotes.
    let mut rest = list;
    loop {
        rest = rest.trim_ascii_start();
        while let Some(tail) = rest.strip_prefix(b",") {
            rest = tail.trim_ascii_start();
        }
        let prefix = if rest.starts_with(b"W/") { 2 } else { 0 };
        let Some(tail) = rest[prefix..].strip_prefix(b"\"") else {
            return false;
        };
        let Some(length) = memchr::memchr(b'"', tail) else {
            return false;
        };
        let (tag, after) = rest.split_at(prefix + length + 2);
        if tag_matches(tag, etag, comparison) {
            return true;
        }
        rest = after;
    }
}

/// Ours are strong, so a weak tag equals one only under the weak comparison of section 8.8.3.2.
fn tag_matches(candidate: &[u8], etag: &[u8], comparison: Comparison) -> bool {
    match candidate.strip_prefix(b"W/") {
        Some(opaque) => comparison == Comparison::Weak && opaque == etag,
        None => candidate == etag,
    }
}

/// Whole seconds since the epoch of an HTTP date in any of its three forms; `None` for anything else.
fn parse_date(value: &[u8]) -> Option<u64> {
    let time = httpdate::parse_http_date(core::str::from_utf8(value).ok()?.trim()).ok()?;
    time.duration_since(UNIX_EPOCH).ok().map(|since| since.as_secs())
}

/// An HTTP date for a number of seconds since the epoch, which is clamped to the year 9999.
pub(crate) fn format_date(seconds: u64) -> String {
    const LAST: u64 = 253_402_300_799;
    let time: SystemTime = UNIX_EPOCH + Duration::from_secs(seconds.min(LAST));
    httpdate::fmt_http_date(time)
}

#[cfg(test)]
mod tests {
    use super::*;

    const OURS: Validators<'static> = Validators {
        etag: b"\"abc\"",
        modified: 784_111_777,
    };
    const DATE: &[u8] = b"Sun, 06 Nov 1994 08:49:37 GMT";
    const EARLIER: &[u8] = b"Sun, 06 Nov 1994 08:49:36 GMT";

    #[test]
    fn if_none_match_compares_weakly_and_wins_over_dates() {
        let verdict = |tags: &'static [u8]| {
            Preconditions {
                if_none_match: Some(Cow::Borrowed(tags)),
                if_modified_since: Some(DATE),
                ..Default::default()
            }
            .evaluate(OURS)
        };
        for tags in [
            &b"\"abc\""[..],
            b"W/\"abc\"",
            b"\"x\", \"abc\"",
            b"*",
            b" , \"a,b\" , W/\"abc\"",
        ] {
            assert_eq!(verdict(tags), Verdict::NotModified, "{tags:?}");
        }
        for tags in [&b"\"x\""[..], b"abc", b"", b"\"abc", b"\"x\" \"y"] {
            assert_eq!(verdict(tags), Verdict::Proceed, "{tags:?}");
        }
    }

    #[test]
    fn if_match_compares_strongly() {
        let verdict = |tags: &'static [u8]| {
            Preconditions {
                if_match: Some(Cow::Borrowed(tags)),
                ..Default::default()
            }
            .evaluate(OURS)
        };
        assert_eq!(verdict(b"\"abc\""), Verdict::Proceed);
        assert_eq!(verdict(b"*"), Verdict::Proceed);
        assert_eq!(verdict(b"W/\"abc\""), Verdict::Failed);
        assert_eq!(verdict(b"\"x\""), Verdict::Failed);
    }

    #[test]
    fn dates_compare_by_the_second() {
        let since = |date| {
            Preconditions {
                if_modified_since: Some(date),
                ..Default::default()
            }
            .evaluate(OURS)
        };
        assert_eq!(since(DATE), Verdict::NotModified);
        assert_eq!(since(EARLIER), Verdict::Proceed);
        assert_eq!(since(b"yesterday"), Verdict::Proceed);
        let unless = |date| {
            Preconditions {
                if_unmodified_since: Some(date),
                ..Default::default()
            }
            .evaluate(OURS)
        };
        assert_eq!(unless(DATE), Verdict::Proceed);
        assert_eq!(unless(EARLIER), Verdict::Failed);
    }

    #[test]
    fn if_range_needs_the_very_same_representation() {
        assert!(range_applies(b"\"abc\"", OURS) && range_applies(DATE, OURS));
        assert!(
            !range_applies(b"W/\"abc\"", OURS) && !range_applies(EARLIER, OURS) && !range_applies(b"x", OURS)
        );
    }

    #[test]
    fn dates_are_formatted_and_clamped() {
        assert_eq!(format_date(784_111_777).as_bytes(), DATE);
        assert_eq!(format_date(u64::MAX), "Fri, 31 Dec 9999 23:59:59 GMT");
    }
}
