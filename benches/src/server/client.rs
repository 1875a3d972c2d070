use core::net::SocketAddr;
use core::time::Duration;
use std::io::{Read, Write};
use std::net::TcpStream;

use anyhow::{Context, Result, bail, ensure};

/// No answer on loopback takes so long.
const PATIENCE: Duration = Duration::from_secs(10);

/// A keep-alive connection.
#[derive(Debug)]
pub(crate) struct Connection {
    stream: TcpStream,
}

/// What came back.
#[derive(Debug, Eq, PartialEq)]
pub(crate) struct Response {
    pub(crate) status: u16,
    pub(crate) body: Vec<u8>,
}

impl Connection {
    pub(crate) fn open(address: SocketAddr) -> Result<Self> {
        let stream = TcpStream::connect(address).with_context(|| format!("cannot connect to {address}"))?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_nodelay(true)?;
        Ok(Self { stream })
    }

    pub(crate) fn send(&mut self, bytes: &[u8]) -> Result<()> {
        self.stream.write_all(bytes).context("cannot send a request")
    }

    /// Asks for `path` and reads the whole answer.
    pub(crate) fn get(&mut self, path: &str) -> Result<Response> {
        self.send(format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n").as_bytes())?;
        self.receive()
    }

    /// Reads one answer that has a `Content-Length`.
    pub(crate) fn receive(&mut self) -> Result<Response> {
        let mut received = Vec::new();
        let mut chunk = [0; 16 << 10];
        loop {
            let count = self.stream.read(&mut chunk).context("cannot read a response")?;
            ensure!(count > 0, "the connection ended inside a response");
            received.extend_from_slice(&chunk[..count]);
            if let Some((status, head, length)) = parse(&received)? {
                let whole = head + length;
                ensure!(
                    received.len() <= whole,
                    "the response is longer than its Content-Length"
                );
                if received.len() == whole {
                    return Ok(Response {
                        status,
                        body: received.split_off(head),
                    });
                }
            }
        }
    }
}

/// Status, length of the head and length of the body, once the head is whole.
fn parse(received: &[u8]) -> Result<Option<(u16, usize, usize)>> {
    let mut headers = [httparse::EMPTY_HEADER; 32];
    let mut response = httparse::Response::new(&mut headers);
    let httparse::Status::Complete(head) = response.parse(received).context("malformed response")? else {
        return Ok(None);
    };
    let status = response.code.context("a response without a status")?;
    let length = response
        .headers
        .iter()
        .find(|header| header.name.eq_ignore_ascii_case("content-length"));
    let Some(length) = length else {
        bail!("a response without Content-Length")
    };
    let length = core::str::from_utf8(length.value)?
        .trim()
        .parse()
        .context("malformed Content-Length")?;
    Ok(Some((status, head, length)))
}
