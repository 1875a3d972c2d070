//! A server that is stopped: nothing that was asked for is lost or broken, nothing new begins, and it ends in time.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Barrier as Meeting};
use std::thread;
use std::time::{Duration, Instant};

use anglerfish::{Request, Response, Timeouts};
use system_tests::client::{Client, Failure, PATIENCE, get, post};
use system_tests::server::{Barrier, Running, large, pattern, standard};

#[test]
fn idle_connections_end_and_nobody_listens_any_more() {
    let server = Running::start(standard());
    let address = server.address();
    let mut clients: Vec<Client> = (0..100).map(|_| server.client()).collect();
    for client in clients.iter_mut().skip(50) {
        client.send(get("/ping", ""));
        assert_eq!(client.response().text(), "pong");
    }
    let took = server.stop();
    for client in &mut clients {
        client.expect_clean_end();
    }
    assert!(
        took < Duration::from_secs(8),
        "idle connections hold the server up for {took:?}"
    );
    assert!(Client::try_connect(address).is_err(), "somebody still listens");
}

#[test]
fn requests_under_way_are_finished_and_are_the_last() {
    let server = Running::start(standard());
    let mut barrier = Barrier::new(&server);
    let (mut body, mut head, mut reader) = (
        server.client(),
        server.client(),
        Client::connect_narrow(server.address(), 4096),
    );
    let content = pattern(1000);
    let upload = post("/echo", &content);
    body.send(&upload[..500]);
    head.send("GET /next HTTP/1.1\r\nHo");
    reader.send(get("/large", "").repeat(20));
    barrier.wait();
    let stop = server.stop_handle();
    let stopping = thread::spawn(move || server.stop());
    // The idle connection ends when the worker knows that it stops.
    while barrier.try_wait() {
        thread::sleep(Duration::from_millis(5));
    }
    body.send(&upload[500..]);
    body.send(get("/ping", ""));
    let response = body.response();
    assert_eq!(
        (response.status, response.field("Connection")),
        (200, Some("close"))
    );
    assert!(response.body == content);
    body.expect_end();
    head.send("st: test\r\n\r\n");
    let response = head.response();
    assert_eq!(
        (response.text().as_str(), response.field("Connection")),
        ("next", Some("close"))
    );
    head.expect_clean_end();
    // The requests behind the one that is under way are not answered; nothing that is begun is cut.
    let mut answers = 0;
    loop {
        match reader.try_response("GET") {
            Ok(response) => {
                assert!(response.body == large());
                answers += 1;
                if response.field("Connection") == Some("close") {
                    reader.expect_end();
                    break;
                }
            }
            Err(failure) => panic!("after {answers} answers: {failure:?}"),
        }
    }
    stop.stop();
    stopping.join().expect("the server ends");
}

/// What a client has sent before the server was stopped is answered, though the server has not read it yet, and though
/// it has not even accepted the connection.
#[test]
fn what_was_sent_before_is_answered() {
    // As many as may queue at a listener, and more than one turn takes from it.
    let queue = std::fs::read_to_string("/proc/sys/net/core/somaxconn").expect("a limit");
    let each = queue.trim().parse::<usize>().expect("a number").min(600);
    // Twice as many connections, with both ends in this process.
    let each = each.min(system_tests::process::raise_file_limit() / 4);
    let (entered, release) = (Arc::new(Meeting::new(2)), Arc::new(Meeting::new(2)));
    let (enter, leave) = (Arc::clone(&entered), Arc::clone(&release));
    let server = Running::start(standard().route("/block", move |_: &mut Request<'_>| {
        enter.wait();
        leave.wait();
        "released"
    }));
    let mut clients: Vec<Client> = (0..each).map(|_| server.client()).collect();
    Barrier::new(&server).wait();
    let mut blocker = server.client();
    blocker.send(get("/block", ""));
    entered.wait();
    // The worker stands still from here on.
    clients.extend((0..each).map(|_| server.client()));
    for client in &mut clients {
        client.send(get("/ping", "") + &get("/next", ""));
    }
    server.stop_handle().stop();
    release.wait();
    assert_eq!(blocker.response().text(), "released");
    for (number, client) in clients.iter_mut().enumerate() {
        let response = client.try_response("GET");
        let response = response.unwrap_or_else(|failure| panic!("client {number}: {failure:?}"));
        assert_eq!(response.text(), "pong");
        // The worker may have read those first in its queue before it saw that it stops.
        if response.field("Connection") != Some("close") {
            assert_eq!(client.response().text(), "next");
        }
        client.expect_end();
    }
    server.stop();
}

#[test]
fn under_load_no_answer_is_broken() {
    for workers in [1, 2] {
        let server = Running::start(standard().workers(workers));
        let address = server.address();
        let (stopped, answered) = (AtomicBool::new(false), AtomicUsize::new(0));
        thread::scope(|scope| {
            for number in 0..8 {
                let (stopped, answered) = (&stopped, &answered);
                scope.spawn(move || {
                    let kinds: [(String, Vec<u8>); 3] = [
                        (get("/ping", ""), b"pong".to_vec()),
                        (get("/large", ""), large()),
                        (get("/ping", "") + &get("/next", ""), b"pong".to_vec()),
                    ];
                    let (request, content) = &kinds[number % 3];
                    while let Ok(mut client) = Client::try_connect(address) {
                        loop {
                            client.send(request);
                            match client.try_response("GET") {
                                Ok(response) => {
                                    assert!(response.status == 200 && response.body == *content);
                                    answered.fetch_add(1, Ordering::Relaxed);
                                    if response.field("Connection") == Some("close") {
                                        client.expect_end();
                                        break;
                                    }
                                }
                                // The server closed an idle connection while the request was on its way.
                                Err(Failure::Nothing) => {
                                    assert!(stopped.load(Ordering::SeqCst), "closed before the stop");
                                    break;
                                }
                                Err(failure) => panic!("{failure:?}"),
                            }
                            if number % 3 == 2 {
                                match client.try_response("GET") {
                                    Ok(response) => {
                                        assert_eq!(response.text(), "next");
                                        if response.field("Connection") == Some("close") {
                                            client.expect_end();
                                            break;
                                        }
                                    }
                                    Err(failure) => panic!("{failure:?}"),
                                }
                            }
                        }
                    }
                    assert!(stopped.load(Ordering::SeqCst), "nobody listens before the stop");
                });
            }
            thread::sleep(Duration::from_millis(400));
            stopped.store(true, Ordering::SeqCst);
            let took = server.stop();
            assert!(took < Duration::from_secs(9), "the server took {took:?} to end");
        });
        assert!(answered.load(Ordering::Relaxed) > 20);
    }
}

#[test]
fn a_client_that_never_ends_holds_the_server_up_for_no_longer_than_allowed() {
    let limit = Duration::from_millis(500);
    let mut timeouts = Timeouts::default();
    timeouts.shutdown = limit;
    let server = Running::start(
        standard()
            .timeouts(timeouts)
            .route("/memory", |_: &mut Request<'_>| {
                Response::bytes(vec![0; 30_000_000])
            }),
    );
    let mut barrier = Barrier::new(&server);
    let mut stuck = [
        server.client(),
        server.client(),
        Client::connect_narrow(server.address(), 4096),
    ];
    stuck[0].send("GET / HT");
    stuck[1].send("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nabc");
    stuck[2].send(get("/memory", ""));
    barrier.wait();
    let took = server.stop();
    assert!(took >= limit, "they were not waited for: {took:?}");
    assert!(took < PATIENCE / 3, "the server took {took:?} to end");
    for client in &mut stuck {
        client.time_to_end();
    }
}

#[test]
fn a_server_that_is_stopped_before_it_runs_ends_at_once() {
    let server = standard().workers(2).build().expect("a server");
    let (address, stop) = (server.addresses()[0], server.stop_handle());
    // Connected before anybody accepts.
    let mut early = Client::connect(address);
    early.send(get("/ping", ""));
    stop.stop();
    stop.clone().stop();
    let begin = Instant::now();
    server.run().expect("no error");
    assert!(begin.elapsed() < PATIENCE / 3);
    assert_eq!(early.response().text(), "pong");
    early.expect_end();
    // Without a server there is nothing to stop.
    stop.stop();
}
