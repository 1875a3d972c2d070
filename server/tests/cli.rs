//! The `anglerfish` command, as it is typed.
#![cfg(feature = "cli")]

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, ExitStatus, Output, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, geteuid, kill_process};
use tempfile::TempDir;

/// Far longer than anything here takes.
const PATIENCE: Duration = Duration::from_secs(30);

fn anglerfish(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_anglerfish"));
    command.current_dir(folder).args(arguments);
    command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

fn folder() -> TempDir {
    tempfile::tempdir().expect("a folder")
}

/// A running server, killed when it is dropped.
struct Running {
    child: Child,
    output: BufReader<ChildStdout>,
    addresses: Vec<SocketAddr>,
}

impl Running {
    /// Waits for as many lines as there are addresses.
    fn start(mut command: Command, addresses: usize) -> Self {
        let mut child = command.spawn().expect("the program starts");
        let output = BufReader::new(child.stdout.take().expect("a pipe"));
        let mut running = Self {
            child,
            output,
            addresses: Vec::new(),
        };
        for _ in 0..addresses {
            let line = running.line();
            let url = line
                .strip_prefix("anglerfish serves http://")
                .and_then(|rest| rest.strip_suffix("/\n"));
            let address = url.and_then(|address| address.parse().ok());
            running
                .addresses
                .push(address.unwrap_or_else(|| panic!("no URL in {line:?}")));
        }
        running
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.output.read_line(&mut line).expect("a line");
        line
    }

    fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.addresses[0]).expect("the server listens");
        stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
        stream
    }

    fn get(&self, path: &str) -> String {
        get(self.addresses[0], path)
    }

    fn signal(&self, signal: Signal) {
        let pid = i32::try_from(self.child.id()).expect("a process id");
        kill_process(Pid::from_raw(pid).expect("not zero"), signal).expect("the process is there");
    }

    fn wait(&mut self) -> ExitStatus {
        let begin = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().expect("a child") {
                return status;
            }
            assert!(begin.elapsed() < PATIENCE, "the program does not end");
            thread::sleep(Duration::from_millis(10));
        }
    }

    fn errors(&mut self) -> String {
        let mut text = String::new();
        self.child
            .stderr
            .take()
            .expect("a pipe")
            .read_to_string(&mut text)
            .expect("text");
        text
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Most have ended already.
        let _gone = self.child.kill();
        let _status = self.child.wait();
    }
}

/// The whole answer to a request that is the only one of its connection.
fn get(address: SocketAddr, path: &str) -> String {
    let mut stream = TcpStream::connect(address).expect("the server listens");
    stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
    write!(
        stream,
        "GET {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
    )
    .expect("it is sent");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    answer
}

/// What a command that ends by itself says.
fn output(mut command: Command) -> Output {
    let mut running = Running::start_quiet(&mut command);
    let status = running.wait();
    let mut stdout = Vec::new();
    running.output.read_to_end(&mut stdout).expect("output");
    let stderr = running.errors().into_bytes();
    Output {
        status,
        stdout,
        stderr,
    }
}

impl Running {
    fn start_quiet(command: &mut Command) -> Self {
        let mut child = command.spawn().expect("the program starts");
        let output = BufReader::new(child.stdout.take().expect("a pipe"));
        Self {
            child,
            output,
            addresses: Vec::new(),
        }
    }
}

/// Runs what must fail, and gives its complaint, which is all that it says.
fn complaint(command: Command) -> String {
    let output = output(command);
    let text = String::from_utf8(output.stderr).expect("text");
    assert_eq!(output.status.code(), Some(1), "{text}");
    assert!(
        output.stdout.is_empty(),
        "{:?}",
        String::from_utf8_lossy(&output.stdout)
    );
    assert!(
        text.starts_with("anglerfish: ") && text.ends_with('\n'),
        "{text:?}"
    );
    text
}

fn expect_in(text: &str, parts: &[&str]) {
    for part in parts {
        assert!(text.contains(part), "{part:?} is missing in {text:?}");
    }
}

#[test]
fn without_a_folder_it_serves_public() {
    let folder = folder();
    fs::create_dir(folder.path().join("public")).expect("a folder");
    fs::write(folder.path().join("public/index.html"), "my page").expect("a file");
    let running = Running::start(anglerfish(folder.path(), &["--listen", "127.0.0.1:0"]), 1);
    let answer = running.get("/");
    assert!(
        answer.starts_with("HTTP/1.1 200 OK\r\n") && answer.ends_with("\r\n\r\nmy page"),
        "{answer}"
    );
    assert!(running.get("/none").starts_with("HTTP/1.1 404 "));
}

#[test]
fn without_public_it_serves_a_welcome_page() {
    let folder = folder();
    let running = Running::start(anglerfish(folder.path(), &["--listen", "127.0.0.1:0"]), 1);
    let answer = running.get("/");
    expect_in(
        &answer,
        &["HTTP/1.1 200 OK\r\n", "anglerfish is running", "./public"],
    );
    assert!(running.get("/Cargo.toml").starts_with("HTTP/1.1 404 "));
}

#[test]
fn a_folder_that_is_named_is_served() {
    let folder = folder();
    fs::create_dir_all(folder.path().join("site/public")).expect("a folder");
    fs::write(folder.path().join("site/file.txt"), "x").expect("a file");
    fs::create_dir(folder.path().join("public")).expect("a folder");
    let arguments = ["site", "--listen", "127.0.0.1:0", "--workers", "2"];
    let running = Running::start(anglerfish(folder.path(), &arguments), 1);
    assert!(running.get("/file.txt").ends_with("\r\n\r\nx"));
}

#[test]
fn every_address_is_listened_on_and_said() {
    let folder = folder();
    let mut arguments = vec!["--listen", "127.0.0.1:0", "--listen", "127.0.0.2:0"];
    // Where the machine has no IPv6, that is no fault of ours.
    if TcpListener::bind("[::1]:0").is_ok() {
        arguments.extend(["--listen", "[::1]:0"]);
    }
    let running = Running::start(anglerfish(folder.path(), &arguments), arguments.len() / 2);
    for &address in &running.addresses {
        assert_ne!(address.port(), 0);
        assert!(get(address, "/").starts_with("HTTP/1.1 200 "), "{address}");
    }
}

#[test]
fn a_port_in_use_is_named() {
    let folder = folder();
    let holder = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = holder.local_addr().expect("an address").to_string();
    for workers in ["1", "2"] {
        let text = complaint(anglerfish(
            folder.path(),
            &["--listen", &address, "--workers", workers],
        ));
        expect_in(&text, &[&address, "in use", "--listen"]);
    }
    let first = Running::start(
        anglerfish(folder.path(), &["--listen", "127.0.0.1:0", "--workers", "2"]),
        1,
    );
    let address = first.addresses[0].to_string();
    let text = complaint(anglerfish(
        folder.path(),
        &["--listen", &address, "--workers", "2"],
    ));
    expect_in(&text, &[&address, "in use"]);
}

#[test]
fn an_address_of_another_machine_is_named() {
    let folder = folder();
    // TEST-NET-1 of RFC 5737.
    let text = complaint(anglerfish(folder.path(), &["--listen", "192.0.2.1:8080"]));
    expect_in(&text, &["192.0.2.1:8080", "no such address"]);
}

#[test]
fn a_folder_that_is_not_there_is_named() {
    let folder = folder();
    let text = complaint(anglerfish(
        folder.path(),
        &["sites/mine", "--listen", "127.0.0.1:0"],
    ));
    expect_in(&text, &["sites/mine", "No such file or directory"]);
    fs::write(folder.path().join("file"), "x").expect("a file");
    let text = complaint(anglerfish(folder.path(), &["file", "--listen", "127.0.0.1:0"]));
    expect_in(&text, &["file", "Not a directory"]);
}

/// A command that root may not do anything for: a copy of the program, run by nobody.
fn as_nobody(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = anglerfish(folder, arguments);
    if geteuid().is_root() {
        let copy = folder.join("anglerfish");
        if !copy.exists() {
            fs::copy(env!("CARGO_BIN_EXE_anglerfish"), &copy).expect("a copy");
        }
        fs::set_permissions(folder, fs::Permissions::from_mode(0o755)).expect("permissions");
        let mut plain = Command::new(copy);
        plain.current_dir(folder).args(arguments).uid(65534).gid(65534);
        plain
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command = plain;
    }
    command
}

#[test]
fn a_missing_permission_is_named() {
    let folder = folder();
    let closed = folder.path().join("closed");
    fs::create_dir(&closed).expect("a folder");
    fs::set_permissions(&closed, fs::Permissions::from_mode(0o000)).expect("permissions");
    let text = complaint(as_nobody(folder.path(), &["closed", "--listen", "127.0.0.1:0"]));
    expect_in(&text, &["closed", "Permission denied"]);
    let privileged = fs::read_to_string("/proc/sys/net/ipv4/ip_unprivileged_port_start");
    let privileged: u16 = privileged
        .ok()
        .and_then(|port| port.trim().parse().ok())
        .unwrap_or(1024);
    if privileged > 79 {
        let text = complaint(as_nobody(folder.path(), &["--listen", "127.0.0.1:79"]));
        expect_in(&text, &["127.0.0.1:79", "no permission", "CAP_NET_BIND_SERVICE"]);
    }
}

fn config(folder: &Path, text: &str) -> PathBuf {
    let path = folder.join("site.toml");
    fs::write(&path, text).expect("a file");
    path
}

#[test]
fn mistakes_in_the_configuration_are_named_with_their_place() {
    let folder = folder();
    for (text, parts) in [
        (
            "workers = 1\nwrokers = 2\n",
            &["unknown field `wrokers`", "line 2"][..],
        ),
        (
            "[[route]]\npath = \"/\"\nfile = \"x\"\n",
            &["unknown field `file`"],
        ),
        ("workers = \"two\"\n", &["line 1", "workers"]),
        ("workers = \n", &["line 1"]),
        ("workers = 0\n", &["workers is 0", "1 to 1024"]),
        ("limits.head = 100\n", &["limits.head is 100", "512"]),
        ("timeouts.idle = -1\n", &["-1", "positive"]),
        ("listen = [\"nowhere\"]\n", &["line 1"]),
        (
            "[[route]]\npath = \"/\"\nfiles = \"nowhere\"\n",
            &["nowhere", "No such file"],
        ),
        ("[[route]]\npath = \"a\"\ntext = \"x\"\n", &["\"a\"", "slash"]),
        (
            "[[route]]\npath = \"/a\"\ntext = \"x\"\n[[route]]\npath = \"/a\"\ntext = \"y\"\n",
            &["\"/a\"", "two routes"],
        ),
    ] {
        let path = config(folder.path(), text);
        let path = path.to_str().expect("text");
        for check in [
            &["--config", path, "--listen", "127.0.0.1:0"][..],
            &["--config", path, "--check-config"],
        ] {
            let complaint = complaint(anglerfish(folder.path(), check));
            expect_in(&complaint, parts);
        }
    }
    let text = complaint(anglerfish(folder.path(), &["--config", "none.toml"]));
    expect_in(&text, &["none.toml", "No such file"]);
    let path = config(folder.path(), "[[route]]\npath = \"/\"\ntext = \"x\"\n");
    let text = complaint(anglerfish(
        folder.path(),
        &[".", "--config", path.to_str().expect("text")],
    ));
    expect_in(&text, &["command line", "\"/\""]);
}

#[test]
fn checking_a_configuration_prints_its_routes_in_order_and_binds_nothing() {
    let folder = folder();
    fs::create_dir(folder.path().join("files")).expect("a folder");
    let holder = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = holder.local_addr().expect("an address");
    let text = format!(
        "listen = [\"{address}\"]\n\
         [[route]]\npath = \"/\"\ntext = \"x\"\n\
         [[route]]\npath = \"/a/deep\"\nfiles = \"files\"\n\
         [[route]]\npath = \"/a\"\nredirect = \"/b\"\n"
    );
    let path = config(folder.path(), &text);
    let elsewhere = tempfile::tempdir().expect("a folder");
    let output = output(anglerfish(
        elsewhere.path(),
        &["--check-config", "--config", path.to_str().expect("text")],
    ));
    assert!(output.status.success());
    let text = String::from_utf8(output.stdout).expect("text");
    let lines: Vec<Vec<&str>> = text
        .lines()
        .skip(1)
        .map(|line| line.split_whitespace().collect())
        .collect();
    let served = folder.path().join("files");
    let expected = [
        vec!["/a/deep", "files", served.to_str().expect("text")],
        vec!["/a", "redirect", "/b"],
        vec!["/", "text"],
    ];
    assert_eq!(lines, expected, "{text}");
    expect_in(text.lines().next().expect("a line"), &["longest path", "wins"]);
}

#[test]
fn the_configuration_is_followed_and_the_command_line_wins() {
    let folder = folder();
    fs::create_dir(folder.path().join("files")).expect("a folder");
    fs::write(folder.path().join("files/x"), "from the folder").expect("a file");
    // A port that nobody may listen on, were it asked for.
    let text = "listen = [\"192.0.2.1:1\"]\n\
         [[route]]\npath = \"/files\"\nfiles = \"files\"\n\
         [[route]]\npath = \"/old\"\nredirect = \"/new?a\"\n\
         [[route]]\npath = \"/text\"\ntext = \"words\"\n";
    let path = config(folder.path(), text);
    let elsewhere = tempfile::tempdir().expect("a folder");
    let arguments = [
        "--config",
        path.to_str().expect("text"),
        "--listen",
        "127.0.0.1:0",
        "--workers",
        "1",
    ];
    let running = Running::start(anglerfish(elsewhere.path(), &arguments), 1);
    assert!(running.get("/files/x").ends_with("\r\n\r\nfrom the folder"));
    expect_in(
        &running.get("/old"),
        &["HTTP/1.1 308 ", "\r\nLocation: /new?a\r\n"],
    );
    assert!(running.get("/text").ends_with("\r\n\r\nwords"));
    expect_in(&running.get("/"), &["HTTP/1.1 200 ", "anglerfish is running"]);
}

#[test]
fn wrong_arguments_are_explained() {
    let folder = folder();
    for (arguments, part) in [
        (&["--prot", "80"][..], "--prot"),
        (&["--listen", "localhost"], "localhost"),
        (&["--workers", "many"], "many"),
        (&["one", "two"], "two"),
    ] {
        let output = output(anglerfish(folder.path(), arguments));
        let text = String::from_utf8(output.stderr).expect("text");
        assert_eq!(output.status.code(), Some(2), "{text}");
        expect_in(&text, &[part, "--help"]);
    }
    let help = output(anglerfish(folder.path(), &["--help"]));
    assert!(help.status.success());
    let text = String::from_utf8(help.stdout).expect("text");
    expect_in(
        &text,
        &[
            "--listen",
            "--workers",
            "--config",
            "--check-config",
            "Examples",
            "8080",
        ],
    );
    let version = output(anglerfish(folder.path(), &["--version"]));
    let text = String::from_utf8(version.stdout).expect("text");
    assert_eq!(text, concat!("anglerfish ", env!("CARGO_PKG_VERSION"), "\n"));
}

#[test]
fn every_executor_that_is_here_serves_and_a_missing_one_is_named() {
    let folder = folder();
    fs::write(folder.path().join("index.html"), "served").expect("a file");
    for name in ["auto", "direct", "uring", "kernel"] {
        let arguments = [
            ".",
            "--listen",
            "127.0.0.1:0",
            "--workers",
            "1",
            "--executor",
            name,
        ];
        let check = output(anglerfish(
            folder.path(),
            &[&arguments[..], &["--check-config"]].concat(),
        ));
        if check.status.success() {
            let running = Running::start(anglerfish(folder.path(), &arguments), 1);
            assert!(running.get("/").ends_with("served"), "{name}");
        } else {
            let complaint = String::from_utf8_lossy(&check.stderr);
            assert!(matches!(name, "uring" | "kernel"), "{name}: {complaint}");
            expect_in(&complaint, &[&format!("the executor {name} was asked for")]);
        }
    }
    let mut command = anglerfish(folder.path(), &[]);
    command.env("ESCA_EXECUTOR", "turbo");
    expect_in(&complaint(command), &["ESCA_EXECUTOR", "turbo"]);
}

#[test]
fn signals_stop_it_when_the_requests_under_way_are_answered() {
    let folder = folder();
    let content = "x".repeat(3_000_000);
    fs::write(folder.path().join("large"), &content).expect("a file");
    for signal in [Signal::TERM, Signal::INT] {
        let mut running = Running::start(anglerfish(folder.path(), &[".", "--listen", "127.0.0.1:0"]), 1);
        let mut stream = running.connect();
        // Half a request, so that the server cannot end before the signal has come and the other half.
        stream.write_all(b"GET /large HTTP/1.1\r\n").expect("it is sent");
        let idle = running.connect();
        assert!(running.get("/none").starts_with("HTTP/1.1 404 "));
        running.signal(signal);
        // The end of the idle connection says that the server has noticed.
        assert_eq!((&idle).read(&mut [0; 1]).expect("an end"), 0);
        stream.write_all(b"Host: a\r\n\r\n").expect("it is sent");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("an answer");
        expect_in(
            &answer[..300],
            &["HTTP/1.1 200 OK\r\n", "\r\nConnection: close\r\n"],
        );
        assert!(answer.ends_with(&content));
        assert_eq!(running.wait().code(), Some(0), "{}", running.errors());
        assert!(
            TcpStream::connect(running.addresses[0]).is_err(),
            "somebody still listens"
        );
    }
}

#[test]
fn a_second_signal_does_not_wait() {
    let folder = folder();
    let mut running = Running::start(anglerfish(folder.path(), &["--listen", "127.0.0.1:0"]), 1);
    let mut stuck = running.connect();
    stuck.write_all(b"GET / HTTP/1.1\r\n").expect("it is sent");
    let idle = running.connect();
    assert!(running.get("/").starts_with("HTTP/1.1 200 "));
    running.signal(Signal::TERM);
    assert_eq!((&idle).read(&mut [0; 1]).expect("an end"), 0);
    running.signal(Signal::TERM);
    let status = running.wait();
    assert_eq!((status.code(), status.signal()), (Some(128 + 15), None));
}
