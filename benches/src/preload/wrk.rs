use core::net::SocketAddr;
use core::time::Duration;
use std::io::Read;
use std::process::{Command, Stdio};
use std::thread::sleep;

use anyhow::{Context, Result, bail, ensure};
use rustix::process::{Pid, Signal, kill_process};

use crate::compare::pin_to;
use crate::server::child::find_program;

/// What a round of load came to.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Load {
    pub(super) requests: u64,
    pub(super) per_second: f64,
    /// Latency in microseconds on average, and below which 99 of 100 requests stayed.
    pub(super) mean: f64,
    pub(super) late: f64,
}

/// Loads `http://ADDRESS/PATH` for `time` with four threads and 50 connections, all on processor `cpu`.
///
/// wrk counts in whole seconds, but ends at once on SIGINT and reports what it did until then.
pub(super) fn load(address: SocketAddr, path: &str, cpu: usize, time: Duration) -> Result<Load> {
    let mut command = Command::new(find_program("wrk", "wrk")?);
    command
        .args(["-t4", "-c50", "-d600s", "--latency"])
        .arg(format!("http://{address}{path}"));
    // A child inherits its parent's processor.
    pin_to(None, cpu)?;
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .context("cannot start wrk")?;
    sleep(time);
    kill_process(Pid::from_child(&child), Signal::INT).context("wrk ended early")?;
    let mut text = String::new();
    if let Some(mut stdout) = child.stdout.take() {
        stdout.read_to_string(&mut text)?;
    }
    ensure!(child.wait()?.success(), "wrk failed: {text}");
    parse(&text).with_context(|| format!("cannot understand wrk: {text}"))
}

fn parse(text: &str) -> Result<Load> {
    let (mut requests, mut per_second, mut mean, mut late) = (None, None, None, None);
    for line in text.lines().map(str::trim) {
        if line.starts_with("Socket errors:") || line.starts_with("Non-2xx") {
            bail!("wrk saw failures: {line}");
        }
        let mut words = line.split_whitespace();
        match (words.next(), words.next()) {
            (Some("Latency"), Some(value)) if value != "Distribution" => mean = microseconds(value),
            (Some("99%"), Some(value)) => late = microseconds(value),
            (Some("Requests/sec:"), Some(value)) => per_second = value.parse().ok(),
            (Some(count), Some("requests")) => requests = count.parse().ok().filter(|&count| count > 0),
            _ => {}
        }
    }
    Ok(Load {
        requests: requests.context("no requests")?,
        per_second: per_second.context("no rate")?,
        mean: mean.context("no latency")?,
        late: late.context("no distribution")?,
    })
}

/// A time as wrk prints it.
fn microseconds(text: &str) -> Option<f64> {
    let (number, factor) = if let Some(number) = text.strip_suffix("us") {
        (number, 1.0)
    } else if let Some(number) = text.strip_suffix("ms") {
        (number, 1e3)
    } else {
        (text.strip_suffix('s')?, 1e6)
    };
    Some(number.parse::<f64>().ok()? * factor)
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "Running 10m test @ http://127.0.0.1:1/\n  4 threads and 50 connections\n\
        \x20 Thread Stats   Avg      Stdev     Max   +/- Stdev\n    Latency   329.15us   90.00us   2.06ms   70%\n\
        \x20 Latency Distribution\n     50%  330.00us\n     99%    1.52ms\n\
        \x20 90671 requests in 503.06ms, 15.2MB read\nRequests/sec: 180239.07\nTransfer/sec: 30MB\n";

    #[test]
    fn output_is_understood() {
        let expected = Load {
            requests: 90_671,
            per_second: 180_239.07,
            mean: 329.15,
            late: 1520.0,
        };
        assert_eq!(parse(GOOD).unwrap(), expected);
    }

    #[test]
    fn errors_are_not_overlooked() {
        let bad = format!("{GOOD}  Socket errors: connect 0, read 3, write 0, timeout 0\n");
        assert!(parse(&bad).unwrap_err().to_string().contains("read 3"));
        let bad = format!("{GOOD}  Non-2xx or 3xx responses: 7\n");
        assert!(parse(&bad).unwrap_err().to_string().contains("responses: 7"));
        assert!(parse("").is_err());
    }
}
