use core::net::SocketAddr;
use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use rustix::process::geteuid;

use super::child::{Place, Server, find_program};

/// The body of `/hello`, twelve bytes.
pub(crate) const HELLO: &str = "hello world\n";
/// The hidden subcommand that runs the floor.
const FLOOR_SUBCOMMAND: &str = "epoll-floor";

/// nginx with one worker: no access log, open files cached, one file and its head in one push.
pub(super) fn nginx(place: Place<'_>) -> Result<Server> {
    Server::start("nginx", place, |address| nginx_command(place, address, true))
}

/// As [`nginx`], with a choice of whether a file and its head leave in one push.
pub(crate) fn nginx_command(place: Place<'_>, address: SocketAddr, nopush: bool) -> Result<Command> {
    let program = find_program("nginx", "nginx-light")?;
    let scratch = place.scratch.display();
    // A worker that gave root away could not enter the temporary folder.
    let user = if geteuid().is_root() { "user root;" } else { "" };
    let nopush = if nopush { "on" } else { "off" };
    let config = format!(
        "{user}
daemon off;
worker_processes 1;
worker_rlimit_nofile 20000;
pid {scratch}/nginx.pid;
error_log stderr crit;
events {{
    use epoll;
    worker_connections 16384;
}}
http {{
    access_log off;
    sendfile on;
    tcp_nopush {nopush};
    tcp_nodelay on;
    keepalive_timeout 3600s;
    keepalive_requests 1000000000;
    open_file_cache max=1000 inactive=3600s;
    open_file_cache_valid 3600s;
    open_file_cache_min_uses 1;
    default_type text/plain;
    client_body_temp_path {scratch}/nginx-body;
    proxy_temp_path {scratch}/nginx-proxy;
    fastcgi_temp_path {scratch}/nginx-fastcgi;
    uwsgi_temp_path {scratch}/nginx-uwsgi;
    scgi_temp_path {scratch}/nginx-scgi;
    server {{
        listen {address} backlog=4096;
        root {root};
        location = /hello {{ return 200 \"{HELLO}\"; }}
    }}
}}
",
        root = place.root.display(),
    );
    let path = write(place.scratch, "nginx.conf", &config)?;
    let mut command = Command::new(program);
    command
        .arg("-p")
        .arg(place.scratch)
        .arg("-e")
        .arg("stderr")
        .arg("-c")
        .arg(path);
    Ok(command)
}

/// lighttpd: no access log, its default and quickest `sendfile` backend, stat results cached.
pub(super) fn lighttpd(place: Place<'_>) -> Result<Server> {
    Server::start("lighttpd", place, |address| lighttpd_command(place, address))
}

/// The command of [`lighttpd`].
pub(crate) fn lighttpd_command(place: Place<'_>, address: SocketAddr) -> Result<Command> {
    let program = find_program("lighttpd", "lighttpd")?;
    let config = format!(
        "server.document-root = \"{root}\"
server.bind = \"{ip}\"
server.port = {port}
server.event-handler = \"linux-sysepoll\"
server.network-backend = \"sendfile\"
server.stat-cache-engine = \"simple\"
server.max-keep-alive-requests = 65535
server.max-keep-alive-idle = 3600
server.max-read-idle = 3600
server.max-write-idle = 3600
server.max-fds = 20000
server.max-connections = 16384
server.listen-backlog = 4096
server.modules = ()
mimetype.assign = ( \"\" => \"text/plain\" )
",
        root = place.root.display(),
        ip = address.ip(),
        port = address.port(),
    );
    let path = write(place.scratch, "lighttpd.conf", &config)?;
    let mut command = Command::new(program);
    command.arg("-D").arg("-f").arg(path);
    Ok(command)
}

/// The least that a server can do, run by this very program.
pub(super) fn epoll_floor(place: Place<'_>) -> Result<Server> {
    let own = env::current_exe().context("cannot find the running program")?;
    Server::start("epoll_floor", place, |address| {
        let mut command = Command::new(own);
        command.arg(FLOOR_SUBCOMMAND).arg(address.to_string());
        Ok(command)
    })
}

/// Ours: `program --listen ADDRESS --root FOLDER`, which answers `/hello` and serves the folder.
pub(super) fn ours(program: &Path, place: Place<'_>) -> Result<Server> {
    Server::start("anglerfish", place, |address| {
        Ok(start_ours(program, place, address))
    })
}

/// Ours with its batches run by this executor.
pub(super) fn ours_by(executor: &str, program: &Path, place: Place<'_>) -> Result<Server> {
    Server::start(executor, place, |address| {
        let mut command = start_ours(program, place, address);
        command.env("ESCA_EXECUTOR", executor);
        Ok(command)
    })
}

fn start_ours(program: &Path, place: Place<'_>, address: SocketAddr) -> Command {
    let mut command = Command::new(program);
    command
        .args(["--listen", &address.to_string(), "--root"])
        .arg(place.root);
    command
}

/// The example server `hello`, built for release beside this program.
pub(super) fn find_ours() -> Result<PathBuf> {
    let own = env::current_exe().context("cannot find the running program")?;
    let beside = own
        .parent()
        .context("the running program is in no folder")?
        .join("examples/hello");
    ensure!(
        beside.is_file(),
        "{} is missing: build it with `cargo build --release -p anglerfish --example hello`",
        beside.display()
    );
    Ok(beside)
}

fn write(folder: &Path, name: &str, text: &str) -> Result<PathBuf> {
    let path = folder.join(name);
    fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))?;
    Ok(path)
}
