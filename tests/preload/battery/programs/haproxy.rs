//! haproxy before a plain nginx: as a proxy of HTTP and of TCP, by copying and by splicing; reload.

use std::net::SocketAddr;
use std::process::Command;

use anyhow::Result;
use rustix::process::Signal;

use super::{nginx, on_each_executor, serve_files};
use crate::checks::answers::Traits;
use crate::checks::{Verdict, endings};
use crate::library::Mode;
use crate::place::{Place, write};
use crate::process::{Server, program};
use crate::scale::Scale;

#[derive(Clone, Copy, Debug)]
struct Config {
    mode: &'static str,
    option: &'static str,
}

const HTTP: Config = Config {
    mode: "http",
    option: "option http-server-close",
};
/// It needs two descriptors for each connection.
const TRAITS: Traits = Traits {
    most_connections: 3000,
    ..Traits::ALL
};
const TCP: Config = Config {
    mode: "tcp",
    option: "option splice-request\n    option splice-response",
};

on_each_executor! {
    http => files(HTTP);
    tcp_spliced => files(TCP);
    reload => reload;
}

fn files(config: Config) -> impl Fn(&Mode, &Scale, &mut Verdict) {
    move |mode, scale, verdict| {
        let origin_place = Place::new().expect("a place");
        let origin = nginx::origin(&origin_place).expect("an origin");
        serve_files(mode, scale, TRAITS, verdict, |place, name, mode| {
            start(place, name, mode, config, origin.address())
        });
    }
}

fn reload(mode: &Mode, scale: &Scale, verdict: &mut Verdict) {
    let outcome = || {
        let place = Place::new()?;
        let origin = nginx::origin(&place)?;
        let server = start(&place, "preloaded", mode, HTTP, origin.address())?;
        endings::reloads(&server, Signal::USR2, 2 * scale.rounds)?;
        endings::answers(&server)
    };
    verdict.check("reload", outcome);
}

fn start(place: &Place, name: &str, mode: &Mode, config: Config, origin: SocketAddr) -> Result<Server> {
    let program = program("haproxy", "haproxy")?;
    let folder = place.server(name)?;
    Server::start(&folder, mode, |address| {
        let text = format!(
            "global
    maxconn 4000
    maxpipes 500
    nbthread 2
    hard-stop-after 300s
    stats socket {folder}/stats.sock level admin expose-fd listeners
defaults
    mode {mode}
    timeout connect 60s
    timeout client 600s
    timeout server 600s
    {option}
frontend front
    bind {address} backlog 4096
    default_backend back
backend back
    server origin {origin}
",
            folder = folder.display(),
            mode = config.mode,
            option = config.option,
        );
        let mut command = Command::new(&program);
        command
            .args(["-W", "-db", "-f"])
            .arg(write(&folder, "haproxy.cfg", &text)?);
        Ok(command)
    })
}
