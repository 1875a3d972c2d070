use core::net::SocketAddr;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};

use crate::compare::pin_to;
use crate::server::child::find_program;

/// Makes `requests` requests with `ab -k` over 50 connections and returns how many were answered in a second.
pub(super) fn load(address: SocketAddr, path: &str, cpus: [usize; 2], requests: u64) -> Result<f64> {
    let program = find_program("ab", "apache2-utils")?;
    pin_to(None, cpus[1])?;
    let output = Command::new(program)
        .args(["-q", "-k", "-c50", "-n"])
        .arg(requests.to_string())
        .arg(format!("http://{address}{path}"))
        .stdin(Stdio::null())
        .output()
        .context("cannot start ab")?;
    let text = String::from_utf8_lossy(&output.stdout);
    ensure!(
        output.status.success(),
        "ab failed: {}{text}",
        String::from_utf8_lossy(&output.stderr)
    );
    parse(&text, requests).with_context(|| format!("ab said {text}"))
}

fn parse(text: &str, requests: u64) -> Result<f64> {
    let value = |name: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(name))?;
        line.split_whitespace().next()?.parse::<f64>().ok()
    };
    ensure!(
        value("Complete requests:") == Some(requests as f64),
        "not all were answered"
    );
    ensure!(value("Failed requests:") == Some(0.0), "some failed");
    ensure!(
        value("Write errors:").is_none_or(|count| count == 0.0),
        "write errors"
    );
    ensure!(value("Non-2xx responses:").is_none(), "errors of HTTP");
    value("Requests per second:").context("no rate")
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "Complete requests:      100\nFailed requests:        0\nKeep-Alive requests:    99\n\
        Requests per second:    52361.11 [#/sec] (mean)\n";

    #[test]
    fn output_is_understood() {
        assert_eq!(parse(GOOD, 100).unwrap(), 52_361.11);
    }

    #[test]
    fn failures_are_not_overlooked() {
        assert!(parse(GOOD, 101).is_err());
        assert!(parse(&GOOD.replace("requests:        0", "requests:        1"), 100).is_err());
        assert!(parse(&format!("{GOOD}Non-2xx responses:      3\n"), 100).is_err());
        assert!(parse("", 0).is_err());
    }
}
