//! Every phase of a connection ends in time, whatever its client does, and nobody else waits for it.
//!
//! Nothing here is late: a deadline is tested by what it leads to, and by the time that must have passed before.

use std::fs;
use std::thread;
use std::time::{Duration, Instant};

use anglerfish::{Limits, Request, Response, Timeouts};
use system_tests::client::{Client, Failure, PATIENCE, get};
use system_tests::process::{Program, raise_file_limit};
use system_tests::server::{Running, pattern, standard};

const SHORT: Duration = Duration::from_millis(300);

fn with_timeouts(change: impl FnOnce(&mut Timeouts)) -> Running {
    let mut timeouts = Timeouts::default();
    change(&mut timeouts);
    Running::start(standard().timeouts(timeouts))
}

fn expect_service(server: &Running) {
    let mut client = server.client();
    client.send(get("/ping", ""));
    assert_eq!(client.response().text(), "pong");
}

#[test]
fn a_head_that_stops_is_cut() {
    let server = with_timeouts(|timeouts| timeouts.head = SHORT);
    for start in [
        "G",
        "\r",
        "GET / HTTP/1.1\r\nHost: a\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\n\r",
    ] {
        let mut client = server.client();
        let begin = Instant::now();
        client.send(start);
        expect_service(&server);
        let response = client.response();
        assert!(
            begin.elapsed() >= SHORT,
            "{start:?} is cut after {:?}",
            begin.elapsed()
        );
        assert_eq!(
            (response.status, response.field("Connection")),
            (408, Some("close"))
        );
        client.expect_end();
    }
}

#[test]
fn a_head_behind_a_response_has_a_deadline_of_its_own() {
    let server = with_timeouts(|timeouts| timeouts.head = SHORT);
    let mut client = server.client();
    client.send(get("/ping", "") + "GET / HT");
    assert_eq!(client.response().text(), "pong");
    assert_eq!(client.response().status, 408);
    client.expect_end();
}

#[test]
fn a_byte_now_and_then_does_not_extend_the_deadline_of_a_head() {
    let server = with_timeouts(|timeouts| timeouts.head = SHORT);
    let mut client = server.client();
    let request = get("/ping", "");
    let pause = 3 * SHORT / u32::try_from(request.len()).expect("a short request");
    for byte in request.bytes() {
        client.send([byte]);
        thread::sleep(pause);
    }
    assert_eq!(client.response().status, 408);
    client.expect_end();
}

#[test]
fn idle_connections_are_closed_without_a_word() {
    let server = with_timeouts(|timeouts| timeouts.idle = SHORT);
    let begin = Instant::now();
    let mut fresh = server.client();
    assert_eq!(fresh.try_response("GET"), Err(Failure::Nothing));
    assert!(begin.elapsed() >= SHORT);
    let mut used = server.client();
    let begin = Instant::now();
    used.send(get("/ping", ""));
    assert_eq!(used.response().text(), "pong");
    used.expect_clean_end();
    assert!(begin.elapsed() >= SHORT);
}

#[test]
fn each_request_gives_an_idle_connection_its_whole_time_again() {
    let server = with_timeouts(|timeouts| timeouts.idle = Duration::from_secs(2));
    let mut client = server.client();
    for _ in 0..10 {
        client.send(get("/ping", ""));
        assert_eq!(client.response().text(), "pong");
        thread::sleep(Duration::from_millis(260));
    }
    client.expect_silence();
}

/// A response of 30 MB from memory, and one from a file.
#[test]
fn a_reader_that_stops_is_cut() {
    let folder = tempfile::tempdir().expect("a folder");
    let size = 30_000_000;
    fs::write(folder.path().join("file"), pattern(size)).expect("a file");
    for target in ["/memory", "/files/file"] {
        let (mut timeouts, mut limits) = (Timeouts::default(), Limits::default());
        timeouts.write = SHORT;
        limits.min_rate = 1 << 40;
        limits.connections = 2;
        let server = Running::start(
            standard()
                .timeouts(timeouts)
                .limits(limits)
                .route("/files", anglerfish::Files::new(folder.path()).expect("a folder"))
                .route("/memory", move |_: &mut Request<'_>| {
                    Response::bytes(vec![b'x'; size])
                }),
        );
        let mut good = server.client();
        good.send(get("/ping", ""));
        assert_eq!(good.response().text(), "pong");
        let begin = Instant::now();
        let mut stuck = Client::connect_narrow(server.address(), 4096);
        stuck.send(get(target, "") + &get("/ping", ""));
        let head = stuck.try_head().expect("a head");
        assert_eq!(head.field("Content-Length"), Some("30000000"));
        // There is room for two: a third one is served when the stuck one is gone.
        loop {
            good.send(get("/ping", ""));
            assert_eq!(good.response().text(), "pong");
            let mut third = server.client();
            third.send(get("/ping", ""));
            match third.try_response("GET") {
                Ok(response) if response.status == 200 => break,
                _ => assert!(begin.elapsed() < PATIENCE, "the stuck reader is never cut"),
            }
            thread::sleep(Duration::from_millis(10));
        }
        assert!(begin.elapsed() >= SHORT);
        let mut received = stuck.received().len();
        stuck.take(received).expect("what is there");
        loop {
            let count = stuck.read_some(1 << 20).len();
            received += count;
            if count == 0 {
                break;
            }
        }
        assert!(received < size, "{received} bytes came");
    }
}

#[test]
fn a_reader_that_is_slow_but_reads_is_waited_for() {
    let (mut timeouts, mut limits) = (Timeouts::default(), Limits::default());
    timeouts.write = Duration::from_millis(500);
    limits.min_rate = 1_000_000;
    let size = 12_000_000;
    let server = Running::start(
        standard()
            .timeouts(timeouts)
            .limits(limits)
            .route("/memory", move |_: &mut Request<'_>| {
                Response::bytes(pattern(size))
            }),
    );
    let mut client = Client::connect_narrow(server.address(), 64 * 1024);
    client.send(get("/memory", ""));
    client.try_head().expect("a head");
    let begin = Instant::now();
    let mut content = Vec::new();
    // Far above the rate that is asked for, and longer than the time that is given without it.
    while content.len() < size {
        let piece = client.read_some((size - content.len()).min(150_000));
        assert!(
            !piece.is_empty(),
            "cut after {} bytes and {:?}",
            content.len(),
            begin.elapsed()
        );
        content.extend_from_slice(&piece);
        thread::sleep(Duration::from_millis(5));
    }
    assert!(content == pattern(size));
}

#[test]
fn two_thousand_slow_heads_cost_little_and_are_all_cut() {
    let clients = raise_file_limit().min(2000);
    let folder = tempfile::tempdir().expect("a folder");
    let config = folder.path().join("config.toml");
    fs::write(
        &config,
        "workers = 1\ntimeouts.head = 3\n[[route]]\npath = \"/\"\ntext = \"served\"\n",
    )
    .expect("a file");
    let program = Program::start(["--config".as_ref(), config.as_os_str()]);
    let mut good = program.client();
    let mut ask = move || {
        let begin = Instant::now();
        good.send(get("/", ""));
        assert_eq!(good.response().text(), "served");
        begin.elapsed()
    };
    for _ in 0..100 {
        ask();
    }
    let before = program.anonymous_memory();
    let begin = Instant::now();
    let mut slow: Vec<Client> = Vec::with_capacity(clients);
    let mut worst = Duration::ZERO;
    for number in 0..clients {
        let mut client = program.client();
        client.send(format!("GET / HTTP/1.1\r\nHost: a\r\nX: {number}"));
        slow.push(client);
        if number % 100 == 0 {
            worst = worst.max(ask());
        }
    }
    // Byte by byte for as long as the deadline leaves.
    while begin.elapsed() < Duration::from_secs(2) {
        for client in &mut slow {
            client.send("y");
        }
        worst = worst.max(ask());
    }
    let grown = program.anonymous_memory().saturating_sub(before);
    assert!(
        grown < clients as u64 * 2048 + (1 << 20),
        "{grown} bytes for {clients} clients"
    );
    for client in &mut slow {
        assert_eq!(client.response().status, 408);
        client.expect_end();
        // One that is served all the time is not among those.
    }
    assert!(
        worst < Duration::from_secs(2),
        "a good client waited for {worst:?}"
    );
    ask();
}
