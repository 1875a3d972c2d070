//! The rules of HTTP/1.1 that keep a client, a proxy and this server of one mind about where a request ends.
//!
//! Every case is fed whole, byte by byte, and cut in two at every place, with a valid request behind it.

use system_tests::client::{Client, Failure, get};
use system_tests::server::{Running, all_cuts, send_in_step, standard};

/// Stands behind every case.
const NEXT: &str = "GET /next HTTP/1.1\r\nHost: test\r\n\r\n";

struct Refused {
    /// Of RFC 9112, where no other document is named.
    section: &'static str,
    request: &'static [u8],
    status: u16,
}

const fn refused(section: &'static str, status: u16, request: &'static [u8]) -> Refused {
    Refused {
        section,
        request,
        status,
    }
}

/// Answered with a status, and the connection closed, whatever follows.
const REFUSED: &[Refused] = &[
    // Lines.
    refused("2.2", 400, b"GET / HTTP/1.1\nHost: a\r\n\r\n"),
    refused("2.2", 400, b"GET / HTTP/1.1\r\nHost: a\n\r\n"),
    refused("2.2", 400, b"GET / HTTP/1.1\r\nHost: a\r\n\n"),
    refused("2.2", 400, b"GET / HTTP/1.1\nHost: a\n\n"),
    refused("2.2", 400, b"GET / HTTP/1.1\rHost: a\r\n\r\n"),
    refused("2.2", 400, b"GET / HTTP/1.1\r\nHost: a\rX: y\r\n\r\n"),
    refused("2.2", 400, b"GET / HTTP/1.1\r\nHost: a\r\nX: a\rb\r\n\r\n"),
    refused("2.2", 400, b"GET / HTTP/1.1\r\nHost: a\r\n\rX: y\r\n\r\n"),
    refused("2.2", 400, b"GET / HTTP/1.1\r\n Host: a\r\n\r\n"),
    refused("2.2", 400, b"GET / HTTP/1.1\r\n \r\nHost: a\r\n\r\n"),
    refused("2.2", 400, b"GET / HTTP/1.1\r\n\tX: y\r\nHost: a\r\n\r\n"),
    refused("2.2", 400, b"\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n"),
    refused("2.2", 400, b"\nGET / HTTP/1.1\r\nHost: a\r\n\r\n"),
    refused("2.2", 400, b"\rGET / HTTP/1.1\r\nHost: a\r\n\r\n"),
    // The request line.
    refused("3", 400, b" GET / HTTP/1.1\r\nHost: a\r\n\r\n"),
    refused("3", 400, b"GET  / HTTP/1.1\r\nHost: a\r\n\r\n"),
    refused("3", 400, b"GET /  HTTP/1.1\r\nHost: a\r\n\r\n"),
    refused("3", 400, b"GET / HTTP/1.1 \r\nHost: a\r\n\r\n"),
    refused("3", 400, b"GET\t/\tHTTP/1.1\r\nHost: a\r\n\r\n"),
    refused("3", 400, b"GET / a HTTP/1.1\r\nHost: a\r\n\r\n"),
    refused("3", 400, b"GET /\r\nHost: a\r\n\r\n"),
    refused("3", 400, b"GET /\r\n\r\n"),
    refused("3", 400, b"GET HTTP/1.1\r\nHost: a\r\n\r\n"),
    refused("3.1", 400, b"GE(T / HTTP/1.1\r\nHost: a\r\n\r\n"),
    refused("3.1", 400, b"G\x00T / HTTP/1.1\r\nHost: a\r\n\r\n"),
    refused(
        "3.1",
        400,
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
    ),
    // The version.
    refused("2.3", 400, b"GET / http/1.1\r\nHost: a\r\n\r\n"),
    refused("2.3", 400, b"GET / HTTP/1.x\r\nHost: a\r\n\r\n"),
    refused("2.3", 400, b"GET / HTTP/1.10\r\nHost: a\r\n\r\n"),
    refused("2.3", 400, b"GET / HTTP/11\r\nHost: a\r\n\r\n"),
    refused("2.3", 400, b"GET / HTTP/1,1\r\nHost: a\r\n\r\n"),
    refused("2.3", 400, b"GET / XTTP/1.1\r\nHost: a\r\n\r\n"),
    refused("RFC 9110, 15.6.6", 505, b"GET / HTTP/2.0\r\nHost: a\r\n\r\n"),
    refused("RFC 9110, 15.6.6", 505, b"GET / HTTP/3.0\r\nHost: a\r\n\r\n"),
    refused("RFC 9110, 15.6.6", 505, b"GET / HTTP/1.2\r\nHost: a\r\n\r\n"),
    refused("RFC 9113, 3.4", 505, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
    // The target.
    refused("3.2", 400, b"GET a HTTP/1.1\r\nHost: a\r\n\r\n"),
    refused("3.2.1", 400, b"GET /a#b HTTP/1.1\r\nHost: a\r\n\r\n"),
    refused("3.2.1", 400, b"GET /a#b?c HTTP/1.1\r\nHost: a\r\n\r\n"),
    refused("3.2.1", 400, b"GET /a?b#c HTTP/1.1\r\nHost: a\r\n\r\n"),
    refused("3.2.1", 400, b"GET /a\x01b HTTP/1.1\r\nHost: a\r\n\r\n"),
    refused("3.2.1", 400, b"GET /a\x00b HTTP/1.1\r\nHost: a\r\n\r\n"),
    refused("3.2.1", 400, b"GET /a\x7fb HTTP/1.1\r\nHost: a\r\n\r\n"),
    refused("3.2.1", 400, b"GET /a\xffb HTTP/1.1\r\nHost: a\r\n\r\n"),
    refused("3.2.2", 400, b"GET ftp://a/ HTTP/1.1\r\nHost: a\r\n\r\n"),
    refused("3.2.2", 400, b"GET http:///a HTTP/1.1\r\nHost: a\r\n\r\n"),
    refused("3.2.2", 400, b"GET http://b@a/ HTTP/1.1\r\nHost: a\r\n\r\n"),
    refused("3.2.3", 400, b"CONNECT a:80 HTTP/1.1\r\nHost: a\r\n\r\n"),
    refused("3.2.4", 400, b"GET * HTTP/1.1\r\nHost: a\r\n\r\n"),
    refused("RFC 3986, 2.1", 400, b"GET /% HTTP/1.1\r\nHost: a\r\n\r\n"),
    refused("RFC 3986, 2.1", 400, b"GET /%4 HTTP/1.1\r\nHost: a\r\n\r\n"),
    refused("RFC 3986, 2.1", 400, b"GET /%4g HTTP/1.1\r\nHost: a\r\n\r\n"),
    // Host.
    refused("3.2", 400, b"GET / HTTP/1.1\r\n\r\n"),
    refused("3.2", 400, b"GET / HTTP/1.1\r\nX: y\r\n\r\n"),
    refused("3.2", 400, b"GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n"),
    refused("3.2", 400, b"GET / HTTP/1.1\r\nHost: a\r\nhOST: b\r\n\r\n"),
    refused("3.2", 400, b"GET / HTTP/1.0\r\nHost: a\r\nHost: b\r\n\r\n"),
    refused("3.2", 400, b"GET / HTTP/1.1\r\nHost: a b\r\n\r\n"),
    refused("3.2", 400, b"GET / HTTP/1.1\r\nHost: a/b\r\n\r\n"),
    refused("3.2", 400, b"GET / HTTP/1.1\r\nHost: b@a\r\n\r\n"),
    refused("3.2", 400, b"GET / HTTP/1.1\r\nHost: a:b\r\n\r\n"),
    refused("3.2", 400, b"GET / HTTP/1.1\r\nHost: [::1\r\n\r\n"),
    // Fields.
    refused("5.1", 400, b"GET / HTTP/1.1\r\nHost : a\r\n\r\n"),
    refused("5.1", 400, b"GET / HTTP/1.1\r\nHost: a\r\nX\t: y\r\n\r\n"),
    refused(
        "5.1",
        400,
        b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length : 3\r\n\r\nabc",
    ),
    refused(
        "5.1",
        400,
        b"GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding : chunked\r\n\r\n0\r\n\r\n",
    ),
    refused("5", 400, b"GET / HTTP/1.1\r\nHost: a\r\n: y\r\n\r\n"),
    refused("5", 400, b"GET / HTTP/1.1\r\nHost: a\r\nX\r\n\r\n"),
    refused("5", 400, b"GET / HTTP/1.1\r\nHost: a\r\nX Y: z\r\n\r\n"),
    refused("5", 400, b"GET / HTTP/1.1\r\nHost: a\r\nX(y): z\r\n\r\n"),
    refused("5", 400, b"GET / HTTP/1.1\r\nHost: a\r\nX\x00: y\r\n\r\n"),
    refused("5", 400, b"GET / HTTP/1.1\r\nHost: a\r\nX\x80: y\r\n\r\n"),
    refused("5.2", 400, b"GET / HTTP/1.1\r\nHost: a\r\nX: a\r\n b\r\n\r\n"),
    refused("5.2", 400, b"GET / HTTP/1.1\r\nHost: a\r\nX: a\r\n\tb\r\n\r\n"),
    refused(
        "5.2",
        400,
        b"POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n",
    ),
    refused(
        "RFC 9110, 5.5",
        400,
        b"GET / HTTP/1.1\r\nHost: a\r\nX: a\x00b\r\n\r\n",
    ),
    refused(
        "RFC 9110, 5.5",
        400,
        b"GET / HTTP/1.1\r\nHost: a\r\nX: a\x01b\r\n\r\n",
    ),
    refused(
        "RFC 9110, 5.5",
        400,
        b"GET / HTTP/1.1\r\nHost: a\r\nX: a\x7fb\r\n\r\n",
    ),
    // Content-Length.
    refused(
        "6.3",
        400,
        b"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd",
    ),
    refused(
        "6.3",
        400,
        b"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 3, 4\r\n\r\nabcd",
    ),
    refused(
        "6.3",
        400,
        b"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 3,\r\n\r\nabc",
    ),
    refused(
        "6.3",
        400,
        b"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length:\r\n\r\n",
    ),
    refused(
        "6.3",
        400,
        b"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: +3\r\n\r\nabc",
    ),
    refused(
        "6.3",
        400,
        b"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: -3\r\n\r\nabc",
    ),
    refused(
        "6.3",
        400,
        b"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 0x3\r\n\r\nabc",
    ),
    refused(
        "6.3",
        400,
        b"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 3 3\r\n\r\nabc",
    ),
    refused(
        "6.3",
        400,
        b"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 3.0\r\n\r\nabc",
    ),
    refused(
        "6.3",
        400,
        b"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 18446744073709551616\r\n\r\nabc",
    ),
    refused("6.3", 400, b"GET / HTTP/1.0\r\nContent-Length: x\r\n\r\n"),
    refused(
        "RFC 9110, 15.5.14",
        413,
        b"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 18446744073709551615\r\n\r\nabc",
    ),
    // Transfer-Encoding.
    refused(
        "6.1",
        400,
        b"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    ),
    refused(
        "6.1",
        400,
        b"POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n",
    ),
    refused(
        "6.1",
        400,
        b"POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip\r\nContent-Length: 1\r\n\r\nx",
    ),
    refused(
        "6.1",
        400,
        b"POST /echo HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    ),
    refused(
        "6.1",
        501,
        b"POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip\r\n\r\n",
    ),
    refused(
        "6.1",
        501,
        b"POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
    ),
    refused(
        "6.1",
        501,
        b"POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
    ),
    refused(
        "6.1",
        501,
        b"POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: identity\r\n\r\n",
    ),
    refused(
        "6.3",
        400,
        b"POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked, gzip\r\n\r\n0\r\n\r\n",
    ),
    refused(
        "6.3",
        400,
        b"POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: x\r\n\r\n",
    ),
    refused(
        "6.3",
        400,
        b"POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked;a=b\r\n\r\n0\r\n\r\n",
    ),
    refused(
        "6.3",
        400,
        b"POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: \"chunked\"\r\n\r\n0\r\n\r\n",
    ),
    refused(
        "6.3",
        400,
        b"POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding:\r\n\r\n0\r\n\r\n",
    ),
    refused(
        "6.3",
        400,
        b"POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: \x0bchunked\r\n\r\n0\r\n\r\n",
    ),
    // Chunks, where the handler asks for them.
    refused(
        "7.1",
        400,
        b"POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n",
    ),
    refused(
        "7.1",
        400,
        b"POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n\r\nabc\r\n0\r\n\r\n",
    ),
    refused(
        "7.1",
        400,
        b"POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n-3\r\nabc\r\n0\r\n\r\n",
    ),
    refused(
        "7.1",
        400,
        b"POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n+3\r\nabc\r\n0\r\n\r\n",
    ),
    refused(
        "7.1",
        400,
        b"POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0x3\r\nabc\r\n0\r\n\r\n",
    ),
    refused(
        "7.1",
        400,
        b"POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n 3\r\nabc\r\n0\r\n\r\n",
    ),
    refused(
        "7.1",
        400,
        b"POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\nabc\r\n0\r\n\r\n",
    ),
    refused(
        "7.1",
        400,
        b"POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\rabc\r\n0\r\n\r\n",
    ),
    refused(
        "7.1",
        400,
        b"POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabcd\r\n0\r\n\r\n",
    ),
    refused(
        "7.1",
        400,
        b"POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\n0\r\n\r\n",
    ),
    refused(
        "7.1",
        400,
        b"POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc0\r\n\r\n",
    ),
    refused(
        "7.1",
        400,
        b"POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\rXabc\r\n0\r\n\r\n",
    ),
    refused(
        "7.1",
        400,
        b"POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabcX\n0\r\n\r\n",
    ),
    refused(
        "7.1",
        400,
        b"POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\rX0\r\n\r\n",
    ),
    refused(
        "7.1",
        400,
        b"POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nX: y\rX\r\n",
    ),
    refused(
        "7.1",
        400,
        b"POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\rX",
    ),
    refused(
        "7.1",
        400,
        b"POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\n",
    ),
    refused(
        "7.1",
        400,
        b"POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n10000000000000000\r\nabc\r\n",
    ),
    refused(
        "7.1",
        400,
        b"POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\nabc\r\n",
    ),
    refused(
        "7.1.1",
        400,
        b"POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3;a\nb\r\nabc\r\n0\r\n\r\n",
    ),
    refused(
        "7.1.1",
        400,
        b"POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3;\x00\r\nabc\r\n0\r\n\r\n",
    ),
    refused(
        "7.1.2",
        400,
        b"POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nX: y\n\r\n",
    ),
    refused(
        "7.1.2",
        400,
        b"POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n X: y\r\n\r\n",
    ),
    refused(
        "7.1.2",
        400,
        b"POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n: y\r\n\r\n",
    ),
    refused(
        "7.1.2",
        400,
        b"POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nX\r\n\r\n",
    ),
    refused(
        "7.1.2",
        400,
        b"POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nX : y\r\n\r\n",
    ),
    refused(
        "7.1.2",
        400,
        b"POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nX: a\x00b\r\n\r\n",
    ),
    // Expectations.
    refused(
        "RFC 9110, 10.1.1",
        417,
        b"POST /echo HTTP/1.1\r\nHost: a\r\nExpect: tea\r\nContent-Length: 1\r\n\r\nx",
    ),
];

struct Accepted {
    section: &'static str,
    request: &'static [u8],
    method: &'static str,
    status: u16,
    content: &'static str,
}

const fn accepted(section: &'static str, content: &'static str, request: &'static [u8]) -> Accepted {
    Accepted {
        section,
        request,
        method: "GET",
        status: 200,
        content,
    }
}

const fn without_content(
    section: &'static str,
    status: u16,
    method: &'static str,
    request: &'static [u8],
) -> Accepted {
    Accepted {
        section,
        request,
        method,
        status,
        content: "",
    }
}

/// Answered, and so is what stands behind.
const ACCEPTED: &[Accepted] = &[
    accepted("2.2", "pong", b"\r\nGET /ping HTTP/1.1\r\nHost: a\r\n\r\n"),
    accepted("3.1", "get /show  None", b"get /show HTTP/1.1\r\nHost: a\r\n\r\n"),
    accepted("3.2.1", "GET /show/a /a Some(\"b?c\")", b"GET /show/a?b?c HTTP/1.1\r\nHost: a\r\n\r\n"),
    accepted("3.2.2", "GET /show/a /a None", b"GET http://b:80/show/a HTTP/1.1\r\nHost: a\r\n\r\n"),
    accepted("3.2.2", "GET /show  Some(\"a\")", b"GET HTTPS://b/show?a HTTP/1.1\r\nHost: b\r\n\r\n"),
    accepted("3.2", "pong", b"GET /ping HTTP/1.1\r\nHost:\r\n\r\n"),
    accepted("3.2", "pong", b"GET /ping HTTP/1.1\r\nHost: [::1]:8080\r\n\r\n"),
    accepted("5.1", "pong", b"GET /ping HTTP/1.1\r\nhost:\t a\t \r\n\r\n"),
    accepted("5.1", "pong", b"GET /ping HTTP/1.1\r\nHOST:a\r\nX:\r\nX:   \r\n\r\n"),
    accepted("RFC 9110, 5.5", "pong", b"GET /ping HTTP/1.1\r\nHost: a\r\nX: a\tb\x80\xff\r\n\r\n"),
    accepted("6", "abc", b"GET /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc"),
    accepted("6.3", "", b"POST /echo HTTP/1.1\r\nHost: a\r\n\r\n"),
    accepted("6.3", "", b"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n"),
    accepted("6.3", "abc", b"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nContent-Length: 3\r\n\r\nabc"),
    accepted("6.3", "abc", b"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 3, 3\r\n\r\nabc"),
    accepted("6.3", "GET", b"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 003\r\n\r\nGET"),
    accepted("7.1", "abc", b"POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"),
    accepted("7.1", "", b"POST /echo HTTP/1.1\r\nHost: a\r\nTRANSFER-ENCODING: CHUNKED\r\n\r\n000\r\n\r\n"),
    accepted("7.1", "0123456789\r\n", b"POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0A\r\n0123456789\r\n2\r\n\r\n\r\n0\r\n\r\n"),
    accepted("7.1.1", "abc", b"POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3;a=\"b\";c\r\nabc\r\n0;d\r\n\r\n"),
    accepted("7.1.2", "abc", b"POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nX: y\r\nContent-Length: 9\r\n\r\n"),
    accepted("9.3", "pong", b"GET /ping HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n"),
    accepted("9.3", "ignored", b"POST /ignore HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc"),
    accepted("9.3", "ignored", b"POST /ignore HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"),
    without_content("6.3", 200, "HEAD", b"HEAD /ping HTTP/1.1\r\nHost: a\r\n\r\n"),
    without_content("6.3", 404, "HEAD", b"HEAD /none HTTP/1.1\r\nHost: a\r\n\r\n"),
    without_content("6.3", 200, "HEAD", b"HEAD /large HTTP/1.1\r\nHost: a\r\n\r\n"),
    without_content("6.3", 204, "GET", b"GET /empty HTTP/1.1\r\nHost: a\r\n\r\n"),
    without_content(
        "RFC 9110, 9.3.7",
        204,
        "OPTIONS",
        b"OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n",
    ),
];

/// Answered, and the connection closed, whatever follows.
const LAST: &[Accepted] = &[
    accepted("9.3", "pong", b"GET /ping HTTP/1.0\r\n\r\n"),
    accepted(
        "9.3",
        "pong",
        b"GET /ping HTTP/1.0\r\nConnection: keep-alive, close\r\n\r\n",
    ),
    accepted(
        "9.6",
        "pong",
        b"GET /ping HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
    ),
    accepted(
        "9.6",
        "pong",
        b"GET /ping HTTP/1.1\r\nHost: a\r\nConnection: x, Close\r\n\r\n",
    ),
    accepted(
        "9.6",
        "pong",
        b"GET /ping HTTP/1.1\r\nHost: a\r\nConnection: x\r\nConnection: close\r\n\r\n",
    ),
    accepted(
        "9.6",
        "abc",
        b"POST /echo HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 3\r\n\r\nabc",
    ),
];

/// Sends every case in every way, and hands each connection to `check`.
fn feed<T>(cases: &[T], bytes: impl Fn(&T) -> &[u8], check: impl Fn(&T, &mut Client)) {
    let server = Running::start(standard());
    for case in cases {
        let stream = [bytes(case), NEXT.as_bytes()].concat();
        for client in &mut send_in_step(&server, &all_cuts(&stream)) {
            check(case, client);
        }
    }
    server.stop();
}

fn name(section: &str, request: &[u8]) -> String {
    format!("{section}: {:?}", String::from_utf8_lossy(request))
}

#[test]
fn what_breaks_a_rule_is_refused_and_nothing_behind_it_is_read() {
    feed(
        REFUSED,
        |case| case.request,
        |case, client| {
            let name = name(case.section, case.request);
            let response = client.try_response("GET");
            let response = response.unwrap_or_else(|failure| panic!("{name}: {failure:?}"));
            assert_eq!(response.status, case.status, "{name}");
            assert_eq!(response.field("Connection"), Some("close"), "{name}");
            client.expect_end();
        },
    );
}

#[test]
fn what_keeps_the_rules_is_answered_and_so_is_what_stands_behind() {
    feed(
        ACCEPTED,
        |case| case.request,
        |case, client| {
            let name = name(case.section, case.request);
            let response = client.try_response(case.method);
            let response = response.unwrap_or_else(|failure| panic!("{name}: {failure:?}"));
            assert_eq!(response.status, case.status, "{name}");
            assert_eq!(response.text(), case.content, "{name}");
            assert_eq!(client.response().text(), "next", "{name}");
            client.expect_silence();
        },
    );
}

#[test]
fn the_last_request_of_a_connection_is_the_last() {
    feed(
        LAST,
        |case| case.request,
        |case, client| {
            let name = name(case.section, case.request);
            let response = client.try_response(case.method);
            let response = response.unwrap_or_else(|failure| panic!("{name}: {failure:?}"));
            assert_eq!(
                (response.status, response.text().as_str()),
                (200, case.content),
                "{name}"
            );
            assert_eq!(response.field("Connection"), Some("close"), "{name}");
            client.expect_end();
        },
    );
}

/// The handler has answered before its content is seen to be broken.
#[test]
fn broken_content_that_no_handler_asks_for_ends_the_connection_too() {
    let broken: &[&[u8]] = &[
        b"x\r\n",
        b"3\r\nabcd\r\n0\r\n\r\n",
        b"3\nabc\r\n0\r\n\r\n",
        b"0\r\n: y\r\n\r\n",
    ];
    let server = Running::start(standard());
    for content in broken {
        let head = "POST /ignore HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
        let stream = [head.as_bytes(), content, NEXT.as_bytes()].concat();
        for client in &mut send_in_step(&server, &all_cuts(&stream)) {
            assert_eq!(client.response().text(), "ignored");
            client.expect_end();
        }
    }
}

#[test]
fn a_request_that_is_not_whole_is_not_answered() {
    let server = Running::start(standard());
    for whole in [get("/ping", ""), get("/echo", "Content-Length: 3\r\n") + "abc"] {
        let starts: Vec<Vec<&[u8]>> = (0..whole.len())
            .map(|end| vec![&whole.as_bytes()[..end]])
            .collect();
        for client in &mut send_in_step(&server, &starts) {
            client.expect_silence();
            client.finish();
            assert_eq!(client.try_response("GET"), Err(Failure::Nothing));
        }
    }
}
