//! Apache httpd with its event module, which moves connections between threads; graceful reload and end.

use std::process::Command;

use anyhow::Result;
use rustix::process::{Signal, geteuid};

use super::{on_each_executor, serve_files};
use crate::checks::answers::Traits;
use crate::checks::{Verdict, endings};
use crate::library::Mode;
use crate::place::{Place, write};
use crate::process::{Server, program};
use crate::scale::Scale;

on_each_executor! {
    sendfile => files(true);
    mapped => files(false);
    reload => reload;
    quit => quit;
}

const TRAITS: Traits = Traits {
    // Where no thread is idle it ends connections that wait for their next request.
    most_at_once: 40,
    ..Traits::ALL
};

fn files(sendfile: bool) -> impl Fn(&Mode, &Scale, &mut Verdict) {
    move |mode, scale, verdict| {
        serve_files(mode, scale, TRAITS, verdict, |place, name, mode| {
            start(place, name, mode, sendfile)
        });
    }
}

fn reload(mode: &Mode, scale: &Scale, verdict: &mut Verdict) {
    let outcome = || {
        let place = Place::new()?;
        let server = start(&place, "preloaded", mode, true)?;
        endings::reloads(&server, Signal::USR1, 2 * scale.rounds)?;
        endings::answers(&server)
    };
    verdict.check("reload", outcome);
}

fn quit(mode: &Mode, _scale: &Scale, verdict: &mut Verdict) {
    let outcome = || {
        let place = Place::new()?;
        // Its workers wait for each other, not for events, and what they send is passed through.
        endings::ends_gracefully(&place, mode, Signal::WINCH, false, |place, name, mode| {
            start(place, name, mode, true)
        })
    };
    verdict.check("quit", outcome);
}

fn start(place: &Place, name: &str, mode: &Mode, sendfile: bool) -> Result<Server> {
    let program = program("apache2", "apache2-bin")?;
    let folder = place.server(name)?;
    // It refuses to serve as root.
    let user = if geteuid().is_root() {
        "User www-data\nGroup www-data"
    } else {
        ""
    };
    let switch = |on| if on { "On" } else { "Off" };
    Server::start(&folder, mode, |address| {
        let text = format!(
            "ServerRoot {folder}
DefaultRuntimeDir {folder}
PidFile {folder}/pid
Listen {address}
ServerName test
{user}
LoadModule mpm_event_module /usr/lib/apache2/modules/mod_mpm_event.so
LoadModule authz_core_module /usr/lib/apache2/modules/mod_authz_core.so
ErrorLog {folder}/error.log
DocumentRoot {root}
EnableSendfile {sendfile}
EnableMMAP {mapped}
KeepAlive On
MaxKeepAliveRequests 0
KeepAliveTimeout 600
Timeout 600
StartServers 2
ServerLimit 2
ThreadsPerChild 48
MaxRequestWorkers 96
MinSpareThreads 1
MaxSpareThreads 96
AsyncRequestWorkerFactor 200
GracefulShutdownTimeout 50
",
            folder = folder.display(),
            root = place.root().display(),
            sendfile = switch(sendfile),
            mapped = switch(!sendfile),
        );
        let mut command = Command::new(&program);
        command
            .arg("-DFOREGROUND")
            .arg("-f")
            .arg(write(&folder, "apache.conf", &text)?);
        Ok(command)
    })
}
