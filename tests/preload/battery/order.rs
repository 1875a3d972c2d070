//! The order of calls, by strace: with the optimiser off, what a program's calls do to each connection and each served file
//! is the same, in the same order, whether they were deferred or not.
//!
//! Compared are, for each accepted connection and each opened file of those that are served, in the order of their opening:
//! bytes sent by whichever call, options set, bytes received, the end received, shutdown, close.
//! Left out is what may rightly differ:
//!
//! - which of the calls that send is used, and a file that is read and sent in place of `sendfile`;
//! - reads of a socket that find nothing, and sends that find no room, for they do nothing;
//! - questions that change nothing (`fstat`, `getsockopt`, `fcntl(F_GETFL)`, `ioctl(SIOCOUTQ)`), which the library adds;
//! - changes of the interest in events: they follow what a socket has, or has room for, at the moment;
//! - in how many pieces a large body leaves, which is up to the reader: neighbouring sends are added there;
//! - whether a request that was there before the last answer was sent is read before or after that, where requests are
//!   pipelined: each direction by itself keeps its order.

use std::collections::HashMap;
use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use rustix::process::Signal;

use crate::checks::client::Client;
use crate::checks::endings;
use crate::checks::http::{Request, expect};
use crate::library::Mode;
use crate::patience::Patience;
use crate::place::{Place, SIZES};
use crate::process::{Server, program};

const CALLS: &str = "trace=accept,accept4,openat,close,read,recvfrom,recvmsg,write,writev,sendto,sendmsg,sendfile,\
                     setsockopt,shutdown,dup,dup2,dup3,clone,clone3,fork,vfork";

/// What happened to a connection or a file.
#[derive(Clone, Debug, Eq, PartialEq)]
enum Event {
    Sent(u64),
    Received(u64),
    Other(String),
}

impl Event {
    const fn is_incoming(&self) -> bool {
        matches!(self, Self::Received(_))
    }
}

/// A connection, or a file with its name, and all that happened to it.
#[derive(Clone, Debug, Eq, PartialEq)]
struct Object {
    name: String,
    events: Vec<Event>,
}

/// What is asked, and what of the order is compared.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Scenario {
    /// Small answers, each read before the next request.
    Turns,
    /// Large answers.
    Large,
    /// Many requests at once.
    Pipelined,
}

/// Runs `command`, which starts a server in a folder of its own, plain and with the library, and compares.
pub(crate) fn compare(
    mode: &Mode,
    command: impl Fn(&Place, &Path, SocketAddr) -> Result<Command>,
) -> Result<()> {
    let place = Place::new()?;
    for scenario in [Scenario::Turns, Scenario::Large, Scenario::Pipelined] {
        let run = |name: &str, mode: &Mode| {
            let folder = place.server(&format!("{name}-{scenario:?}"))?;
            let trace = traced(&place, &folder, mode, scenario, &command)?;
            let text = fs::read(&trace).context("no trace")?;
            objects(
                &String::from_utf8_lossy(&text),
                &place.root().display().to_string(),
                scenario,
            )
        };
        let plain = run("plain", &Mode::Plain)?;
        let preloaded = run("preloaded", mode)?;
        ensure!(
            plain.iter().any(|object| object.events.len() > 5),
            "{scenario:?}: nothing was traced"
        );
        for (plain, preloaded) in plain.iter().zip(&preloaded) {
            let name = &plain.name;
            ensure!(
                *name == preloaded.name,
                "{scenario:?}: {} in place of {name}",
                preloaded.name
            );
            if let Some(at) = differs(&plain.events, &preloaded.events) {
                let near = |events: &[Event]| {
                    format!("{:?}", &events[at.saturating_sub(3)..events.len().min(at + 5)])
                };
                bail!(
                    "{scenario:?}: {name}: from the {at}th on {} in place of {}",
                    near(&preloaded.events),
                    near(&plain.events)
                );
            }
        }
        ensure!(
            plain.len() == preloaded.len(),
            "{scenario:?}: {} objects in place of {}",
            preloaded.len(),
            plain.len()
        );
    }
    Ok(())
}

fn differs(plain: &[Event], preloaded: &[Event]) -> Option<usize> {
    let same = plain
        .iter()
        .zip(preloaded)
        .take_while(|(plain, preloaded)| plain == preloaded)
        .count();
    (same < plain.len().max(preloaded.len())).then_some(same)
}

/// Runs the server under strace, asks, ends it, and says where the trace is.
fn traced(
    place: &Place,
    folder: &Path,
    mode: &Mode,
    scenario: Scenario,
    command: &impl Fn(&Place, &Path, SocketAddr) -> Result<Command>,
) -> Result<PathBuf> {
    let trace = folder.join("trace");
    let mut server = Server::start(folder, &Mode::Plain, |address| {
        let inner = command(place, folder, address)?;
        let mut strace = Command::new(program("strace", "strace")?);
        strace
            .args(["-f", "-qq", "-s", "0", "-e", "signal=none", "-e", CALLS, "-o"])
            .arg(&trace);
        // The library is for the program, not for strace.
        for (name, value) in mode.variables() {
            strace.arg("-E").arg(format!("{name}={value}"));
        }
        strace.arg(inner.get_program()).args(inner.get_args());
        Ok(strace)
    })?;
    // Whoever answers has been started by then.
    endings::answers(&server)?;
    let idle = server.settled_sockets()?;
    ask(&server, scenario)?;
    // Until it has closed its ends too, and its files, and strace has had the time to say so: a few looks find nothing open.
    let mut patience = Patience::new();
    let root = place.root();
    let mut closed = 0;
    while closed < 5 {
        let done = server.sockets()? <= idle && !server.has_open(&root)?;
        closed = if done { closed + 1 } else { 0 };
        ensure!(
            patience.lasts(Duration::from_millis(20)),
            "the server keeps files, or connections that have ended: {}",
            server.connections()?
        );
    }
    // strace passes no signal on; its only child is the server.
    let child = server
        .family()?
        .get(1)
        .copied()
        .context("strace has started nothing")?;
    let child = rustix::process::Pid::from_raw(i32::try_from(child)?).context("a process")?;
    rustix::process::kill_process(child, Signal::TERM)?;
    server.ends()?;
    Ok(trace)
}

fn ask(server: &Server, scenario: Scenario) -> Result<()> {
    let small = SIZES
        .into_iter()
        .filter(|&size| size <= 16_384)
        .map(Request::file);
    let large = SIZES
        .into_iter()
        .filter(|&size| size >= 65_536)
        .map(Request::file);
    let requests: Vec<_> = match scenario {
        Scenario::Turns => small
            .chain([
                Request::other("HEAD", "/4096.bin", 200),
                Request::other("GET", "/nothing", 404),
                Request::range(4097, "100-4000", 100..4001),
            ])
            .collect(),
        Scenario::Large => large.collect(),
        Scenario::Pipelined => small.cycle().take(64).collect(),
    };
    for last in [false, true] {
        let mut client = Client::connect(server.address())?;
        if scenario == Scenario::Pipelined {
            client.send(&requests.iter().flat_map(Request::bytes).collect::<Vec<_>>())?;
        }
        for request in &requests {
            if scenario != Scenario::Pipelined {
                client.send(&request.bytes())?;
            }
            request.check(&expect(&mut client, request)?)?;
        }
        if last {
            // Here the server ends the connection, before the client does.
            let request = Request::file(4096).with("Connection: close");
            client.send(&request.bytes())?;
            request.check(&expect(&mut client, &request)?)?;
            client.expect_end()?;
        }
    }
    Ok(())
}

/// All connections and files under `root`, in the order in which they were opened.
fn objects(trace: &str, root: &str, scenario: Scenario) -> Result<Vec<Object>> {
    let mut objects: Vec<Object> = Vec::new();
    let mut open: HashMap<(i64, i64), usize> = HashMap::new();
    // The process of each thread, where that is not itself.
    let mut processes: HashMap<i64, i64> = HashMap::new();
    for (thread, call, arguments, result) in calls(trace) {
        let process = *processes.get(&thread).unwrap_or(&thread);
        if call.starts_with("clone") && arguments.join(" ").contains("CLONE_THREAD") {
            processes.insert(result, process);
        }
        let Some(first) = arguments
            .first()
            .map(|argument| argument.parse::<i64>().unwrap_or(-1))
        else {
            continue;
        };
        if result < 0 {
            continue;
        }
        let name = match call.as_str() {
            "accept" | "accept4" => Some("connection".to_owned()),
            "openat" => arguments.get(1).filter(|path| path.contains(root)).cloned(),
            _ => None,
        };
        if let Some(name) = name {
            open.insert((process, result), objects.len());
            objects.push(Object {
                name,
                events: Vec::new(),
            });
            continue;
        }
        let (fd, event) = match call.as_str() {
            "write" | "writev" | "sendto" | "sendmsg" | "sendfile" => {
                (first, Event::Sent(result.unsigned_abs()))
            }
            "read" | "recvfrom" | "recvmsg" => (first, Event::Received(result.unsigned_abs())),
            _ => (
                first,
                Event::Other(format!("{call}({})", arguments[1..].join(", "))),
            ),
        };
        let Some(&index) = open.get(&(process, fd)) else {
            continue;
        };
        let object = &mut objects[index];
        // How a file is read is no matter, and a read of it is none of a socket.
        if object.name != "connection" && event.is_incoming() {
            continue;
        }
        match (object.events.last_mut(), event) {
            (Some(Event::Sent(sum)), Event::Sent(more)) if scenario == Scenario::Large => *sum += more,
            // The end was seen already.
            (Some(Event::Received(0)), Event::Received(0)) => {}
            (_, event) => object.events.push(event),
        }
        if call == "close" {
            open.remove(&(process, fd));
        }
    }
    if scenario == Scenario::Pipelined {
        for object in &mut objects {
            // Stable: what comes in, and then what goes out.
            object.events.sort_by_key(|event| !event.is_incoming());
        }
    }
    Ok(objects)
}

/// Every call that ended, with its thread, its arguments and its result; a call that another thread's output cut in two is whole again.
fn calls(trace: &str) -> impl Iterator<Item = (i64, String, Vec<String>, i64)> {
    let mut begun: HashMap<String, String> = HashMap::new();
    trace.lines().filter_map(move |line| {
        let (thread, rest) = line.split_once(' ')?;
        let rest = rest.trim_start();
        if let Some(start) = rest.strip_suffix("<unfinished ...>") {
            begun.insert(thread.to_owned(), start.trim_end().to_owned());
            return None;
        }
        let whole = match rest.strip_prefix("<... ") {
            Some(resumed) => begun.remove(thread)? + resumed.split_once(" resumed>")?.1,
            None => rest.to_owned(),
        };
        let (head, result) = whole.rsplit_once(" = ")?;
        let result = result.split_whitespace().next()?.parse().ok()?;
        let (call, arguments) = head.trim_end().strip_suffix(')')?.split_once('(')?;
        Some((thread.parse().ok()?, call.to_owned(), split(arguments), result))
    })
}

/// Splits at commas that stand in no brackets and no string.
fn split(arguments: &str) -> Vec<String> {
    let (mut parts, mut depth, mut quoted) = (vec![String::new()], 0, false);
    for letter in arguments.chars() {
        match letter {
            '"' => quoted = !quoted,
            '[' | '{' | '(' if !quoted => depth += 1,
            ']' | '}' | ')' if !quoted => depth -= 1,
            ',' if !quoted && depth == 0 => {
                parts.push(String::new());
                continue;
            }
            _ => {}
        }
        if let Some(part) = parts.last_mut()
            && !(part.is_empty() && letter == ' ')
        {
            part.push(letter);
        }
    }
    parts
}

#[test]
fn a_trace_is_understood() {
    let trace = "\
7 accept4(5, {sa_family=AF_INET, sin_port=htons(1)}, [112 => 16], SOCK_NONBLOCK) = 3
7 clone3({flags=CLONE_VM|CLONE_FILES|CLONE_THREAD, stack=0x7f, stack_size=0x5} => {parent_tid=[9]}, 88) = 9
7 clone(child_stack=NULL, flags=CLONE_CHILD_SETTID|SIGCHLD, child_tidptr=0x7f) = 8
7 recvfrom(3, \"\"..., 1024, 0, NULL, NULL) = 47
7 openat(AT_FDCWD, \"/srv/www/a,b\", O_RDONLY <unfinished ...>
8 close(7 <unfinished ...>
7 <... openat resumed>) = 9
8 <... close resumed>)    = 0
7 writev(3, [{iov_base=\"\"..., iov_len=240}], 1 <unfinished ...>
8 write(3, \"\"..., 9) = 9
7 <... writev resumed>) = 240
9 sendfile(3, 9, [0] => [4096], 4096) = 4096
7 recvfrom(3, 0x5, 1024, 0, NULL, NULL) = -1 EAGAIN (Resource temporarily unavailable)
7 close(9 <unfinished ...>
8 close(6)                         = 0
7 <... close resumed>)             = 0
7 close(3)                         = 0
7 close(3)                         = -1 EBADF (Bad file descriptor)
";
    let found = objects(trace, "/srv/www", Scenario::Turns).expect("a trace");
    let other = |text: &str| Event::Other(text.to_owned());
    let expected = [
        (
            "connection",
            vec![
                Event::Received(47),
                Event::Sent(240),
                Event::Sent(4096),
                other("close()"),
            ],
        ),
        ("\"/srv/www/a,b\"", vec![other("close()")]),
    ];
    let expected = expected.map(|(name, events)| Object {
        name: name.to_owned(),
        events,
    });
    assert_eq!(found, expected);
    assert_eq!(differs(&found[0].events, &expected[0].events), None);
    // A body before its head, and a call that is missing.
    let mut other = found[0].events.clone();
    other.swap(1, 2);
    assert_eq!(differs(&found[0].events, &other), Some(1));
    assert_eq!(differs(&found[0].events, &found[0].events[..3]), Some(3));
}
