//! Requests and answers of HTTP/1.1.

use std::net::SocketAddr;
use std::ops::Range;

use anyhow::{Context, Result, bail, ensure};

use super::client::Client;
use super::difference;
use crate::place::{content, name};

/// A request without content, and what is known of its answer.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub(crate) method: &'static str,
    pub(crate) target: String,
    pub(crate) fields: String,
    pub(crate) status: u16,
    /// What the answer's content is, where that is known.
    pub(crate) content: Option<&'static [u8]>,
}

impl Request {
    /// A whole file.
    pub(crate) fn file(size: usize) -> Self {
        Self {
            method: "GET",
            target: format!("/{}", name(size)),
            fields: String::new(),
            status: 200,
            content: Some(content(size)),
        }
    }

    /// A part of a file, by what stands behind `bytes=` and the places that this is.
    pub(crate) fn range(size: usize, range: &str, places: Range<usize>) -> Self {
        let mut request = Self::file(size).with(&format!("Range: bytes={range}"));
        request.status = 206;
        request.content = Some(&content(size)[places]);
        request
    }

    /// Something that is answered with `status`, by content that only the plain program knows.
    pub(crate) fn other(method: &'static str, target: &str, status: u16) -> Self {
        Self {
            method,
            target: target.to_owned(),
            fields: String::new(),
            status,
            content: None,
        }
    }

    pub(crate) fn with(mut self, field: &str) -> Self {
        self.fields += field;
        self.fields += "\r\n";
        self
    }

    pub(crate) fn bytes(&self) -> Vec<u8> {
        let Self {
            method,
            target,
            fields,
            ..
        } = self;
        format!("{method} {target} HTTP/1.1\r\nHost: test\r\n{fields}\r\n").into_bytes()
    }

    /// That `answer` is what it has to be.
    pub(crate) fn check(&self, answer: &Answer) -> Result<()> {
        let Self {
            method,
            target,
            fields,
            ..
        } = self;
        let what = || format!("{method} {target} {}", fields.trim_end());
        ensure!(
            answer.status == self.status,
            "{}: status {} in place of {}",
            what(),
            answer.status,
            self.status
        );
        if let Some(content) = self.content
            && let Some(difference) = difference(content, &answer.content)
        {
            bail!("{}: {difference}", what());
        }
        Ok(())
    }
}

/// An answer as it came.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) content: Vec<u8>,
}

impl Answer {
    /// Reads the answer to a request with this method; nothing at an end in its place.
    pub(crate) fn read(client: &mut Client, method: &str) -> Result<Option<Self>> {
        let Some(head) = client.take_until(b"\r\n\r\n").context("no head")? else {
            return Ok(None);
        };
        let head = String::from_utf8(head).context("this is no head")?;
        let status = head
            .strip_prefix("HTTP/1.")
            .and_then(|line| line.get(2..5)?.parse().ok())
            .with_context(|| format!("no status in {head:?}"))?;
        let mut answer = Self {
            status,
            head,
            content: Vec::new(),
        };
        if method == "HEAD" || matches!(status, 204 | 304) {
            return Ok(Some(answer));
        }
        if answer.field("transfer-encoding") == Some("chunked") {
            answer.content = chunks(client)?;
            return Ok(Some(answer));
        }
        let length = answer
            .field("content-length")
            .and_then(|length| length.parse().ok());
        let length = length.with_context(|| format!("no length in {:?}", answer.head))?;
        answer.content = client
            .take(length)
            .with_context(|| format!("content of {:?}", answer.head))?;
        Ok(Some(answer))
    }

    pub(crate) fn field(&self, name: &str) -> Option<&str> {
        self.head.lines().skip(1).find_map(|line| {
            let (found, value) = line.split_once(':')?;
            found.eq_ignore_ascii_case(name).then(|| value.trim())
        })
    }

    /// Whether the server ends the connection after it.
    pub(crate) fn closes(&self) -> bool {
        match self.field("connection") {
            Some(value) => value.eq_ignore_ascii_case("close"),
            None => self.head.starts_with("HTTP/1.0"),
        }
    }

    /// All its bytes, but for what differs between two runs of the same program: the time, and the line between the
    /// parts of a multipart answer, which is counted or drawn, even in its length.
    pub(crate) fn comparable(&self) -> Vec<u8> {
        let boundary = self
            .field("content-type")
            .and_then(|kind| Some(kind.split_once("boundary=")?.1));
        let mut bytes = Vec::with_capacity(self.head.len() + self.content.len());
        for line in self.head.split_inclusive('\n') {
            let is = |name: &str| {
                line.get(..name.len())
                    .is_some_and(|found| found.eq_ignore_ascii_case(name))
            };
            let differs = is("date:") || (is("content-length:") && boundary.is_some());
            if !differs {
                bytes.extend_from_slice(line.as_bytes());
            }
        }
        bytes.extend_from_slice(&self.content);
        let Some(boundary) = boundary else {
            return bytes;
        };
        let mut parts = Vec::new();
        let mut rest = &bytes[..];
        while let Some(at) = rest
            .windows(boundary.len())
            .position(|window| window == boundary.as_bytes())
        {
            parts.extend_from_slice(&rest[..at]);
            rest = &rest[at + boundary.len()..];
        }
        parts.extend_from_slice(rest);
        parts
    }
}

/// Asks one after the other on one connection, and on a new one where the server has ended it.
pub(crate) fn converse(address: SocketAddr, requests: &[Request]) -> Result<Vec<Answer>> {
    let mut client = Client::connect(address)?;
    let mut answers = Vec::new();
    for request in requests {
        client.send(&request.bytes())?;
        let answer = expect(&mut client, request)?;
        if answer.closes() {
            client.expect_end()?;
            client = Client::connect(address)?;
        }
        answers.push(answer);
    }
    Ok(answers)
}

/// Chunked content, its framing left in: that must be the same too.
fn chunks(client: &mut Client) -> Result<Vec<u8>> {
    let mut content = Vec::new();
    loop {
        let line = client
            .take_until(b"\r\n")?
            .context("the end in place of a chunk")?;
        let size = std::str::from_utf8(&line)?.trim();
        let size = usize::from_str_radix(size, 16).with_context(|| format!("a chunk of size {size:?}"))?;
        content.extend(line);
        content.extend(client.take(size + 2)?);
        if size == 0 {
            return Ok(content);
        }
    }
}

/// The answer to `request`, which must come.
pub(crate) fn expect(client: &mut Client, request: &Request) -> Result<Answer> {
    let answer = Answer::read(client, request.method).with_context(|| {
        format!(
            "{} {} {}",
            request.method,
            request.target,
            request.fields.trim_end()
        )
    })?;
    answer.with_context(|| {
        format!(
            "the end in place of the answer to {} {}",
            request.method, request.target
        )
    })
}

/// That both servers' answers are the same bytes, and the right ones.
pub(crate) fn compare(requests: &[Request], plain: &[Answer], preloaded: &[Answer]) -> Result<()> {
    ensure!(
        plain.len() == preloaded.len(),
        "{} answers in place of {}",
        preloaded.len(),
        plain.len()
    );
    for ((request, plain), preloaded) in requests.iter().zip(plain).zip(preloaded) {
        request.check(plain).context("the plain program itself")?;
        request.check(preloaded)?;
        if let Some(difference) = difference(&plain.comparable(), &preloaded.comparable()) {
            bail!(
                "{} {} {}: {difference}",
                request.method,
                request.target,
                request.fields
            );
        }
    }
    Ok(())
}
