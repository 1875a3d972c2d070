//! nginx: its switches that change how a file and its head leave, several workers, an access log; reload, upgrade, quit.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Result, ensure};
use rustix::process::{Pid, Signal, geteuid, kill_process};

use super::{on_each_executor, serve_files};
use crate::checks::answers::Traits;
use crate::checks::many::Load;
use crate::checks::{Verdict, endings};
use crate::library::Mode;
use crate::order;
use crate::patience::Patience;
use crate::place::{Place, write};
use crate::process::{Server, maps, program, state};
use crate::scale::Scale;

#[derive(Clone, Copy, Debug)]
struct Config {
    sendfile: bool,
    nopush: bool,
    workers: u32,
    log: bool,
}

on_each_executor! {
    sendfile => files(Config { sendfile: true, nopush: false, workers: 1, log: false });
    sendfile_nopush => files(Config { sendfile: true, nopush: true, workers: 1, log: false });
    no_sendfile => files(Config { sendfile: false, nopush: false, workers: 1, log: false });
    no_sendfile_nopush => files(Config { sendfile: false, nopush: true, workers: 1, log: false });
    two_workers_log => files(Config { sendfile: true, nopush: true, workers: 2, log: true });
    two_workers_no_sendfile_log => files(Config { sendfile: false, nopush: false, workers: 2, log: true });
    reload => reload;
    upgrade => upgrade;
    quit => quit;
}

fn files(config: Config) -> impl Fn(&Mode, &Scale, &mut Verdict) {
    move |mode, scale, verdict| {
        serve_files(mode, scale, Traits::ALL, verdict, |place, name, mode| {
            start(place, name, mode, config)
        });
    }
}

const TWO: Config = Config {
    sendfile: true,
    nopush: true,
    workers: 2,
    log: false,
};

fn reload(mode: &Mode, scale: &Scale, verdict: &mut Verdict) {
    let outcome = || {
        let place = Place::new()?;
        let server = start(&place, "preloaded", mode, TWO)?;
        endings::reloads(&server, Signal::HUP, 3 * scale.rounds)?;
        endings::answers(&server)
    };
    verdict.check("reload", outcome);
}

fn quit(mode: &Mode, _scale: &Scale, verdict: &mut Verdict) {
    for config in [
        TWO,
        Config {
            sendfile: false,
            ..TWO
        },
    ] {
        let outcome = || {
            let place = Place::new()?;
            endings::ends_gracefully(&place, mode, Signal::QUIT, true, |place, name, mode| {
                start(place, name, mode, config)
            })
        };
        verdict.check("quit", outcome);
    }
}

/// A new binary takes the listener over and the old one ends, under load.
fn upgrade(mode: &Mode, scale: &Scale, verdict: &mut Verdict) {
    let outcome = || {
        let place = Place::new()?;
        // A master whose parent is still the one that started it refuses an upgrade.
        let server = launch(&place, "preloaded", mode, TWO, true)?;
        let folder = place.server("preloaded")?;
        let load = Load::new();
        load.around(server.address(), 6, || {
            for _ in 0..scale.rounds {
                load.wait_for(60)?;
                let old = waited("no process", || master(&folder))?;
                kill_process(old, Signal::USR2)?;
                let new = waited("no new binary", || master(&folder).filter(|&new| new != old))?;
                load.wait_for(60)?;
                kill_process(old, Signal::WINCH)?;
                load.wait_for(60)?;
                kill_process(old, Signal::QUIT)?;
                waited("the old binary does not end", || {
                    matches!(state(old.as_raw_nonzero().get() as u32), None | Some('Z')).then_some(())
                })?;
                load.wait_for(60)?;
                if let Some(library) = mode.library() {
                    ensure!(
                        maps(new.as_raw_nonzero().get() as u32, library)?,
                        "the new binary runs without the library"
                    );
                }
            }
            Ok(())
        })?;
        endings::answers(&server)
    };
    verdict.check("upgrade", outcome);
}

/// What the file says that holds the master's id.
fn master(folder: &Path) -> Option<Pid> {
    let text = fs::read_to_string(folder.join("nginx.pid")).ok()?;
    Pid::from_raw(text.trim().parse().ok()?)
}

fn waited<T>(otherwise: &str, probe: impl Fn() -> Option<T>) -> Result<T> {
    let mut patience = Patience::new();
    loop {
        if let Some(found) = probe() {
            return Ok(found);
        }
        ensure!(patience.lasts(Duration::from_millis(5)), "{otherwise}");
    }
}

#[test]
fn order_of_calls() {
    super::rounds("direct", |mode, _, verdict| {
        let one = Config { workers: 1, ..TWO };
        for config in [
            one,
            Config { nopush: false, ..one },
            Config {
                sendfile: false,
                ..one
            },
        ] {
            let start = |place: &_, folder: &_, address| command(place, folder, address, config);
            verdict.check(&format!("{config:?}"), || {
                order::compare(&mode.with("ESCA_PRELOAD_OPTIMISE", "off"), start)
            });
        }
    });
}

/// A plain nginx, for those that need a server behind them.
pub(super) fn origin(place: &Place) -> Result<Server> {
    start(place, "origin", &Mode::Plain, TWO)
}

/// One worker, with its own defaults.
pub(super) fn start_simple(place: &Place, name: &str, mode: &Mode) -> Result<Server> {
    let config = Config {
        nopush: false,
        workers: 1,
        ..TWO
    };
    start(place, name, mode, config)
}

fn start(place: &Place, name: &str, mode: &Mode, config: Config) -> Result<Server> {
    launch(place, name, mode, config, false)
}

fn launch(place: &Place, name: &str, mode: &Mode, config: Config, orphan: bool) -> Result<Server> {
    let folder = place.server(name)?;
    Server::start(&folder, mode, |address| {
        let nginx = command(place, &folder, address, config)?;
        if !orphan {
            return Ok(nginx);
        }
        // It looks for its parent before it writes this file.
        let mut shell = Command::new("sh");
        shell.args(["-c", "\"$@\" & until test -s \"$0\"; do sleep 0.01; done"]);
        shell
            .arg(folder.join("nginx.pid"))
            .arg(nginx.get_program())
            .args(nginx.get_args());
        Ok(shell)
    })
}

fn command(place: &Place, folder: &Path, address: SocketAddr, config: Config) -> Result<Command> {
    let text = configuration(place, &folder.display().to_string(), &address.to_string(), config);
    let mut command = Command::new(program("nginx", "nginx-light")?);
    command.arg("-p").arg(folder).args(["-e", "stderr", "-c"]);
    command.arg(write(folder, "nginx.conf", &text)?);
    Ok(command)
}

fn configuration(place: &Place, folder: &str, address: &str, config: Config) -> String {
    let on = |switch| if switch { "on" } else { "off" };
    // A worker that gave root away could not enter the temporary folder.
    let user = if geteuid().is_root() { "user root;" } else { "" };
    let log = if config.log {
        format!("{folder}/access.log plain")
    } else {
        "off".to_owned()
    };
    format!(
        "{user}
daemon off;
worker_processes {workers};
worker_rlimit_nofile 20000;
pid {folder}/nginx.pid;
error_log stderr warn;
env LD_PRELOAD;
env ESCA_EXECUTOR;
env ESCA_DEFER;
env ESCA_STATS;
events {{ worker_connections 16384; }}
http {{
    log_format plain '$request $status $bytes_sent';
    access_log {log};
    sendfile {sendfile};
    tcp_nopush {nopush};
    keepalive_requests 1000000;
    keepalive_timeout 600s;
    client_header_timeout 600s;
    send_timeout 600s;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    server {{
        listen {address} backlog=4096;
        root {root};
    }}
}}
",
        workers = config.workers,
        sendfile = on(config.sendfile),
        nopush = on(config.nopush),
        root = place.root().display(),
    )
}
