use core::fmt;

use anyhow::Result;

use super::samples::significant;
use super::{Comparison, Options, Workload};

/// The machine-readable end of a comparison: ratios and figures under their keys.
///
/// Its `Display` is one line each, `ratio KEY VALUE` and `figure KEY VALUE UNIT`, where a ratio is the rival's
/// cost divided by ours: above 1 we win.
#[derive(Clone, Debug, Default)]
pub struct Report {
    ratios: Vec<(String, f64)>,
    figures: Vec<(String, f64, String)>,
}

impl Report {
    /// An empty report.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            ratios: Vec::new(),
            figures: Vec::new(),
        }
    }

    /// Runs the workload, prints its table at once and keeps its ratios.
    ///
    /// # Errors
    ///
    /// When two contestants computed different results.
    pub fn measure(&mut self, options: &Options, workload: Workload<'_>) -> Result<()> {
        self.add(&workload.run(options, options.rounds())?);
        Ok(())
    }

    /// As [`measure`](Self::measure), over several builds of the workload with a share of the rounds each.
    ///
    /// For workloads that fill a cache: which physical pages a build gets decides how its lines fall into the
    /// second-level cache, and stays the same over all rounds of that build.
    ///
    /// # Errors
    ///
    /// When a build fails, or two contestants computed different results.
    pub fn measure_rebuilt<'a>(
        &mut self,
        options: &Options,
        mut build: impl FnMut() -> Result<Workload<'a>>,
    ) -> Result<()> {
        let rounds = options.rounds().div_ceil(options.builds());
        let mut all = build()?.run(options, rounds)?;
        for _ in 1..options.builds() {
            all.extend(build()?.run(options, rounds)?);
        }
        self.add(&all);
        Ok(())
    }

    /// Prints the table of a comparison measured elsewhere and keeps its ratios.
    pub fn add(&mut self, comparison: &Comparison) {
        println!("{comparison}");
        self.ratios.extend(comparison.ratios());
    }

    /// Keeps a ratio: `value` is the rival's cost divided by ours.
    pub fn ratio(&mut self, key: impl Into<String>, value: f64) {
        self.ratios.push((key.into(), value));
    }

    /// Keeps a figure, such as a size.
    pub fn figure(&mut self, key: impl Into<String>, value: f64, unit: impl Into<String>) {
        self.figures.push((key.into(), value, unit.into()));
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (key, value) in &self.ratios {
            writeln!(f, "ratio {key} {value:.3}")?;
        }
        for (key, value, unit) in &self.figures {
            writeln!(f, "figure {key} {} {unit}", significant(*value))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_stable() {
        let mut report = Report::new();
        report.ratio("wheel.rearm.1e3.binaryheap", 5.25);
        report.figure("wheel.node_bytes", 24.0, "bytes");
        assert_eq!(
            report.to_string(),
            "ratio wheel.rearm.1e3.binaryheap 5.250\nfigure wheel.node_bytes 24.00 bytes\n"
        );
    }
}
