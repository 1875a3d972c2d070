//! An HTTP/1.1 client that sends any bytes, cut anywhere, and believes nothing of what comes back.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::os::fd::OwnedFd;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use rustix::net::{AddressFamily, SocketType, sockopt};

/// How long a client waits for what must come: far longer than any of it takes, so that a busy machine fails no test.
pub const PATIENCE: Duration = Duration::from_secs(30);
/// Bytes that the head of a response may take.
const MAX_HEAD: usize = 64 * 1024;

/// One connection.
#[derive(Debug)]
pub struct Client {
    stream: TcpStream,
    /// What has arrived and was not asked for yet.
    received: Vec<u8>,
}

/// Why there is no response.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Failure {
    /// The connection ended before the first byte of it.
    Nothing,
    /// It is not whole, or not HTTP.
    Broken(String),
}

/// A response, its content already taken out of its framing.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Response {
    /// The three-digit code.
    pub status: u16,
    /// Header fields in their order.
    pub fields: Vec<(String, String)>,
    /// The content.
    pub body: Vec<u8>,
}

impl Response {
    /// The value of a header field, whose name's case does not matter.
    ///
    /// # Panics
    ///
    /// When the field stands twice.
    pub fn field(&self, name: &str) -> Option<&str> {
        let mut values = self
            .fields
            .iter()
            .filter(|(field, _)| field.eq_ignore_ascii_case(name));
        let value = values.next().map(|(_, value)| value.as_str());
        assert!(values.next().is_none(), "{name} stands twice in {self:?}");
        value
    }

    /// The content as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

impl Client {
    /// Connects.
    ///
    /// # Panics
    ///
    /// When nobody listens there.
    pub fn connect(address: SocketAddr) -> Self {
        Self::over(TcpStream::connect(address).expect("the server listens"))
    }

    /// Connects where perhaps nobody listens any more.
    ///
    /// # Errors
    ///
    /// The system's.
    pub fn try_connect(address: SocketAddr) -> io::Result<Self> {
        TcpStream::connect(address).map(Self::over)
    }

    /// Connects with a receive buffer of about `bytes`, so that the server has to wait for its reader.
    ///
    /// # Panics
    ///
    /// When nobody listens there.
    pub fn connect_narrow(address: SocketAddr, bytes: usize) -> Self {
        let socket: OwnedFd =
            rustix::net::socket(AddressFamily::INET, SocketType::STREAM, None).expect("a socket");
        // Before connecting: the window that is announced then is never taken back.
        sockopt::set_socket_recv_buffer_size(&socket, bytes).expect("a small buffer");
        rustix::net::connect(&socket, &address).expect("the server listens");
        Self::over(TcpStream::from(socket))
    }

    fn over(stream: TcpStream) -> Self {
        stream.set_nodelay(true).expect("a TCP socket");
        stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
        stream.set_write_timeout(Some(PATIENCE)).expect("a timeout");
        Self {
            stream,
            received: Vec::new(),
        }
    }

    /// Sends `bytes` with one call.
    ///
    /// # Panics
    ///
    /// When the server takes none of it for [`PATIENCE`]. That it has closed meanwhile is no error: what it answered
    /// before is still to be read.
    pub fn send(&mut self, bytes: impl AsRef<[u8]>) {
        if let Err(error) = self.stream.write_all(bytes.as_ref()) {
            let closed = matches!(error.kind(), ErrorKind::BrokenPipe | ErrorKind::ConnectionReset);
            assert!(closed, "cannot send: {error}");
        }
    }

    /// Sends `bytes` from a thread of its own, for more than the two ends hold while nobody reads.
    ///
    /// # Panics
    ///
    /// When there is no descriptor for it.
    pub fn send_beside(&self, bytes: Vec<u8>) -> JoinHandle<io::Result<()>> {
        let mut stream = self.stream.try_clone().expect("a second descriptor");
        thread::spawn(move || stream.write_all(&bytes))
    }

    /// Says that nothing more will be sent.
    pub fn finish(&mut self) {
        // The server may have closed already.
        let _closed = self.stream.shutdown(Shutdown::Write);
    }

    /// The response to a request whose method is not HEAD.
    ///
    /// # Panics
    ///
    /// When there is none, or it breaks a rule.
    pub fn response(&mut self) -> Response {
        self.response_to("GET")
    }

    /// The response to a request with this method.
    ///
    /// # Panics
    ///
    /// When there is none, or it breaks a rule.
    pub fn response_to(&mut self, method: &str) -> Response {
        self.try_response(method)
            .unwrap_or_else(|failure| panic!("no response: {failure:?}"))
    }

    /// The response to a request with this method, or what came in its place.
    ///
    /// # Errors
    ///
    /// [`Failure`]
    pub fn try_response(&mut self, method: &str) -> Result<Response, Failure> {
        let mut response = self.try_head()?;
        let length = response
            .field("Content-Length")
            .map(|value| {
                value
                    .parse::<usize>()
                    .map_err(|_| broken(format!("Content-Length {value:?}")))
            })
            .transpose()?;
        if response.field("Transfer-Encoding").is_some() {
            return Err(broken("a transfer coding that was not asked for".into()));
        }
        let length = match (response.status, length) {
            (204 | 304, None) => 0,
            (204, Some(_)) => return Err(broken("204 with a Content-Length".into())),
            (304, Some(_)) => 0,
            (_, None) => return Err(broken(format!("no Content-Length in {response:?}"))),
            (_, Some(_)) if method == "HEAD" => 0,
            (_, Some(length)) => length,
        };
        response.body = self.take(length)?;
        Ok(response)
    }

    /// The head of a response, whatever follows it: for interim responses, and for content that is cut short.
    ///
    /// # Errors
    ///
    /// [`Failure`]
    pub fn try_head(&mut self) -> Result<Response, Failure> {
        let end = loop {
            if let Some(at) = find(&self.received, b"\r\n\r\n") {
                break at + 4;
            }
            if self.received.len() > MAX_HEAD {
                return Err(broken("a head without end".into()));
            }
            match self.fill() {
                Ok(1..) => {}
                Ok(0) if self.received.is_empty() => return Err(Failure::Nothing),
                Err(error) if self.received.is_empty() && error.kind() == ErrorKind::ConnectionReset => {
                    return Err(Failure::Nothing);
                }
                outcome => {
                    let head = String::from_utf8_lossy(&self.received);
                    return Err(broken(format!("{outcome:?} in the head {head:?}")));
                }
            }
        };
        let head: Vec<u8> = self.received.drain(..end).collect();
        parse(&head).ok_or_else(|| broken(format!("this is no head: {:?}", String::from_utf8_lossy(&head))))
    }

    /// Exactly `length` bytes.
    ///
    /// # Errors
    ///
    /// [`Failure::Broken`] when the connection ends before.
    pub fn take(&mut self, length: usize) -> Result<Vec<u8>, Failure> {
        while self.received.len() < length {
            match self.fill() {
                Ok(1..) => {}
                outcome => {
                    let count = self.received.len();
                    return Err(broken(format!("{outcome:?} after {count} of {length} bytes")));
                }
            }
        }
        let rest = self.received.split_off(length);
        Ok(std::mem::replace(&mut self.received, rest))
    }

    /// Reads what is there, at most `most` bytes; empty at the end.
    ///
    /// # Panics
    ///
    /// When nothing comes and nothing ends.
    pub fn read_some(&mut self, most: usize) -> Vec<u8> {
        if self.received.is_empty() {
            let mut piece = vec![0; most];
            let count = match self.stream.read(&mut piece) {
                Ok(count) => count,
                Err(error) if error.kind() == ErrorKind::ConnectionReset => 0,
                Err(error) => panic!("nothing arrives: {error}"),
            };
            piece.truncate(count);
            return piece;
        }
        let rest = self.received.split_off(most.min(self.received.len()));
        std::mem::replace(&mut self.received, rest)
    }

    /// Waits for the end of the connection, before which nothing may come. A reset is an end too, where the server does
    /// not wait for all that is sent.
    ///
    /// # Panics
    ///
    /// When something comes, or the connection stays open.
    pub fn expect_end(&mut self) {
        match self.fill() {
            Ok(0) => {}
            Err(error) if error.kind() == ErrorKind::ConnectionReset => {}
            Ok(_) => {}
            Err(error) => panic!("the connection is not closed: {error}"),
        }
        let behind = String::from_utf8_lossy(&self.received);
        assert!(behind.is_empty(), "behind the last response stands {behind:?}");
    }

    /// Waits for the end of the connection as [`expect_end`](Self::expect_end), but not by a reset, which could have
    /// overtaken the last response.
    ///
    /// # Panics
    ///
    /// When something comes, or the connection stays open, or is reset.
    pub fn expect_clean_end(&mut self) {
        let outcome = self.fill();
        let behind = String::from_utf8_lossy(&self.received);
        assert!(behind.is_empty(), "behind the last response stands {behind:?}");
        assert!(matches!(outcome, Ok(0)), "not a clean end: {outcome:?}");
    }

    /// That nothing has arrived and the connection is open, now.
    ///
    /// # Panics
    ///
    /// When it is not so.
    pub fn expect_silence(&mut self) {
        self.stream.set_nonblocking(true).expect("a socket");
        let outcome = self.fill();
        self.stream.set_nonblocking(false).expect("a socket");
        let behind = String::from_utf8_lossy(&self.received);
        assert!(behind.is_empty(), "without a request came {behind:?}");
        let open = matches!(&outcome, Err(error) if error.kind() == ErrorKind::WouldBlock);
        assert!(open, "the connection has ended: {outcome:?}");
    }

    /// How long it takes until the connection ends, whatever is received before.
    ///
    /// # Panics
    ///
    /// When it does not.
    pub fn time_to_end(&mut self) -> Duration {
        let begin = Instant::now();
        loop {
            match self.fill() {
                Ok(0) => return begin.elapsed(),
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::ConnectionReset => return begin.elapsed(),
                Err(error) => panic!("the connection is not closed: {error}"),
            }
        }
    }

    /// What has been received and not been taken.
    pub fn received(&self) -> &[u8] {
        &self.received
    }

    /// The socket.
    pub fn stream(&self) -> &TcpStream {
        &self.stream
    }

    fn fill(&mut self) -> io::Result<usize> {
        let mut piece = [0; 64 * 1024];
        let count = self.stream.read(&mut piece)?;
        self.received.extend_from_slice(&piece[..count]);
        Ok(count)
    }
}

fn broken(what: String) -> Failure {
    Failure::Broken(what)
}

fn find(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    bytes.windows(wanted.len()).position(|window| window == wanted)
}

/// A head of RFC 9112, sections 4 and 5, to the letter; final responses carry a Date of now.
fn parse(head: &[u8]) -> Option<Response> {
    let head = std::str::from_utf8(head).ok()?.strip_suffix("\r\n\r\n")?;
    let mut lines = head.split("\r\n");
    let line = lines.next()?.strip_prefix("HTTP/1.1 ")?;
    let (code, reason) = line.split_once(' ')?;
    let status = code.parse().ok().filter(|_| code.len() == 3)?;
    let clean = |text: &str| text.bytes().all(|byte| byte >= b' ' && byte != 0x7f);
    if !clean(reason) {
        return None;
    }
    let mut fields = Vec::new();
    for line in lines {
        let (name, value) = line.split_once(": ")?;
        let token = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
        if name.is_empty() || !name.bytes().all(token) || !clean(value) || value.trim() != value {
            return None;
        }
        fields.push((name.to_owned(), value.to_owned()));
    }
    let response = Response {
        status,
        fields,
        body: Vec::new(),
    };
    // The two answers that are kept ready for when there is no connection to speak of have no date.
    if status >= 200 && !matches!(status, 408 | 503) {
        let date = httpdate::parse_http_date(response.field("Date")?).ok()?;
        let age = date.elapsed().unwrap_or_else(|ahead| ahead.duration());
        if age > Duration::from_secs(60) {
            return None;
        }
    }
    Some(response)
}

/// A GET request for `target` with these further field lines, each with its line end.
pub fn get(target: &str, fields: &str) -> String {
    request("GET", target, fields)
}

/// A request without content.
pub fn request(method: &str, target: &str, fields: &str) -> String {
    format!("{method} {target} HTTP/1.1\r\nHost: test\r\n{fields}\r\n")
}

/// A POST request with a Content-Length.
pub fn post(target: &str, content: &[u8]) -> Vec<u8> {
    let length = content.len();
    let mut bytes = request("POST", target, &format!("Content-Length: {length}\r\n")).into_bytes();
    bytes.extend_from_slice(content);
    bytes
}

/// A POST request with chunked content, a chunk for each piece.
pub fn post_chunked<'a>(target: &str, pieces: impl IntoIterator<Item = &'a [u8]>) -> Vec<u8> {
    let mut bytes = request("POST", target, "Transfer-Encoding: chunked\r\n").into_bytes();
    for piece in pieces {
        if !piece.is_empty() {
            bytes.extend_from_slice(format!("{:x}\r\n", piece.len()).as_bytes());
            bytes.extend_from_slice(piece);
            bytes.extend_from_slice(b"\r\n");
        }
    }
    bytes.extend_from_slice(b"0\r\n\r\n");
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_is_taken_to_the_letter() {
        let good = "HTTP/1.1 100 Continue\r\nX: y\r\n\r\n";
        assert_eq!(parse(good.as_bytes()).expect("a head").field("x"), Some("y"));
        for bad in [
            "HTTP/1.0 100 Continue\r\n\r\n",
            "HTTP/1.1 100\r\n\r\n",
            "HTTP/1.1 1000 x\r\n\r\n",
            "HTTP/1.1 100 x\r\nX:y\r\n\r\n",
            "HTTP/1.1 100 x\r\nX : y\r\n\r\n",
            "HTTP/1.1 100 x\r\nX: y \r\n\r\n",
            "HTTP/1.1 100 x\nX: y\r\n\r\n",
            "HTTP/1.1 200 without a date\r\n\r\n",
            "HTTP/1.1 200 OK\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\n\r\n",
        ] {
            assert_eq!(parse(bad.as_bytes()), None, "{bad:?}");
        }
    }

    #[test]
    fn chunks_are_framed() {
        let bytes = post_chunked("/x", [b"hello".as_slice(), b"", b"0123456789"]);
        let text = String::from_utf8(bytes).expect("text");
        assert!(
            text.ends_with("\r\n\r\n5\r\nhello\r\na\r\n0123456789\r\n0\r\n\r\n"),
            "{text}"
        );
    }
}
