use core::fmt;

/// One contestant's cost in each round, in the unit of its [`Comparison`].
#[derive(Clone, Debug)]
pub struct Samples {
    name: String,
    per_round: Vec<f64>,
}

impl Samples {
    /// The costs of `name`, in the order of the rounds.
    #[must_use]
    pub fn new(name: impl Into<String>, per_round: Vec<f64>) -> Self {
        Self {
            name: name.into(),
            per_round,
        }
    }

    /// The contestant's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The value below which the share `share` (0 to 1) of the rounds lies, interpolated between neighbours;
    /// NaN without rounds.
    #[must_use]
    pub fn percentile(&self, share: f64) -> f64 {
        percentile(&self.per_round, share)
    }
}

/// What one workload cost each of its contestants.
#[derive(Clone, Debug)]
pub struct Comparison {
    key: String,
    unit: String,
    ours: Option<Samples>,
    rivals: Vec<Samples>,
}

impl Comparison {
    /// A comparison of costs: less is better. Sample `i` of every contestant belongs to round `i`.
    ///
    /// `ours` may be missing, and then there is a table but no ratio.
    #[must_use]
    pub fn new(
        key: impl Into<String>,
        unit: impl Into<String>,
        ours: Option<Samples>,
        rivals: Vec<Samples>,
    ) -> Self {
        Self {
            key: key.into(),
            unit: unit.into(),
            ours,
            rivals,
        }
    }

    /// Appends the rounds of another comparison of the same contestants in the same order.
    pub(super) fn extend(&mut self, other: Self) {
        let mine = self.ours.iter_mut().chain(&mut self.rivals);
        let others = other.ours.into_iter().chain(other.rivals);
        for (mine, other) in mine.zip(others) {
            debug_assert_eq!(mine.name, other.name);
            mine.per_round.extend(other.per_round);
        }
    }

    /// `KEY.RIVAL` and the median over the rounds of the rival's cost divided by ours, for each rival.
    ///
    /// Dividing inside a round first keeps the drift of the machine's speed out of the figure.
    pub fn ratios(&self) -> impl Iterator<Item = (String, f64)> {
        self.ours.iter().flat_map(|ours| {
            self.rivals.iter().map(|rival| {
                let by_round: Vec<f64> = rival
                    .per_round
                    .iter()
                    .zip(&ours.per_round)
                    .map(|(rival, ours)| rival / ours)
                    .collect();
                (format!("{}.{}", self.key, rival.name), percentile(&by_round, 0.5))
            })
        })
    }
}

impl fmt::Display for Comparison {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let all = || self.ours.iter().chain(&self.rivals);
        let width = all().map(|samples| samples.name.len()).max().unwrap_or(0).max(28);
        let heading_width = width + 2;
        let heading = format!("{} [{}]", self.key, self.unit);
        writeln!(
            f,
            "{heading:<heading_width$} {:>10} {:>10} {:>10} {:>10}",
            "min", "p10", "median", "p90"
        )?;
        for samples in all() {
            write!(f, "  {:<width$}", samples.name)?;
            for share in [0.0, 0.1, 0.5, 0.9] {
                write!(f, " {:>10}", significant(samples.percentile(share)))?;
            }
            writeln!(f)?;
        }
        Ok(())
    }
}

fn percentile(values: &[f64], share: f64) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    let Some(last) = sorted.len().checked_sub(1) else {
        return f64::NAN;
    };
    let position = share.clamp(0.0, 1.0) * last as f64;
    let below = position.floor();
    let low = sorted[below as usize];
    let high = sorted[position.ceil() as usize];
    low + (high - low) * (position - below)
}

/// At least three digits that count, without an exponent.
pub(super) fn significant(value: f64) -> String {
    let digits = match value.abs() {
        size if size >= 1000.0 || size == 0.0 => 0,
        size if size >= 100.0 => 1,
        size if size >= 10.0 => 2,
        size if size >= 0.01 => 3,
        _ => 6,
    };
    format!("{value:.digits$}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_interpolate() {
        let samples = Samples::new("x", vec![4.0, 1.0, 3.0, 2.0]);
        assert_eq!(samples.percentile(0.0), 1.0);
        assert_eq!(samples.percentile(0.5), 2.5);
        assert_eq!(samples.percentile(1.0), 4.0);
        assert!(Samples::new("none", vec![]).percentile(0.5).is_nan());
    }

    #[test]
    fn ratio_is_taken_inside_the_round() {
        // The machine slows down threefold half-way; the rival costs twice as much in every round.
        let ours = Samples::new("ours", vec![1.0, 1.0, 3.0, 3.0]);
        let rival = Samples::new("rival", vec![2.0, 2.0, 6.0, 6.0]);
        let comparison = Comparison::new("subject.load", "ns", Some(ours), vec![rival]);
        let ratios: Vec<_> = comparison.ratios().collect();
        assert_eq!(ratios, [("subject.load.rival".to_owned(), 2.0)]);
    }

    #[test]
    fn without_ours_there_is_no_ratio() {
        let comparison = Comparison::new("k", "ns", None, vec![Samples::new("rival", vec![1.0])]);
        assert_eq!(comparison.ratios().count(), 0);
    }
}
