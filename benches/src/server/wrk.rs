use core::net::SocketAddr;
use core::time::Duration;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread::sleep;

use anyhow::{Context, Result, bail, ensure};
use rustix::process::{Pid, Signal, kill_process};

use super::child::find_program;
use crate::compare::pin_to;

const CONNECTIONS: usize = 64;
/// Requests that are sent at once where pipelining is measured.
pub(super) const PIPELINED: usize = 16;
/// The request of a pipelining client: [`PIPELINED`] copies of one.
const SCRIPT: &str = "local whole
function init(arguments)
  local copies = {}
  for copy = 1, 16 do copies[copy] = wrk.format() end
  whole = table.concat(copies)
end
function request() return whole end
";
const _: () = assert!(PIPELINED == 16, "the script says 16");

/// Debian's wrk: one thread, 64 connections.
#[derive(Debug)]
pub(super) struct Wrk {
    program: PathBuf,
    script: PathBuf,
    cpu: usize,
    home: usize,
}

/// What a round of load came to.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Load {
    pub(super) requests: u64,
    pub(super) requests_per_second: f64,
}

impl Wrk {
    /// A client on processor `cpu`; `home` is where the comparison itself runs.
    pub(super) fn new(scratch: &Path, cpu: usize, home: usize) -> Result<Self> {
        let script = scratch.join("pipelined.lua");
        std::fs::write(&script, SCRIPT).with_context(|| format!("cannot write {}", script.display()))?;
        Ok(Self {
            program: find_program("wrk", "wrk")?,
            script,
            cpu,
            home,
        })
    }

    /// Loads `http://ADDRESS/PATH` for `time`.
    ///
    /// wrk counts in whole seconds, but ends at once on SIGINT and reports what it did until then.
    pub(super) fn load(
        &self,
        address: SocketAddr,
        path: &str,
        pipelined: bool,
        time: Duration,
    ) -> Result<Load> {
        let mut command = Command::new(&self.program);
        command
            .args(["-t1", &format!("-c{CONNECTIONS}"), "-d600s"])
            .stdin(Stdio::null())
            .stdout(Stdio::piped());
        if pipelined {
            command.arg("-s").arg(&self.script);
        }
        command.arg(format!("http://{address}{path}"));
        pin_to(None, self.cpu)?;
        let child = command.spawn();
        pin_to(None, self.home)?;
        let mut child = child.context("cannot start wrk")?;
        sleep(time);
        kill_process(Pid::from_child(&child), Signal::INT).context("wrk ended early")?;
        let mut text = String::new();
        if let Some(mut stdout) = child.stdout.take() {
            stdout.read_to_string(&mut text)?;
        }
        ensure!(child.wait()?.success(), "wrk failed: {text}");
        parse(&text)
    }
}

fn parse(text: &str) -> Result<Load> {
    let mut requests = None;
    let mut requests_per_second = None;
    for line in text.lines().map(str::trim) {
        if line.starts_with("Socket errors:") || line.starts_with("Non-2xx") {
            bail!("wrk saw failures: {line}");
        }
        if let Some((count, _)) = line.split_once(" requests in ") {
            requests = count.parse().ok();
        } else if let Some(rate) = line.strip_prefix("Requests/sec:") {
            requests_per_second = rate.trim().parse().ok();
        }
    }
    let (Some(requests), Some(requests_per_second)) = (requests, requests_per_second) else {
        bail!("cannot understand wrk: {text}");
    };
    ensure!(requests > 0, "wrk had no answer at all");
    Ok(Load {
        requests,
        requests_per_second,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn output_is_understood() {
        let good = "Running 10m test @ http://127.0.0.1:1/\n  1 threads and 64 connections\n\
                    \x20 90671 requests in 503.06ms, 15.2MB read\nRequests/sec: 180239.07\nTransfer/sec: 30MB\n";
        assert_eq!(
            parse(good).unwrap(),
            Load {
                requests: 90_671,
                requests_per_second: 180_239.07
            }
        );
        let bad = format!("{good}  Socket errors: connect 0, read 3, write 0, timeout 0\n");
        assert!(parse(&bad).unwrap_err().to_string().contains("read 3"));
        let bad = format!("{good}  Non-2xx or 3xx responses: 7\n");
        assert!(parse(&bad).unwrap_err().to_string().contains("responses: 7"));
        assert!(parse("").is_err());
    }
}
