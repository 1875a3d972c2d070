//! Real programs with and without the preloaded library.

use anyhow::Result;

use super::units::tested;
use crate::context::Context;
use crate::report::Outcome;
use crate::toolchain::on_path;

/// What the battery starts.
const PROGRAMS: [&str; 11] = [
    "nginx",
    "lighttpd",
    "apache2",
    "haproxy",
    "redis-server",
    "redis-benchmark",
    "memcached",
    "python3",
    "curl",
    "strace",
    "cc",
];

pub(super) fn run(context: &Context) -> Result<Outcome> {
    let absent: Vec<_> = PROGRAMS.into_iter().filter(|program| !on_path(program)).collect();
    if !absent.is_empty() {
        return Ok(Outcome::missing(&format!("no {}", absent.join(", "))));
    }
    let mut command = context
        .runner
        .cargo(["test", "-p", "preload-tests", "--no-fail-fast"]);
    if context.long {
        // Everything three times in a row, and more of it.
        command.env("ESCA_BATTERY", "long");
    }
    tested(context, &mut command)
}
