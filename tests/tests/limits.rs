//! What a client cannot do too much of, and what a handler cannot break.

use std::process::{Command, Stdio};

use anglerfish::{Limits, Request, Server};
use system_tests::client::{Client, Failure, PATIENCE, get, request};
use system_tests::process::Program;
use system_tests::server::{Barrier, Running, all_cuts, send_in_step, standard};

const HEAD: usize = 512;

fn limited(change: impl FnOnce(&mut Limits)) -> Running {
    let mut limits = Limits::default();
    change(&mut limits);
    Running::start(standard().limits(limits))
}

/// A request for `/ping` whose head takes `length` bytes, by a long field.
fn long_field(length: usize) -> String {
    let rest = get("/ping", "X: \r\n").len();
    get("/ping", &format!("X: {}\r\n", "y".repeat(length - rest)))
}

/// A request for `/ping` whose request line takes `length` bytes without its line end.
fn long_line(length: usize) -> String {
    let rest = "GET /ping? HTTP/1.1".len();
    get(&format!("/ping?{}", "x".repeat(length - rest)), "")
}

#[test]
fn heads_up_to_the_limit_are_read_and_longer_ones_refused() {
    let server = limited(|limits| limits.head = HEAD);
    for (length, status) in [(HEAD - 1, 200), (HEAD, 200), (HEAD + 1, 431), (3 * HEAD, 431)] {
        let bytes = long_field(length);
        assert_eq!(bytes.len(), length);
        for client in &mut send_in_step(&server, &all_cuts(bytes.as_bytes())) {
            assert_eq!(client.response().status, status, "{length} bytes");
            if status != 200 {
                client.expect_end();
            }
        }
    }
}

#[test]
fn request_lines_beyond_the_limit_are_refused_by_their_own_status() {
    let server = limited(|limits| limits.head = HEAD);
    let whole = |line: usize| long_line(line);
    for (bytes, status) in [
        (whole(HEAD / 2), 200),
        (whole(HEAD - 4), 431),
        (whole(HEAD + 1), 414),
        (whole(4 * HEAD), 414),
    ] {
        for client in &mut send_in_step(&server, &all_cuts(bytes.as_bytes())) {
            assert_eq!(client.response().status, status, "{bytes}");
            if status != 200 {
                client.expect_end();
            }
        }
    }
}

#[test]
fn a_head_without_end_is_refused_when_it_passes_the_limit() {
    let server = limited(|limits| limits.head = HEAD);
    let mut barrier = Barrier::new(&server);
    for (start, status) in [
        ("GET / HTTP/1.1\r\nHost: a\r\nX: ", 431),
        ("GET /", 414),
        ("", 414),
    ] {
        let mut client = server.client();
        client.send(format!("{start}{}", "x".repeat(HEAD - start.len())));
        barrier.wait();
        client.expect_silence();
        client.send("x");
        assert_eq!(client.response().status, status, "{start}");
        client.expect_end();
    }
}

#[test]
fn the_limit_holds_for_each_head_of_a_pipeline() {
    let server = limited(|limits| limits.head = HEAD);
    let mut client = server.client();
    client.send(long_field(HEAD) + &long_field(HEAD) + &long_field(HEAD + 1) + &get("/ping", ""));
    for status in [200, 200, 431] {
        assert_eq!(client.response().status, status);
    }
    client.expect_end();
}

#[test]
fn a_hundred_fields_and_no_more() {
    let server = limited(|_| {});
    for (fields, status) in [(100, 200), (101, 431), (1000, 431)] {
        let mut client = server.client();
        client.send(get("/ping", &"X: y\r\n".repeat(fields - 1)));
        assert_eq!(client.response().status, status, "{fields} fields");
    }
}

#[test]
fn connections_beyond_the_limit_are_turned_away_until_there_is_room() {
    let server = limited(|limits| limits.connections = 4);
    let mut held: Vec<Client> = (0..4).map(|_| server.client()).collect();
    for client in &mut held {
        client.send(get("/ping", ""));
        assert_eq!(client.response().text(), "pong");
    }
    for _ in 0..20 {
        let mut client = server.client();
        let response = client.response();
        assert_eq!((response.status, response.field("Retry-After")), (503, Some("1")));
        assert_eq!(response.field("Connection"), Some("close"));
        client.expect_end();
    }
    for client in &mut held {
        client.send(get("/ping", ""));
        assert_eq!(client.response().text(), "pong");
    }
    let left = held.split_off(3);
    drop(left);
    // The server has seen the end of that connection when it has read what was sent later.
    for _ in 0..2 {
        held[0].send(get("/ping", ""));
        assert_eq!(held[0].response().text(), "pong");
    }
    let mut client = server.client();
    client.send(get("/ping", ""));
    assert_eq!(client.response().text(), "pong");
}

/// A server that has run out of descriptors neither spins nor leaves clients waiting, and recovers.
#[test]
fn running_out_of_descriptors_turns_clients_away() {
    let mut command = Command::new("sh");
    let folder = tempfile::tempdir().expect("a folder");
    command
        .args(["-c", "ulimit -n 48 && exec \"$0\" \"$@\""])
        .arg(system_tests::anglerfish());
    command
        .args(["--listen", "127.0.0.1:0", "--workers", "1"])
        .arg(folder.path());
    // Its complaints are many, and expected.
    command.stderr(Stdio::null());
    let program = Program::spawn(command);
    let mut held = Vec::new();
    let mut refused = 0;
    for _ in 0..100 {
        let mut client = program.client();
        client.send(get("/", ""));
        match client.try_response("GET") {
            Ok(response) if response.status == 503 => refused += 1,
            Ok(_) => held.push(client),
            // The answer to a client that had sent already can be lost to a reset.
            Err(Failure::Nothing) => refused += 1,
            Err(failure) => panic!("{failure:?}"),
        }
    }
    assert!(
        held.len() > 20 && refused > 40,
        "{} held, {refused} refused",
        held.len()
    );
    held.truncate(5);
    let begin = std::time::Instant::now();
    loop {
        let mut client = program.client();
        client.send(get("/", ""));
        if client
            .try_response("GET")
            .is_ok_and(|response| response.status == 404)
        {
            break;
        }
        assert!(begin.elapsed() < PATIENCE, "the server does not recover");
    }
}

#[test]
fn a_handler_that_panics_is_an_error_of_one_request() {
    let server = limited(|_| {});
    let mut other = server.client();
    other.send("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nab");
    for _ in 0..50 {
        let mut client = server.client();
        client.send(get("/ping", "") + &get("/panic", "") + &get("/ping", ""));
        assert_eq!(client.response().text(), "pong");
        let response = client.response();
        assert_eq!(
            (response.status, response.field("Connection")),
            (500, Some("close"))
        );
        client.expect_end();
    }
    other.send("cd");
    assert_eq!(other.response().text(), "abcd");
}

/// The cases that lwan's trie gets wrong, and encodings that would pass beside a route.
#[test]
fn the_longest_path_at_a_slash_answers() {
    fn answers(name: &'static str) -> impl Fn(&mut Request<'_>) -> String + Send + Sync + 'static {
        move |request| format!("{name} {}", request.tail())
    }
    let server = Running::start(
        Server::builder()
            .workers(1)
            .route("/a", answers("a"))
            .route("/static", answers("static"))
            .route("/static/deep/", answers("deep"))
            .route("/admin", answers("admin"))
            .route("/hello", answers("hello"))
            .route("/", answers("root")),
    );
    let mut client = server.client();
    for (target, answer) in [
        ("/a", "a "),
        ("/a/", "a /"),
        ("/a/index.html", "a /index.html"),
        ("/a?/static", "a "),
        ("/ab", "root /ab"),
        ("/index.html", "root /index.html"),
        ("/1", "root /1"),
        ("/i", "root /i"),
        ("/quux", "root /quux"),
        ("/static/cdadac/x", "static /cdadac/x"),
        ("/statics", "root /statics"),
        ("/static/deep", "static /deep"),
        ("/static/deep/x", "deep /x"),
        ("/pmddg", "root /pmddg"),
        ("/xello", "root /xello"),
        ("/helloworld", "root /helloworld"),
        ("/hell", "root /hell"),
        ("/%61dmin", "admin "),
        ("/%61%64%6D%69%6e/x", "admin /x"),
        ("//admin", "admin "),
        ("/static//deep///x", "deep /x"),
        ("/admin%2fx", "root /admin%2Fx"),
        ("/", "root /"),
        ("http://other/admin/x", "admin /x"),
    ] {
        client.send(get(target, ""));
        assert_eq!(client.response().text(), answer, "{target}");
    }
    let without_root = Running::start(standard());
    let mut client = without_root.client();
    for target in ["/", "/pin", "/pings", "/1", "/pmddg"] {
        client.send(request("GET", target, ""));
        assert_eq!(client.response().status, 404, "{target}");
    }
}

#[test]
fn settings_out_of_range_are_named() {
    let refusal = |change: fn(&mut Limits)| {
        let mut limits = Limits::default();
        change(&mut limits);
        Server::builder()
            .limits(limits)
            .build()
            .expect_err("out of range")
            .to_string()
    };
    assert_eq!(
        refusal(|limits| limits.head = 511),
        "limits.head is 511, but must be 512 to 1048576"
    );
    assert!(refusal(|limits| limits.stack = 1).starts_with("limits.stack is 1, "));
    assert!(refusal(|limits| limits.connections = 0).starts_with("limits.connections is 0, "));
    let workers = Server::builder()
        .workers(0)
        .build()
        .expect_err("out of range")
        .to_string();
    assert_eq!(workers, "workers is 0, but must be 1 to 1024");
}
