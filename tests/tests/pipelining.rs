//! Requests that do not wait for the response before them: each is answered once, in order, however they are cut.

use std::fs;

use anglerfish::Files;
use system_tests::client::{Client, Failure, get, post, post_chunked, request};
use system_tests::server::{Running, all_cuts, large, pattern, send_in_step, standard};
use tempfile::TempDir;

/// A request and what must come back.
#[derive(Clone)]
struct Exchange {
    request: Vec<u8>,
    method: &'static str,
    status: u16,
    content: Vec<u8>,
}

impl Exchange {
    fn new(
        method: &'static str,
        status: u16,
        request: impl Into<Vec<u8>>,
        content: impl Into<Vec<u8>>,
    ) -> Self {
        Self {
            request: request.into(),
            method,
            status,
            content: content.into(),
        }
    }
}

/// A server with files, and one exchange of each kind.
fn mixed() -> (TempDir, Running, Vec<Exchange>) {
    let folder = tempfile::tempdir().expect("a folder");
    let (small, file) = (pattern(1000), pattern(150_000));
    fs::write(folder.path().join("small"), &small).expect("a file");
    fs::write(folder.path().join("large"), &file).expect("a file");
    let files = Files::new(folder.path()).expect("a folder");
    let server = Running::start(standard().route("/files", files));
    let range = get("/files/large", "Range: bytes=70000-70009\r\n");
    let kinds = vec![
        Exchange::new("GET", 200, get("/ping", ""), "pong"),
        Exchange::new("HEAD", 200, request("HEAD", "/large", ""), ""),
        Exchange::new(
            "POST",
            200,
            post("/echo", b"three words here"),
            "three words here",
        ),
        Exchange::new(
            "GET",
            404,
            get("/none", ""),
            "<!doctype html>\n<title>404 Not Found</title>\n<h1>404 Not Found</h1>\n",
        ),
        Exchange::new("GET", 200, get("/files/large", ""), file.as_slice()),
        Exchange::new("GET", 204, get("/empty", ""), ""),
        Exchange::new(
            "POST",
            200,
            post_chunked("/echo", [b"in ".as_slice(), b"two"]),
            "in two",
        ),
        Exchange::new("GET", 200, get("/files/small", ""), small),
        Exchange::new("POST", 200, post("/ignore", &pattern(5000)), "ignored"),
        Exchange::new("HEAD", 200, request("HEAD", "/files/large", ""), ""),
        Exchange::new("GET", 206, range, &file[70_000..70_010]),
        Exchange::new("GET", 200, get("/large", ""), large()),
        Exchange::new(
            "POST",
            405,
            post("/files/small", b"x"),
            "<!doctype html>\n<title>405 Method Not Allowed</title>\n<h1>405 Method Not Allowed</h1>\n",
        ),
        Exchange::new("POST", 200, post("/echo", &file), file.as_slice()),
        Exchange::new(
            "POST",
            200,
            post_chunked("/echo", file.chunks(3333)),
            file.as_slice(),
        ),
    ];
    (folder, server, kinds)
}

fn stream(exchanges: &[Exchange]) -> Vec<u8> {
    exchanges
        .iter()
        .flat_map(|exchange| exchange.request.clone())
        .collect()
}

fn expect(client: &mut Client, exchanges: &[Exchange]) {
    for (at, exchange) in exchanges.iter().enumerate() {
        let what = String::from_utf8_lossy(&exchange.request[..exchange.request.len().min(60)]);
        let response = client.try_response(exchange.method);
        let response = response.unwrap_or_else(|failure| panic!("response {at} to {what:?}: {failure:?}"));
        assert_eq!(response.status, exchange.status, "response {at} to {what:?}");
        assert!(
            response.body == exchange.content,
            "wrong content in response {at} to {what:?}"
        );
    }
}

#[test]
fn mixed_requests_in_one_write() {
    let (_folder, server, kinds) = mixed();
    for count in [2, 3, 5, 16, 64] {
        for first in 0..kinds.len() {
            let exchanges: Vec<_> = kinds.iter().cycle().skip(first).take(count).cloned().collect();
            let mut client = server.client();
            let sender = client.send_beside(stream(&exchanges));
            expect(&mut client, &exchanges);
            sender.join().expect("no panic").expect("all is sent");
            client.expect_silence();
            if count == 64 && first >= 2 {
                break;
            }
        }
    }
}

#[test]
fn mixed_requests_byte_by_byte() {
    let (_folder, server, kinds) = mixed();
    let exchanges: Vec<_> = kinds
        .into_iter()
        .filter(|kind| kind.request.len() < 500)
        .collect();
    let bytes = stream(&exchanges);
    for client in &mut send_in_step(&server, &[bytes.chunks(1).collect(), bytes.chunks(3).collect()]) {
        expect(client, &exchanges);
        client.expect_silence();
    }
}

#[test]
fn a_short_pipeline_cut_at_every_place() {
    let server = Running::start(standard());
    let exchanges = [
        Exchange::new("GET", 200, get("/ping", ""), "pong"),
        Exchange::new("POST", 200, post("/echo", b"abc"), "abc"),
        Exchange::new("HEAD", 404, request("HEAD", "/none", ""), ""),
        Exchange::new(
            "POST",
            200,
            post_chunked("/echo", [b"ab".as_slice(), b"c"]),
            "abc",
        ),
        Exchange::new("POST", 200, post("/ignore", b"GET /"), "ignored"),
        Exchange::new("GET", 200, get("/next", ""), "next"),
    ];
    let bytes = stream(&exchanges);
    for client in &mut send_in_step(&server, &all_cuts(&bytes)) {
        expect(client, &exchanges);
        client.expect_silence();
    }
}

#[test]
fn a_pipeline_far_longer_than_one_read() {
    let server = Running::start(standard());
    let exchanges: Vec<_> = (0..6000)
        .map(|number| {
            if number % 5 < 2 {
                return Exchange::new("HEAD", 200, request("HEAD", &format!("/show?{number}"), ""), "");
            }
            let answer = format!("GET /show  Some(\"{number}\")");
            Exchange::new("GET", 200, get(&format!("/show?{number}"), ""), answer)
        })
        .collect();
    let bytes = stream(&exchanges);
    assert!(bytes.len() > 3 * 64 * 1024);
    let mut client = server.client();
    let sender = client.send_beside(bytes);
    expect(&mut client, &exchanges);
    sender.join().expect("no panic").expect("all is sent");
    client.expect_silence();
}

/// Responses pile up at a client that does not read: the server must neither lose one nor hold them all.
#[test]
fn responses_wait_for_their_reader() {
    let server = Running::start(standard());
    let exchanges = vec![Exchange::new("GET", 200, get("/large", ""), large()); 60];
    let mut client = Client::connect_narrow(server.address(), 4096);
    client.send(stream(&exchanges));
    // Others are served meanwhile.
    let mut other = server.client();
    other.send(get("/ping", ""));
    assert_eq!(other.response().text(), "pong");
    expect(&mut client, &exchanges);
    client.expect_silence();
}

#[test]
fn a_client_that_only_listens_gets_all_its_responses() {
    let (_folder, server, kinds) = mixed();
    let mut client = server.client();
    let sender = client.send_beside(stream(&kinds));
    sender.join().expect("no panic").expect("all is sent");
    client.finish();
    expect(&mut client, &kinds);
    client.expect_clean_end();
}

#[test]
fn a_client_that_only_listens_and_has_not_finished_its_last_request() {
    let server = Running::start(standard());
    let mut client = server.client();
    client.send(get("/ping", "") + &get("/next", "") + "GET /ping HTTP/1.1\r\n");
    client.finish();
    assert_eq!(client.response().text(), "pong");
    assert_eq!(client.response().text(), "next");
    assert_eq!(client.try_response("GET"), Err(Failure::Nothing));
}
