//! lighttpd with each of its network backends; graceful restart and end.

use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;

use anyhow::Result;
use rustix::process::Signal;

use super::{on_each_executor, serve_files};
use crate::checks::answers::Traits;
use crate::checks::{Verdict, endings};
use crate::library::Mode;
use crate::order;
use crate::place::{Place, write};
use crate::process::{Server, program};
use crate::scale::Scale;

on_each_executor! {
    sendfile => files("sendfile");
    writev => files("writev");
    write => files("write");
    restart => restart;
    quit => quit;
}

fn files(backend: &'static str) -> impl Fn(&Mode, &Scale, &mut Verdict) {
    move |mode, scale, verdict| {
        serve_files(mode, scale, Traits::ALL, verdict, |place, name, mode| {
            start(place, name, mode, backend)
        });
    }
}

fn restart(mode: &Mode, scale: &Scale, verdict: &mut Verdict) {
    let outcome = || {
        let place = Place::new()?;
        let server = start(&place, "preloaded", mode, "sendfile")?;
        endings::reloads(&server, Signal::USR1, 2 * scale.rounds)?;
        endings::answers(&server)
    };
    verdict.check("restart", outcome);
}

fn quit(mode: &Mode, _scale: &Scale, verdict: &mut Verdict) {
    for backend in ["sendfile", "writev"] {
        let outcome = || {
            let place = Place::new()?;
            endings::ends_gracefully(&place, mode, Signal::INT, true, |place, name, mode| {
                start(place, name, mode, backend)
            })
        };
        verdict.check(backend, outcome);
    }
}

fn start(place: &Place, name: &str, mode: &Mode, backend: &str) -> Result<Server> {
    let folder = place.server(name)?;
    Server::start(&folder, mode, |address| command(place, &folder, address, backend))
}

fn command(place: &Place, folder: &Path, address: SocketAddr, backend: &str) -> Result<Command> {
    let text = format!(
        "server.document-root = \"{root}\"
server.bind = \"{ip}\"
server.port = {port}
server.network-backend = \"{backend}\"
server.max-keep-alive-requests = 65535
server.max-keep-alive-idle = 600
server.max-read-idle = 600
server.max-write-idle = 600
server.max-fds = 20000
server.max-connections = 16384
server.listen-backlog = 4096
server.modules = (\"mod_accesslog\")
accesslog.filename = \"{folder}/access.log\"
mimetype.assign = ( \"\" => \"application/octet-stream\" )
",
        root = place.root().display(),
        ip = address.ip(),
        port = address.port(),
        folder = folder.display(),
    );
    let mut command = Command::new(program("lighttpd", "lighttpd")?);
    command
        .arg("-D")
        .arg("-f")
        .arg(write(folder, "lighttpd.conf", &text)?);
    Ok(command)
}

#[test]
fn order_of_calls() {
    super::rounds("direct", |mode, _, verdict| {
        for backend in ["sendfile", "writev"] {
            let start = |place: &_, folder: &_, address| command(place, folder, address, backend);
            verdict.check(backend, || {
                order::compare(&mode.with("ESCA_PRELOAD_OPTIMISE", "off"), start)
            });
        }
    });
}
