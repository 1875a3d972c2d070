//! The comparison of `trie`.

use anyhow::{Result, bail};

use crate::compare::{Options, Report};

/// Measures everything and returns the ratios and figures.
///
/// # Errors
///
/// Always: nothing is measured here yet.
pub fn run(_options: &Options) -> Result<Report> {
    bail!("`compare trie` has no workloads yet")
}
