//! A complete head, parsed and held against the framing rules of RFC 9112.

use core::mem::MaybeUninit;

use httparse::Header;

use super::status::Status;
use super::target::{self, Target};

/// Most header fields that a request may have.
pub(crate) const MAX_FIELDS: usize = 100;

/// How the body after a head ends (RFC 9112, section 6.3).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Framing {
    /// This many bytes, 0 where no field announces a body.
    Length(u64),
    /// The chunked transfer coding.
    Chunked,
}

/// A valid head.
#[derive(Debug)]
pub(crate) struct Head<'a> {
    pub(crate) method: &'a str,
    pub(crate) target: Target<'a>,
    pub(crate) fields: &'a [Header<'a>],
    pub(crate) framing: Framing,
    /// Whether the connection may carry another request after this one.
    pub(crate) keep_alive: bool,
    /// Whether the client waits for `100 Continue` before it sends the body.
    pub(crate) expects_continue: bool,
    /// HTTP/1.0 clients know neither chunked bodies nor interim responses.
    pub(crate) http_1_0: bool,
}

impl Head<'_> {
    /// Whether the head announces more content than `limit` allows.
    pub(crate) const fn announces_more_than(&self, limit: u64) -> bool {
        matches!(self.framing, Framing::Length(length) if length > limit)
    }
}

/// Room for the fields of one head.
pub(crate) type Fields<'a> = [MaybeUninit<Header<'a>>; MAX_FIELDS];

/// Parses `bytes`, which end with the head's empty line.
///
/// An error is the status to answer with before the connection is closed: after a head that was not understood, nothing
/// says where the next one starts.
pub(crate) fn parse<'a>(bytes: &'a [u8], fields: &'a mut Fields<'a>) -> Result<Head<'a>, Status> {
    let mut request = httparse::Request::new(&mut []);
    match request.parse_with_uninit_headers(bytes, fields) {
        Ok(httparse::Status::Complete(_)) => {}
        Ok(httparse::Status::Partial) => return Err(Status::BAD_REQUEST),
        Err(httparse::Error::TooManyHeaders) => return Err(Status::REQUEST_HEADER_FIELDS_TOO_LARGE),
        Err(httparse::Error::Version) => return Err(version_error(bytes)),
        Err(_) => return Err(Status::BAD_REQUEST),
    }
    let (Some(method), Some(target), Some(version)) = (request.method, request.path, request.version) else {
        return Err(Status::BAD_REQUEST);
    };
    let fields: &'a [Header<'a>] = request.headers;
    let http_1_0 = version == 0;
    let target = target::parse(method, target).map_err(|_| Status::BAD_REQUEST)?;

    let mut hosts = 0;
    let mut lengths = Lengths::default();
    let mut codings = 0;
    let mut coding = None;
    let mut connection = Connection::default();
    let (mut expects, mut unmet) = (false, false);
    for field in fields {
        // Dispatch on the length first: a browser sends a dozen fields and hardly one of them concerns us.
        match field.name.len() {
            4 if field.name.eq_ignore_ascii_case("host") => {
                hosts += 1;
                if !is_host(field.value) {
                    return Err(Status::BAD_REQUEST);
                }
            }
            6 if field.name.eq_ignore_ascii_case("expect") => {
                expects = true;
                unmet |= !field.value.eq_ignore_ascii_case(b"100-continue");
            }
            10 if field.name.eq_ignore_ascii_case("connection") => connection.read(field.value),
            14 if field.name.eq_ignore_ascii_case("content-length") => lengths.read(field.value)?,
            17 if field.name.eq_ignore_ascii_case("transfer-encoding") => {
                codings += 1;
                coding = Some(field.value);
            }
            _ => {}
        }
    }
    // A second Transfer-Encoding continues the list of the first, and only a list of one is understood here.
    if codings > 1 {
        return Err(Status::BAD_REQUEST);
    }
    if hosts > 1 || (hosts == 0 && !http_1_0) {
        return Err(Status::BAD_REQUEST);
    }
    if target
        .authority
        .is_some_and(|authority| !is_host(authority.as_bytes()))
    {
        return Err(Status::BAD_REQUEST);
    }
    let framing = framing(http_1_0, lengths, coding)?;
    if unmet {
        return Err(Status::EXPECTATION_FAILED);
    }
    let keep_alive = if http_1_0 {
        connection.keep_alive && !connection.close
    } else {
        !connection.close
    };
    Ok(Head {
        method,
        target,
        fields,
        framing,
        keep_alive,
        expects_continue: expects && !http_1_0,
        http_1_0,
    })
}

/// RFC 9112, section 6.3. Both fields at once are how requests are smuggled past a proxy that believes the other one.
fn framing(http_1_0: bool, lengths: Lengths, coding: Option<&[u8]>) -> Result<Framing, Status> {
    match (coding, lengths.value) {
        (None, length) => Ok(Framing::Length(length.unwrap_or(0))),
        (Some(_), Some(_)) => Err(Status::BAD_REQUEST),
        (Some(_), None) if http_1_0 => Err(Status::BAD_REQUEST),
        (Some(coding), None) if coding.eq_ignore_ascii_case(b"chunked") => Ok(Framing::Chunked),
        (Some(coding), None) => {
            let last = coding
                .rsplit(|&byte| byte == b',')
                .next()
                .unwrap_or_default()
                .trim_ascii();
            let final_chunked = last.eq_ignore_ascii_case(b"chunked");
            Err(if final_chunked || is_token(coding) {
                Status::NOT_IMPLEMENTED
            } else {
                Status::BAD_REQUEST
            })
        }
    }
}

/// All Content-Length values seen, which must agree.
#[derive(Clone, Copy, Default)]
struct Lengths {
    value: Option<u64>,
}

impl Lengths {
    fn read(&mut self, field: &[u8]) -> Result<(), Status> {
        for item in field.split(|&byte| byte == b',') {
            let length = digits(item.trim_ascii()).ok_or(Status::BAD_REQUEST)?;
            if self.value.is_some_and(|earlier| earlier != length) {
                return Err(Status::BAD_REQUEST);
            }
            self.value = Some(length);
        }
        Ok(())
    }
}

/// A decimal number of digits alone; `None` for anything else and past `u64::MAX`.
pub(crate) fn digits(bytes: &[u8]) -> Option<u64> {
    if bytes.is_empty() {
        return None;
    }
    bytes.iter().try_fold(0u64, |value, &byte| {
        let digit = byte.is_ascii_digit().then(|| u64::from(byte - b'0'))?;
        value.checked_mul(10)?.checked_add(digit)
    })
}

#[derive(Default)]
struct Connection {
    close: bool,
    keep_alive: bool,
}

impl Connection {
    fn read(&mut self, field: &[u8]) {
        for option in field.split(|&byte| byte == b',').map(<[u8]>::trim_ascii) {
            self.close |= option.eq_ignore_ascii_case(b"close");
            self.keep_alive |= option.eq_ignore_ascii_case(b"keep-alive");
        }
    }
}

/// `uri-host [ ":" port ]` (RFC 9110, section 7.2), empty allowed. Characters are checked, names are not resolved.
fn is_host(value: &[u8]) -> bool {
    let (name, port) = if value.first() == Some(&b'[') {
        let Some(end) = value.iter().position(|&byte| byte == b']') else {
            return false;
        };
        let (literal, rest) = value.split_at(end + 1);
        let inside = &literal[1..end];
        if inside.is_empty()
            || !inside
                .iter()
                .all(|byte| byte.is_ascii_hexdigit() || matches!(byte, b':' | b'.'))
        {
            return false;
        }
        match rest.split_first() {
            None => (&[][..], None),
            Some((b':', port)) => (&[][..], Some(port)),
            Some(_) => return false,
        }
    } else {
        match value.iter().position(|&byte| byte == b':') {
            Some(colon) => (&value[..colon], Some(&value[colon + 1..])),
            None => (value, None),
        }
    };
    name.iter().all(|&byte| HOST_BYTES[usize::from(byte)])
        && port.is_none_or(|port| port.iter().all(u8::is_ascii_digit))
}

/// Bytes of a registered name: unreserved, percent-encoded and sub-delims (RFC 3986, section 3.2.2).
const HOST_BYTES: [bool; 256] = table(b"-._~%!$&'()*+,;=");

/// Which bytes are letters, digits or one of `others`.
const fn table(others: &[u8]) -> [bool; 256] {
    let mut table = [false; 256];
    let mut byte = 0;
    while byte < 256 {
        table[byte] = (byte as u8).is_ascii_alphanumeric();
        byte += 1;
    }
    let mut at = 0;
    while at < others.len() {
        table[others[at] as usize] = true;
        at += 1;
    }
    table
}

/// A token of RFC 9110, section 5.6.2.
pub(crate) fn is_token(bytes: &[u8]) -> bool {
    !bytes.is_empty()
        && bytes
            .iter()
            .all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(byte))
}

/// 505 for a request line of three words whose last one is a well-formed version other than ours, else 400.
fn version_error(bytes: &[u8]) -> Status {
    let line = bytes
        .trim_ascii_start()
        .split(|&byte| byte == b'\r')
        .next()
        .unwrap_or_default();
    let mut words = line.split(|&byte| byte == b' ').skip(2);
    match (words.next().unwrap_or_default(), words.next()) {
        ([b'H', b'T', b'T', b'P', b'/', major, b'.', minor], None)
            if major.is_ascii_digit() && minor.is_ascii_digit() =>
        {
            Status::HTTP_VERSION_NOT_SUPPORTED
        }
        _ => Status::BAD_REQUEST,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with<T>(text: &str, check: impl FnOnce(Result<Head<'_>, Status>) -> T) -> T {
        let mut fields = [const { MaybeUninit::uninit() }; MAX_FIELDS];
        check(parse(text.as_bytes(), &mut fields))
    }

    fn refused(text: &str) -> u16 {
        with(text, |head| {
            head.map(|head| panic!("accepted {head:?}")).unwrap_err().code()
        })
    }

    fn framed(fields: &str) -> Result<Framing, u16> {
        let text = format!("POST / HTTP/1.1\r\nHost: a\r\n{fields}\r\n");
        with(&text, |head| head.map(|head| head.framing).map_err(Status::code))
    }

    #[test]
    fn a_plain_request() {
        with("GET /a?b HTTP/1.1\r\nHost: a:80\r\nX: y\r\n\r\n", |head| {
            let head = head.unwrap();
            assert_eq!(
                (head.method, &*head.target.path, head.target.query),
                ("GET", "/a", Some("b"))
            );
            assert_eq!(head.framing, Framing::Length(0));
            assert!(head.keep_alive && !head.expects_continue && !head.http_1_0);
            assert_eq!(head.fields.len(), 2);
        });
    }

    #[test]
    fn exactly_one_valid_host() {
        assert_eq!(refused("GET / HTTP/1.1\r\n\r\n"), 400);
        assert_eq!(refused("GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n"), 400);
        for host in ["a b", "a/b", "a@b", "[::1", "[]", "[::1]x", "a:b", "a:8 0", "[g]"] {
            assert_eq!(
                refused(&format!("GET / HTTP/1.1\r\nHost: {host}\r\n\r\n")),
                400,
                "{host}"
            );
        }
        for host in ["", "a", "a.b:80", "a:", "[::1]", "[::1]:8080", "127.0.0.1"] {
            with(&format!("GET / HTTP/1.1\r\nHost: {host}\r\n\r\n"), |head| {
                assert!(head.is_ok(), "{host}")
            });
        }
        with("GET / HTTP/1.0\r\n\r\n", |head| {
            assert!(!head.unwrap().keep_alive)
        });
    }

    #[test]
    fn field_syntax_of_section_5() {
        for field in [
            "X : y",
            " X: y",
            "X\t: y",
            "X: a\0b",
            "X: a\rb",
            "X: a\x01b",
            ": y",
            "X",
            "X: a\r\n b",
        ] {
            assert_eq!(
                refused(&format!("GET / HTTP/1.1\r\nHost: a\r\n{field}\r\n\r\n")),
                400,
                "{field:?}"
            );
        }
        assert_eq!(refused("GET / HTTP/1.1\r\n Host: a\r\n\r\n"), 400);
    }

    #[test]
    fn framing_of_section_6() {
        assert_eq!(framed(""), Ok(Framing::Length(0)));
        assert_eq!(framed("Content-Length: 10\r\n"), Ok(Framing::Length(10)));
        assert_eq!(
            framed("Content-Length: 10\r\nContent-Length: 10\r\n"),
            Ok(Framing::Length(10))
        );
        assert_eq!(framed("Content-Length: 10, 10\r\n"), Ok(Framing::Length(10)));
        assert_eq!(
            framed("Content-Length: 18446744073709551615\r\n"),
            Ok(Framing::Length(u64::MAX))
        );
        assert_eq!(framed("Transfer-Encoding: chunked\r\n"), Ok(Framing::Chunked));
        assert_eq!(framed("Transfer-Encoding: Chunked\r\n"), Ok(Framing::Chunked));
        for fields in [
            "Content-Length: 10\r\nContent-Length: 11\r\n",
            "Content-Length: 10, 11\r\n",
            "Content-Length: 18446744073709551616\r\n",
            "Content-Length: +1\r\n",
            "Content-Length: -1\r\n",
            "Content-Length: 0x1\r\n",
            "Content-Length:\r\n",
            "Content-Length: 1,\r\n",
            "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n",
            "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
            "Transfer-Encoding: chunked, gzip\r\n",
            "Transfer-Encoding:\r\n",
        ] {
            assert_eq!(framed(fields), Err(400), "{fields}");
        }
        assert_eq!(framed("Transfer-Encoding: gzip, chunked\r\n"), Err(501));
        assert_eq!(framed("Transfer-Encoding: gzip\r\n"), Err(501));
        assert_eq!(
            refused("POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n"),
            400
        );
    }

    #[test]
    fn versions() {
        assert_eq!(refused("GET / HTTP/2.0\r\nHost: a\r\n\r\n"), 505);
        assert_eq!(refused("GET / HTTP/1.2\r\nHost: a\r\n\r\n"), 505);
        for line in [
            "GET / HTTP/1.x",
            "GET / http/1.1",
            "GET / HTTP/1.10",
            "GET /",
            "GET  / HTTP/1.1",
            "GET /  HTTP/1.1",
            "GET / HTTP/1.1 ",
            "GET / a HTTP/2.0",
        ] {
            assert_eq!(refused(&format!("{line}\r\nHost: a\r\n\r\n")), 400, "{line}");
        }
    }

    #[test]
    fn persistence_of_section_9_3() {
        let keeps = |text: &str| with(text, |head| head.unwrap().keep_alive);
        assert!(!keeps("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"));
        assert!(!keeps(
            "GET / HTTP/1.1\r\nHost: a\r\nConnection: x, Close\r\n\r\n"
        ));
        assert!(keeps("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"));
        assert!(!keeps("GET / HTTP/1.0\r\nConnection: keep-alive, close\r\n\r\n"));
    }

    #[test]
    fn expectations() {
        let text = "PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nExpect: 100-Continue\r\n\r\n";
        with(text, |head| assert!(head.unwrap().expects_continue));
        assert_eq!(
            refused("GET / HTTP/1.1\r\nHost: a\r\nExpect: 200-ok\r\n\r\n"),
            417
        );
        let both = "GET / HTTP/1.1\r\nHost: a\r\nExpect: x\r\nExpect: 100-continue\r\n\r\n";
        assert_eq!(refused(both), 417);
    }

    #[test]
    fn a_hundred_fields_and_one_more() {
        let text = |count: usize| {
            format!(
                "GET / HTTP/1.1\r\nHost: a\r\n{}\r\n",
                "X: y\r\n".repeat(count - 1)
            )
        };
        with(&text(MAX_FIELDS), |head| {
            assert_eq!(head.unwrap().fields.len(), MAX_FIELDS)
        });
        assert_eq!(refused(&text(MAX_FIELDS + 1)), 431);
    }
}
