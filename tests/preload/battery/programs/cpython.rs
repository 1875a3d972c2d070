//! CPython: a server on asyncio, and the blocking, threaded one of its library.

use std::path::Path;
use std::process::Command;

use super::{on_each_executor, serve_files};
use crate::checks::Verdict;
use crate::checks::answers::Traits;
use crate::library::Mode;
use crate::process::{Server, program};
use crate::scale::Scale;

on_each_executor! {
    asyncio => asyncio;
    http_server => http_server;
}

const TRAITS: Traits = Traits {
    ranges: false,
    survives_errors: false,
    // A thread for each in one of them.
    most_connections: 300,
    ..Traits::ALL
};

/// `python3 -m http.server`, but for the five connections that may wait there: on the sixth the kernel drops what it gets,
/// and the client waits a second.
const HTTP_SERVER: &str = "
import functools, http.server, sys
http.server.ThreadingHTTPServer.request_queue_size = 4096
http.server.SimpleHTTPRequestHandler.protocol_version = 'HTTP/1.1'
handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=sys.argv[3])
http.server.ThreadingHTTPServer((sys.argv[1], int(sys.argv[2])), handler).serve_forever()
";

fn asyncio(mode: &Mode, scale: &Scale, verdict: &mut Verdict) {
    serve_files(mode, scale, TRAITS, verdict, |place, name, mode| {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("battery/programs/asyncio_server.py");
        Server::start(&place.server(name)?, mode, |address| {
            let mut command = Command::new(program("python3", "python3")?);
            command.arg(&script).arg(address.to_string()).arg(place.root());
            Ok(command)
        })
    });
}

fn http_server(mode: &Mode, scale: &Scale, verdict: &mut Verdict) {
    serve_files(mode, scale, TRAITS, verdict, |place, name, mode| {
        Server::start(&place.server(name)?, mode, |address| {
            let mut command = Command::new(program("python3", "python3")?);
            command.args(["-c", HTTP_SERVER]).arg(address.ip().to_string());
            command.arg(address.port().to_string()).arg(place.root());
            Ok(command)
        })
    });
}
