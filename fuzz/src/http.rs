//! A connection's bytes as the server reads them.

use anglerfish::fuzzing;

use super::strict;

/// How a stream is cut changes nothing, a second reading finds the same requests, and no path that a handler sees can
/// leave the served folder.
///
/// # Panics
///
/// Where that does not hold.
pub fn run(data: &[u8]) {
    fuzzing::check(data);
    let reading = fuzzing::read(data, usize::MAX);
    let (requests, refused) = strict::read(data);
    assert_eq!(
        (&reading.requests, reading.refusal.is_some()),
        (&requests, refused)
    );
    for (method, path, content) in &reading.requests {
        assert!(
            !method.is_empty() && method.bytes().all(|byte| byte.is_ascii_graphic()),
            "{method:?}"
        );
        assert!(
            path == "*" && method == "OPTIONS" || path.starts_with('/'),
            "{path:?}"
        );
        assert!(!path.contains("//") && !path.contains('\0'), "{path:?}");
        assert!(
            path.split('/').all(|segment| segment != "." && segment != ".."),
            "{path:?}"
        );
        assert!(
            content.len() < data.len(),
            "{} bytes of content out of {}",
            content.len(),
            data.len()
        );
    }
    assert!(
        reading.refusal.is_none_or(|status| (400..600).contains(&status)),
        "{reading:?}"
    );
}
