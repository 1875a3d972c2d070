//! Much traffic at once over the program, with each executor: what comes back is what was asked for, byte by byte.

use std::fs;
use std::thread;

use system_tests::client::{Client, get};
use system_tests::process::Program;
use system_tests::server::pattern;
use tempfile::TempDir;

const THREADS: usize = 4;
const CONNECTIONS: usize = 16;
const ROUNDS: usize = 8;
/// Requests that a connection sends before it reads the first response.
const DEPTH: usize = 4;
/// Times that all connections have a request when the server looks.
const BURSTS: usize = 20;

/// Contents by name: what fits into one part of a message, what does not, and what has to wait for its reader.
fn contents() -> Vec<(String, Vec<u8>)> {
    [0, 1, 64, 1000, 4096, 20_000, 150_000, 700_000]
        .into_iter()
        .map(|length| (format!("/{length}"), pattern(length)))
        .collect()
}

/// Which file the request number `index` of a connection asks for: mostly small ones, as on the web.
fn choice(connection: usize, round: usize, index: usize) -> usize {
    let number = connection * 31 + round * 7 + index;
    if number.is_multiple_of(29) {
        6 + number % 2
    } else {
        number % 6
    }
}

fn converse(program: &Program, contents: &[(String, Vec<u8>)]) {
    let mut clients: Vec<Client> = (0..CONNECTIONS).map(|_| program.client()).collect();
    for round in 0..ROUNDS {
        for (connection, client) in clients.iter_mut().enumerate() {
            let requests: String = (0..DEPTH)
                .map(|index| get(&contents[choice(connection, round, index)].0, ""))
                .collect();
            client.send(requests);
        }
        for (connection, client) in clients.iter_mut().enumerate() {
            for index in 0..DEPTH {
                let (name, content) = &contents[choice(connection, round, index)];
                let response = client.response();
                assert_eq!(response.status, 200, "{name}");
                assert!(
                    response.body == *content,
                    "{name} differs on {connection} in {round}"
                );
            }
        }
    }
    for client in &mut clients {
        client.expect_silence();
    }
}

/// Requests on many connections while the server is stopped, so that it finds all of them in one turn.
fn burst(program: &Program, contents: &[(String, Vec<u8>)]) {
    let mut clients: Vec<Client> = (0..THREADS * CONNECTIONS).map(|_| program.client()).collect();
    for round in 0..BURSTS {
        program.pause();
        for (connection, client) in clients.iter_mut().enumerate() {
            client.send(get(&contents[(connection + round) % 5].0, ""));
        }
        program.resume();
        for (connection, client) in clients.iter_mut().enumerate() {
            let (name, content) = &contents[(connection + round) % 5];
            assert!(
                client.response().body == *content,
                "{name} differs on {connection} in {round}"
            );
        }
    }
}

fn serves_with(executor: &str) {
    let folder: TempDir = tempfile::tempdir().expect("a folder");
    let contents = contents();
    for (name, content) in &contents {
        fs::write(folder.path().join(&name[1..]), content).expect("a file");
    }
    let site = folder.path().as_os_str();
    let words = ["--executor", executor, "--workers", "1"].map(AsRef::as_ref);
    let program = Program::start([&[site], &words[..]].concat());
    thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| converse(&program, &contents));
        }
    });
    burst(&program, &contents);
}

#[test]
fn direct() {
    serves_with("direct");
}

#[test]
fn uring() {
    if let Err(error) = esca_sys::AnyExecutor::named("uring") {
        eprintln!("skipped: {error}");
        return;
    }
    serves_with("uring");
}

/// Built for a guest that has the module loaded.
#[cfg(esca_guest)]
#[test]
fn kernel() {
    serves_with("kernel");
}
