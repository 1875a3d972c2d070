//! Content that comes with requests.

use std::thread;
use std::time::{Duration, Instant};

use anglerfish::{BodyError, Limits, Request, Timeouts};
use system_tests::client::{Failure, get, post, post_chunked, request};
use system_tests::server::{Barrier, Running, pattern, send_in_step, standard};

const NEXT: &str = "GET /next HTTP/1.1\r\nHost: test\r\n\r\n";

fn limited(limit: u64) -> Running {
    let mut limits = Limits::default();
    limits.body = limit;
    Running::start(standard().limits(limits))
}

/// Reads in small pieces, and says how many bytes there were and what their sum is.
fn count(request: &mut Request<'_>) -> Result<String, BodyError> {
    let (mut length, mut sum, mut buffer) = (0, 0u64, [0; 7]);
    loop {
        match request.body().read(&mut buffer)? {
            0 => return Ok(format!("{length} {sum}")),
            count => {
                length += count;
                sum += buffer[..count].iter().map(|&byte| u64::from(byte)).sum::<u64>();
            }
        }
    }
}

#[test]
fn content_of_many_sizes_comes_back_whole() {
    let server = Running::start(standard());
    let mut client = server.client();
    for size in [
        0,
        1,
        2,
        100,
        4095,
        4096,
        4097,
        8191,
        16384,
        65535,
        65536,
        65537,
        300_000,
        1024 * 1024,
    ] {
        let content = pattern(size);
        let chunk = size / 7 + 1;
        for bytes in [
            post("/echo", &content),
            post_chunked("/echo", content.chunks(chunk)),
        ] {
            let sender = client.send_beside([&bytes, NEXT.as_bytes()].concat());
            assert!(client.response().body == content, "{size} bytes");
            assert_eq!(client.response().text(), "next");
            sender.join().expect("no panic").expect("all is sent");
        }
    }
    client.expect_silence();
}

#[test]
fn content_in_pieces_comes_back_whole() {
    let server = Running::start(standard());
    let content = pattern(20_000);
    let lengths = post("/echo", &content);
    let chunked = post_chunked("/echo", content.chunks(777));
    let head = lengths.len() - content.len();
    let streams: Vec<Vec<&[u8]>> = vec![
        lengths.chunks(999).collect(),
        chunked.chunks(999).collect(),
        chunked.chunks(4096).collect(),
        vec![&lengths[..head], &lengths[head..]],
        vec![&lengths[..head + 1], &lengths[head + 1..]],
        vec![&lengths[..lengths.len() - 1], &lengths[lengths.len() - 1..]],
        vec![&chunked[..chunked.len() - 1], &chunked[chunked.len() - 1..]],
    ];
    for client in &mut send_in_step(&server, &streams) {
        assert!(client.response().body == content);
        client.send(NEXT);
        assert_eq!(client.response().text(), "next");
    }
}

#[test]
fn chunks_of_one_byte_and_a_handler_that_reads_seven() {
    let server = Running::start(standard().route("/count", count));
    let content = pattern(5000);
    let sum: u64 = content.iter().map(|&byte| u64::from(byte)).sum();
    let mut client = server.client();
    for bytes in [
        post_chunked("/count", content.chunks(1)),
        post("/count", &content),
    ] {
        client.send(bytes);
        client.send(NEXT);
        assert_eq!(client.response().text(), format!("5000 {sum}"));
        assert_eq!(client.response().text(), "next");
    }
}

#[test]
fn two_clients_send_at_the_same_time() {
    let server = Running::start(standard());
    let (a, b) = (
        post("/echo", &pattern(3000)),
        post_chunked("/echo", [b"other".as_slice()]),
    );
    let streams: Vec<Vec<&[u8]>> = vec![
        vec![&a[..1000], &a[1000..2000], b"", &a[2000..]],
        vec![&b[..b.len() - 3], b"", &b[b.len() - 3..]],
    ];
    let mut clients = send_in_step(&server, &streams);
    assert_eq!(clients[1].response().text(), "other");
    assert!(clients[0].response().body == pattern(3000));
}

#[test]
fn content_up_to_the_limit_is_taken_and_no_more() {
    const LIMIT: usize = 10_000;
    let server = limited(LIMIT as u64);
    for size in [LIMIT - 1, LIMIT] {
        let content = pattern(size);
        for bytes in [
            post("/echo", &content),
            post_chunked("/echo", content.chunks(1000)),
        ] {
            let mut client = server.client();
            client.send(bytes);
            assert!(client.response().body == content, "{size} bytes");
        }
    }
    let content = pattern(LIMIT + 1);
    for bytes in [
        post("/echo", &content),
        post_chunked("/echo", content.chunks(1000)),
        post_chunked("/echo", [&content[..]]),
    ] {
        let mut client = server.client();
        client.send([&bytes, NEXT.as_bytes()].concat());
        let response = client.response();
        assert_eq!(
            (response.status, response.field("Connection")),
            (413, Some("close"))
        );
        client.expect_end();
    }
    // What is announced is refused before it is sent.
    let mut client = server.client();
    client.send(request(
        "POST",
        "/echo",
        &format!("Content-Length: {}\r\n", LIMIT + 1),
    ));
    assert_eq!(client.response().status, 413);
    client.expect_clean_end();
}

/// A client that sends all before it reads must see the answer, not a reset.
#[test]
fn a_refusal_reaches_a_client_that_is_still_sending() {
    let server = limited(10_000);
    let content = pattern(3_000_000);
    for target in ["/echo", "/ignore"] {
        for bytes in [
            post(target, &content),
            post_chunked(target, content.chunks(64 * 1024)),
        ] {
            let mut client = server.client();
            let sender = client.send_beside(bytes);
            sender.join().expect("no panic").expect("all is sent");
            client.finish();
            let status = client.response().status;
            assert!(
                status == 413 || (status == 200 && target == "/ignore"),
                "{status}"
            );
            client.expect_clean_end();
        }
    }
}

#[test]
fn content_that_no_handler_reads_is_skipped_or_ends_the_connection() {
    let server = Running::start(standard());
    for size in [1, 1000, 30_000, 64 * 1024] {
        let content = pattern(size);
        for bytes in [
            post("/ignore", &content),
            post_chunked("/ignore", content.chunks(5000)),
        ] {
            let mut client = server.client();
            client.send([&bytes, NEXT.as_bytes()].concat());
            assert_eq!(client.response().text(), "ignored");
            assert_eq!(client.response().text(), "next", "{size} bytes");
        }
    }
    let content = pattern(200_000);
    for bytes in [
        post("/ignore", &content),
        post_chunked("/ignore", content.chunks(5000)),
    ] {
        let mut client = server.client();
        let sender = client.send_beside([&bytes, NEXT.as_bytes()].concat());
        assert_eq!(client.response().text(), "ignored");
        client.expect_end();
        // The server may have closed before it was all sent.
        let _outcome = sender.join().expect("no panic");
    }
}

#[test]
fn a_client_that_waits_is_told_to_go_on() {
    let server = Running::start(standard());
    for content in [b"abc".as_slice(), &pattern(200_000)] {
        let expectation = format!("Expect: 100-continue\r\nContent-Length: {}\r\n", content.len());
        let mut client = server.client();
        client.send(request("POST", "/echo", &expectation));
        let interim = client.try_head().expect("an interim response");
        assert_eq!((interim.status, interim.fields.len()), (100, 0));
        let sender = client.send_beside([content, NEXT.as_bytes()].concat());
        assert!(client.response().body == content);
        assert_eq!(client.response().text(), "next");
        sender.join().expect("no panic").expect("all is sent");
    }
}

#[test]
fn a_response_before_an_interim_response_leaves_before_it() {
    let server = Running::start(standard());
    let mut client = server.client();
    client.send(
        get("/ping", "")
            + &request(
                "POST",
                "/echo",
                "Expect: 100-Continue\r\nTransfer-Encoding: chunked\r\n",
            ),
    );
    assert_eq!(client.response().text(), "pong");
    assert_eq!(client.try_head().expect("an interim response").status, 100);
    client.send("1\r\nx\r\n0\r\n\r\n");
    assert_eq!(client.response().text(), "x");
}

#[test]
fn no_interim_response_where_none_is_needed() {
    let server = limited(1000);
    // Nothing to wait for; sent already; a client that does not know them.
    let mut client = server.client();
    client.send(request(
        "POST",
        "/echo",
        "Expect: 100-continue\r\nContent-Length: 0\r\n",
    ));
    assert_eq!(client.response().status, 200);
    client.send(request("POST", "/echo", "Expect: 100-continue\r\nContent-Length: 3\r\n") + "abc");
    assert_eq!(client.response().text(), "abc");
    client.send(
        "POST /echo HTTP/1.0\r\nConnection: keep-alive\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n",
    );
    client.send("abc");
    assert_eq!(client.response().text(), "abc");
    // The final status at once: refused, or not wanted. What follows may be content or a request, so nothing can follow.
    for (target, length, status) in [("/echo", 1001, 413), ("/ignore", 3, 200), ("/none", 3, 404)] {
        let mut client = server.client();
        client.send(request(
            "POST",
            target,
            &format!("Expect: 100-continue\r\nContent-Length: {length}\r\n"),
        ));
        let response = client.response();
        assert_eq!(
            (response.status, response.field("Connection")),
            (status, Some("close"))
        );
        client.expect_clean_end();
    }
}

#[test]
fn chunk_lines_and_trailers_are_bounded() {
    let server = Running::start(standard());
    let framed = |content: &str| request("POST", "/echo", "Transfer-Encoding: chunked\r\n") + content;
    let extension = |length: usize| format!("1;{}\r\nx\r\n0\r\n\r\n", "e".repeat(length));
    let trailers = |count: usize| format!("1\r\nx\r\n0\r\n{}\r\n", "X: y\r\n".repeat(count));
    for (content, status) in [
        (extension(1000), 200),
        (extension(2000), 400),
        (trailers(1000), 200),
        (trailers(2000), 400),
    ] {
        let mut client = server.client();
        client.send(framed(&content));
        assert_eq!(client.response().status, status);
    }
}

#[test]
fn content_that_does_not_come_in_time_is_given_up() {
    let (mut timeouts, mut limits) = (Timeouts::default(), Limits::default());
    timeouts.body = Duration::from_millis(300);
    limits.min_rate = 1 << 30;
    let server = Running::start(standard().timeouts(timeouts).limits(limits));
    for framing in [
        "Content-Length: 100\r\n\r\nabc",
        "Transfer-Encoding: chunked\r\n\r\n64\r\nabc",
    ] {
        let mut client = server.client();
        let begin = Instant::now();
        client.send(format!("POST /echo HTTP/1.1\r\nHost: a\r\n{framing}"));
        // One byte at a time does not help.
        for _ in 0..10 {
            thread::sleep(Duration::from_millis(50));
            client.send("x");
        }
        let response = client.response();
        assert_eq!(
            (response.status, response.field("Connection")),
            (408, Some("close"))
        );
        assert!(begin.elapsed() >= Duration::from_millis(300));
        client.expect_end();
    }
}

#[test]
fn content_that_keeps_coming_is_waited_for() {
    let (mut timeouts, mut limits) = (Timeouts::default(), Limits::default());
    timeouts.body = Duration::from_millis(400);
    limits.min_rate = 1000;
    let server = Running::start(standard().timeouts(timeouts).limits(limits));
    let content = pattern(10_000);
    let bytes = post("/echo", &content);
    let mut client = server.client();
    for piece in bytes.chunks(1000) {
        client.send(piece);
        thread::sleep(Duration::from_millis(100));
    }
    assert!(client.response().body == content);
}

#[test]
fn a_client_that_leaves_disturbs_no_other() {
    let server = Running::start(standard());
    let mut barrier = Barrier::new(&server);
    for start in [
        "Content-Length: 100\r\n\r\nabc",
        "Transfer-Encoding: chunked\r\n\r\n64\r\nabc",
        "Transfer-Encoding: chunked\r\n\r\n64\r",
    ] {
        let mut client = server.client();
        client.send(format!("POST /echo HTTP/1.1\r\nHost: a\r\n{start}"));
        barrier.wait();
        client.finish();
        // There may be an answer, but not one that takes the content for whole.
        match client.try_response("POST") {
            Ok(response) => assert_eq!(response.status, 400),
            Err(failure) => assert_eq!(failure, Failure::Nothing),
        }
        drop(client);
        barrier.wait();
    }
}
