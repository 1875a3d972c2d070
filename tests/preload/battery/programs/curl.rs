//! curl as a client: of a plain nginx, and sending to a server in this test.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;

use anyhow::{Context, Result, bail, ensure};

use super::{nginx, on_each_executor};
use crate::checks::client::Client;
use crate::checks::{Verdict, difference};
use crate::library::Mode;
use crate::place::{Place, SIZES, content, name};
use crate::process::program;
use crate::scale::Scale;

on_each_executor! {
    client => hold;
}

fn hold(mode: &Mode, _scale: &Scale, verdict: &mut Verdict) {
    verdict.check("download", || download(mode));
    verdict.check("upload", || upload(mode));
}

/// Runs both ways; what is printed has to be the same, and `expected`.
fn both(mode: &Mode, arguments: &[String], expected: &[u8]) -> Result<()> {
    for (who, mode) in [("plain", &Mode::Plain), ("preloaded", mode)] {
        let mut command = Command::new(program("curl", "curl")?);
        command
            .args(["--silent", "--show-error", "--fail", "--max-time", "300"])
            .args(arguments);
        mode.apply(&mut command);
        let output = command.stdin(Stdio::null()).output().context("curl")?;
        ensure!(
            output.status.success() && output.stderr.is_empty(),
            "{who}: {command:?}: {}: {}",
            output.status,
            String::from_utf8_lossy(&output.stderr)
        );
        if let Some(difference) = difference(expected, &output.stdout) {
            bail!("{who}: {command:?}: {difference}");
        }
    }
    Ok(())
}

fn download(mode: &Mode) -> Result<()> {
    let place = Place::new()?;
    let origin = nginx::origin(&place)?;
    let address = |size| format!("http://{}/{}", origin.address(), name(size));
    for size in SIZES {
        both(mode, &[address(size)], content(size))?;
    }
    // All on one connection, in their order.
    let all: Vec<u8> = SIZES.iter().flat_map(|&size| content(size)).copied().collect();
    both(mode, &SIZES.map(address), &all)?;
    both(
        mode,
        &["--range".to_owned(), "1000-250000".to_owned(), address(300_000)],
        &content(300_000)[1000..=250_000],
    )?;
    // Side by side, each to a file of its own.
    for (who, mode) in [("plain", &Mode::Plain), ("preloaded", mode)] {
        let folder = place.server(who)?;
        let mut command = Command::new(program("curl", "curl")?);
        command.args([
            "--silent",
            "--show-error",
            "--fail",
            "--parallel",
            "--remote-name-all",
        ]);
        command.args(SIZES.map(address)).current_dir(&folder);
        mode.apply(&mut command);
        let output = command.stdin(Stdio::null()).output().context("curl")?;
        ensure!(
            output.status.success(),
            "{who}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        // curl makes no file for an empty answer.
        for size in SIZES.into_iter().filter(|&size| size > 0) {
            if let Some(difference) = difference(content(size), &fs::read(folder.join(name(size)))?) {
                bail!("{who}: {}: {difference}", name(size));
            }
        }
    }
    Ok(())
}

fn upload(mode: &Mode) -> Result<()> {
    let place = Place::new()?;
    let address = echo_content()?;
    for size in SIZES {
        let file = place.root().join(name(size));
        for field in ["Expect:", "Expect: 100-continue"] {
            let arguments = [
                "--upload-file",
                path(&file)?,
                "--header",
                field,
                &format!("http://{address}/"),
            ];
            both(mode, &arguments.map(str::to_owned), content(size))?;
        }
    }
    Ok(())
}

fn path(path: &Path) -> Result<&str> {
    path.to_str().context("a path in UTF-8")
}

/// A server that sends back what it is sent, for as long as the test runs.
fn echo_content() -> Result<SocketAddr> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let address = listener.local_addr()?;
    thread::spawn(move || {
        // A client that fails says so itself.
        for stream in listener.incoming().flatten() {
            let _failed = Client::over(stream).and_then(|mut client| echo(&mut client));
        }
    });
    Ok(address)
}

fn echo(client: &mut Client) -> Result<()> {
    while let Some(head) = client.take_until(b"\r\n\r\n")? {
        let head = String::from_utf8(head)?;
        let length = head
            .lines()
            .find_map(|line| line.strip_prefix("Content-Length: "));
        let length: usize = length.unwrap_or("0").parse()?;
        if head.contains("100-continue") {
            client.send(b"HTTP/1.1 100 Continue\r\n\r\n")?;
        }
        let content = client.take(length)?;
        client.send(format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n").as_bytes())?;
        client.send(&content)?;
    }
    Ok(())
}
