//! A second reading of a connection's bytes: all at once, line by line, in the words of RFC 9112, and nothing for speed.
//!
//! It shares no code with the server, nor the server's parser of heads, so the two can be held against each other.

/// Method, path and content.
pub type Request = (String, String, Vec<u8>);

/// Where reading stops other than at the end of a request.
enum Stop {
    /// More bytes are needed.
    Short,
    /// No bytes can make this right.
    Wrong,
}

/// The requests of `stream` that are whole, and whether what follows them is refused.
pub fn read(mut stream: &[u8]) -> (Vec<Request>, bool) {
    let mut requests = Vec::new();
    loop {
        match request(&mut stream) {
            Ok(request) => requests.push(request),
            Err(Stop::Short) => return (requests, false),
            Err(Stop::Wrong) => return (requests, true),
        }
    }
}

fn check(right: bool) -> Result<(), Stop> {
    if right { Ok(()) } else { Err(Stop::Wrong) }
}

/// Section 2.1: a start line, field lines, an empty line, and content.
fn request(stream: &mut &[u8]) -> Result<Request, Stop> {
    // Section 2.2: an empty line before the request line is ignored. One.
    *stream = stream.strip_prefix(b"\r\n").unwrap_or(stream);
    let start = line(stream)?;
    check(!start.is_empty())?;
    let mut fields = Vec::new();
    loop {
        match line(stream)? {
            b"" => break,
            field => fields.push(field),
        }
    }
    let words: Vec<&[u8]> = start.split(|&byte| byte == b' ').collect();
    let [method, target, version] = words[..] else {
        return Err(Stop::Wrong);
    };
    check(is_token(method))?;
    check(!target.is_empty() && target.iter().all(|&byte| byte > b' ' && byte != 0x7f))?;
    check(version == b"HTTP/1.0" || version == b"HTTP/1.1")?;
    check(fields.len() <= 100)?;
    let fields = fields.into_iter().map(field).collect::<Result<Vec<_>, _>>()?;
    let values = |name: &str| -> Vec<&[u8]> {
        let same = |(field, _): &&(&[u8], &[u8])| field.eq_ignore_ascii_case(name.as_bytes());
        fields.iter().filter(same).map(|(_, value)| *value).collect()
    };
    // Section 3.2.
    let hosts = values("host");
    check(hosts.len() == 1 || (hosts.is_empty() && version == b"HTTP/1.0"))?;
    check(hosts.iter().all(|host| is_host(host)))?;
    let method = text(method)?;
    let path = path(&method, &text(target)?)?;
    // RFC 9110, section 10.1.1.
    check(
        values("expect")
            .iter()
            .all(|value| value.eq_ignore_ascii_case(b"100-continue")),
    )?;
    // Section 6.3.
    let (lengths, codings) = (values("content-length"), values("transfer-encoding"));
    let content = if codings.is_empty() {
        let items: Vec<&[u8]> = lengths
            .iter()
            .flat_map(|value| value.split(|&byte| byte == b','))
            .collect();
        let mut length = None;
        for item in items {
            let item = text(item)?;
            let item = item.trim_matches([' ', '\t']);
            check(!item.is_empty() && item.bytes().all(|byte| byte.is_ascii_digit()))?;
            let value = item.parse::<u64>().map_err(|_| Stop::Wrong)?;
            check(length.is_none_or(|length| length == value))?;
            length = Some(value);
        }
        take(stream, length.unwrap_or(0))?.to_vec()
    } else {
        check(lengths.is_empty() && version == b"HTTP/1.1" && codings.len() == 1)?;
        check(codings[0].eq_ignore_ascii_case(b"chunked"))?;
        chunked(stream)?
    };
    Ok((method, path, content))
}

/// Up to a line feed, which must stand behind a carriage return.
fn line<'a>(stream: &mut &'a [u8]) -> Result<&'a [u8], Stop> {
    let end = stream.iter().position(|&byte| byte == b'\n').ok_or(Stop::Short)?;
    let line = stream[..end].strip_suffix(b"\r").ok_or(Stop::Wrong)?;
    *stream = &stream[end + 1..];
    Ok(line)
}

fn take<'a>(stream: &mut &'a [u8], length: u64) -> Result<&'a [u8], Stop> {
    if length > stream.len() as u64 {
        return Err(Stop::Short);
    }
    let (taken, rest) = stream.split_at(usize::try_from(length).map_err(|_| Stop::Wrong)?);
    *stream = rest;
    Ok(taken)
}

fn text(bytes: &[u8]) -> Result<String, Stop> {
    String::from_utf8(bytes.to_vec()).map_err(|_| Stop::Wrong)
}

/// Section 5: name and value, without the whitespace around the value.
fn field(line: &[u8]) -> Result<(&[u8], &[u8]), Stop> {
    let colon = line.iter().position(|&byte| byte == b':').ok_or(Stop::Wrong)?;
    let (name, value) = (&line[..colon], &line[colon + 1..]);
    check(is_token(name) && value.iter().copied().all(is_field_byte))?;
    let blank = |byte: &u8| matches!(byte, b' ' | b'\t');
    let start = value.iter().position(|byte| !blank(byte)).unwrap_or(value.len());
    let end = value
        .iter()
        .rposition(|byte| !blank(byte))
        .map_or(start, |last| last + 1);
    Ok((name, &value[start..end]))
}

fn is_field_byte(byte: u8) -> bool {
    byte == b'\t' || !byte.is_ascii_control()
}

/// RFC 9110, section 5.6.2.
fn is_token(bytes: &[u8]) -> bool {
    let is_char = |byte: &u8| byte.is_ascii_graphic() && !b"\"(),/:;<=>?@[\\]{}".contains(byte);
    !bytes.is_empty() && bytes.iter().all(is_char)
}

/// RFC 3986, sections 3.2.2 and 3.2.3, without user information.
fn is_host(bytes: &[u8]) -> bool {
    let Ok(text) = core::str::from_utf8(bytes) else {
        return false;
    };
    let port = |text: &str| {
        text.is_empty()
            || text
                .strip_prefix(':')
                .is_some_and(|port| port.bytes().all(|byte| byte.is_ascii_digit()))
    };
    if let Some(literal) = text.strip_prefix('[') {
        return literal.split_once(']').is_some_and(|(address, rest)| {
            !address.is_empty()
                && address
                    .chars()
                    .all(|char| char.is_ascii_hexdigit() || ":.".contains(char))
                && port(rest)
        });
    }
    let end = text.find(':').unwrap_or(text.len());
    text[..end]
        .chars()
        .all(|char| char.is_ascii_alphanumeric() || "-._~!$&'()*+,;=%".contains(char))
        && port(&text[end..])
}

/// Section 3.2, and of the path what RFC 3986, section 6.2.2, calls normalisation, but for dot segments, which are refused.
fn path(method: &str, target: &str) -> Result<String, Stop> {
    if method == "OPTIONS" && target == "*" {
        return Ok(target.into());
    }
    let mut rest = target;
    if !target.starts_with('/') {
        let (scheme, tail) = target.split_once("://").ok_or(Stop::Wrong)?;
        check(scheme.eq_ignore_ascii_case("http") || scheme.eq_ignore_ascii_case("https"))?;
        let end = tail.find(['/', '?']).unwrap_or(tail.len());
        check(end > 0 && is_host(&tail.as_bytes()[..end]))?;
        rest = &tail[end..];
    }
    check(!rest.contains('#'))?;
    let raw = rest.split('?').next().unwrap_or_default();
    let mut decoded = Vec::new();
    let mut parts = raw.split('%');
    decoded.extend_from_slice(parts.next().unwrap_or_default().as_bytes());
    for part in parts {
        let digits = part.get(..2).ok_or(Stop::Wrong)?;
        check(digits.bytes().all(|byte| byte.is_ascii_hexdigit()))?;
        match u8::from_str_radix(digits, 16).map_err(|_| Stop::Wrong)? {
            0 => return Err(Stop::Wrong),
            b'/' => decoded.extend_from_slice(b"%2F"),
            byte => decoded.push(byte),
        }
        decoded.extend_from_slice(&part.as_bytes()[2..]);
    }
    let mut path = text(&decoded)?;
    if path.is_empty() {
        path.push('/');
    }
    while path.contains("//") {
        path = path.replace("//", "/");
    }
    check(path.split('/').all(|segment| segment != "." && segment != ".."))?;
    Ok(path)
}

/// Section 7.1. What is wrong is found at its first byte, so that a server need not wait for the end of a line.
fn chunked(stream: &mut &[u8]) -> Result<Vec<u8>, Stop> {
    let mut content = Vec::new();
    loop {
        let size = part(stream, 1024, is_size_line)?;
        let digits = size.split(|&byte| byte == b';').next().unwrap_or_default();
        let size = u64::from_str_radix(&text(digits)?, 16).map_err(|_| Stop::Wrong)?;
        if size == 0 {
            break;
        }
        content.extend_from_slice(take(stream, size)?);
        part(stream, 1, |between, _| between.is_empty())?;
    }
    let mut left = 8 * 1024;
    loop {
        let before = stream.len();
        let trailer = part(stream, left, is_trailer)?;
        left = left.checked_sub(before - stream.len()).ok_or(Stop::Wrong)?;
        if trailer.is_empty() {
            return Ok(content);
        }
    }
}

/// A line of at most `limit` bytes with its carriage return, right as far as it has come.
fn part<'a>(
    stream: &mut &'a [u8],
    limit: usize,
    right: impl Fn(&[u8], bool) -> bool,
) -> Result<&'a [u8], Stop> {
    let end = stream.iter().position(|&byte| byte == b'\n');
    let text = &stream[..end.unwrap_or(stream.len())];
    check(text.len() <= limit)?;
    let content = text.strip_suffix(b"\r");
    check(right(content.unwrap_or(text), content.is_some()))?;
    if end.is_none() {
        return Err(Stop::Short);
    }
    line(stream)
}

fn is_size_line(line: &[u8], whole: bool) -> bool {
    let digits = line.iter().take_while(|byte| byte.is_ascii_hexdigit()).count();
    let significant = line[..digits].iter().skip_while(|&&digit| digit == b'0').count();
    let extensions = &line[digits..];
    let started = digits > 0 || (line.is_empty() && !whole);
    started
        && significant <= 16
        && (extensions.is_empty() || extensions[0] == b';')
        && extensions.iter().copied().all(is_field_byte)
}

fn is_trailer(line: &[u8], whole: bool) -> bool {
    match line.iter().position(|&byte| byte == b':') {
        Some(_) => field(line).is_ok(),
        None => line.is_empty() || (!whole && is_token(line)),
    }
}
