//! Ten thousand connections at once: each is answered, and costs next to nothing while it waits.

use std::fs;
use std::sync::{Mutex, PoisonError};

use system_tests::client::{Client, get};
use system_tests::process::{Program, raise_file_limit};
use tempfile::TempDir;

/// As many as the test may open, up to ten thousand.
fn connections() -> usize {
    let count = raise_file_limit().min(10_000);
    assert!(count >= 500, "no more than {count} files may be open");
    count
}

/// Each test needs nearly all the descriptors that there are.
static TURN: Mutex<()> = Mutex::new(());

/// A server with no deadline that could pass during the test.
fn program() -> (TempDir, Program) {
    let folder = tempfile::tempdir().expect("a folder");
    let config = folder.path().join("config.toml");
    let text =
        "workers = 1\ntimeouts = { head = 600, idle = 600 }\n[[route]]\npath = \"/\"\ntext = \"served\"\n";
    fs::write(&config, text).expect("a file");
    let program = Program::start(["--config".as_ref(), config.as_os_str()]);
    (folder, program)
}

fn ask(client: &mut Client) {
    client.send(get("/", ""));
    assert_eq!(client.response().text(), "served");
}

/// Opens connections, the first few before memory is looked at, and gives what each of the others takes in bytes.
fn open(program: &Program, count: usize, begin: impl Fn(&mut Client)) -> (Vec<Client>, u64) {
    let mut clients = Vec::with_capacity(count);
    let mut before = 0;
    for number in 0..count {
        if number == 200 {
            before = program.anonymous_memory();
        }
        let mut client = program.client();
        begin(&mut client);
        if number % 100 == 0 {
            // Those before have been read, so their queue cannot overflow.
            ask(&mut program.client());
        }
        clients.push(client);
    }
    ask(&mut program.client());
    let grown = program.anonymous_memory().saturating_sub(before);
    (clients, grown / (count as u64 - 200))
}

#[test]
fn idle_connections() {
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    let (_folder, program) = program();
    let (mut clients, each) = open(&program, connections(), ask);
    assert!(each < 512, "an idle connection takes {each} bytes");
    for client in &mut clients {
        ask(client);
    }
    for client in &mut clients {
        client.expect_silence();
    }
}

#[test]
fn half_heads() {
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    let (_folder, program) = program();
    let (start, end) = ("GET / HTTP/1.1\r\nHost: a\r\nX-Some: ", "field\r\n\r\n");
    let (mut clients, each) = open(&program, connections(), |client| client.send(start));
    assert!(each < 1024, "half a head takes {each} bytes");
    for client in &mut clients {
        client.send(end);
    }
    for client in &mut clients {
        assert_eq!(client.response().text(), "served");
    }
    for client in &mut clients {
        client.expect_silence();
    }
}
