//! One client at a time: every size, every kind of answer.

use anyhow::{Context, Result};

use super::client::Client;
use super::http::{Request, compare, converse, expect};
use crate::pair::Pair;
use crate::place::{SIZES, name};

/// What a server does not do, or does in its own way.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Traits {
    /// Answers ranges.
    pub(crate) ranges: bool,
    /// Keeps the connection after an error.
    pub(crate) survives_errors: bool,
    /// Holds so many connections.
    pub(crate) most_connections: usize,
    /// Answers so many at once without closing others.
    pub(crate) most_at_once: usize,
}

impl Traits {
    /// Does it all.
    pub(crate) const ALL: Self = Self {
        ranges: true,
        survives_errors: true,
        most_connections: usize::MAX,
        most_at_once: usize::MAX,
    };
}

/// Every file on one connection.
pub(crate) fn keep_alive(pair: &Pair) -> Result<()> {
    let requests: Vec<_> = SIZES
        .into_iter()
        .chain(SIZES.into_iter().rev())
        .map(Request::file)
        .collect();
    let plain = converse(pair.plain.address(), &requests)?;
    compare(&requests, &plain, &converse(pair.preloaded.address(), &requests)?)
}

/// Every file on a connection of its own, which the server ends. Where the server's answer is out before it sees that, some
/// clients half-close behind their request: what takes longer some servers break off then, with no library at all.
pub(crate) fn close(pair: &Pair) -> Result<()> {
    for (index, size) in SIZES.into_iter().enumerate() {
        let request = Request::file(size).with("Connection: close");
        let ask = |address| {
            let mut client = Client::connect(address)?;
            client.send(&request.bytes())?;
            if size <= 65_536 && index % 2 == 1 {
                client.finish()?;
            }
            let answer = expect(&mut client, &request)?;
            client.expect_end().context(request.target.clone())?;
            anyhow::Ok([answer])
        };
        let plain = ask(pair.plain.address())?;
        compare(
            std::slice::from_ref(&request),
            &plain,
            &ask(pair.preloaded.address())?,
        )?;
    }
    Ok(())
}

/// HEAD, what is not there, what has not changed, what is no request.
pub(crate) fn kinds(pair: &Pair) -> Result<()> {
    let target = |size| format!("/{}", name(size));
    let probe = converse(pair.plain.address(), &[Request::file(4096)])?;
    let mut requests = Vec::new();
    for size in SIZES {
        requests.push(Request::other("HEAD", &target(size), 200));
        requests.push(Request::other("GET", &format!("/nothing-{size}"), 404));
        requests.push(Request::other("HEAD", &format!("/nothing-{size}"), 404));
    }
    if let Some(changed) = probe[0].field("last-modified") {
        requests
            .push(Request::other("GET", &target(4096), 304).with(&format!("If-Modified-Since: {changed}")));
    }
    if let Some(tag) = probe[0].field("etag") {
        requests.push(Request::other("GET", &target(4096), 304).with(&format!("If-None-Match: {tag}")));
    }
    requests.push(Request::file(4096));
    let plain = converse(pair.plain.address(), &requests)?;
    compare(&requests, &plain, &converse(pair.preloaded.address(), &requests)?)
}

/// Parts of files.
pub(crate) fn ranges(pair: &Pair) -> Result<()> {
    let mut requests = vec![
        Request::range(4096, "0-0", 0..1),
        Request::range(4096, "4095-", 4095..4096),
        Request::range(4097, "-1", 4096..4097),
        Request::range(100_001, "5-65540", 5..65_541),
        Request::range(100_001, "-70000", 30_001..100_001),
        Request::range(1_000_003, "1-", 1..1_000_003),
        Request::range(1_000_003, "999999-5000000", 999_999..1_000_003),
        Request::range(20_000_003, "12345678-12395677", 12_345_678..12_395_678),
        Request::range(20_000_003, "7-19999999", 7..20_000_000),
        Request::file(4096),
    ];
    let mut outside = Request::other("GET", &format!("/{}", name(4096)), 416);
    outside = outside.with("Range: bytes=5000-6000");
    let mut several = Request::other("GET", &format!("/{}", name(300_000)), 206);
    several = several.with("Range: bytes=0-99,5000-69999,299000-");
    requests.extend([outside, several, Request::file(1)]);
    let plain = converse(pair.plain.address(), &requests)?;
    compare(&requests, &plain, &converse(pair.preloaded.address(), &requests)?)
}
