//! The closing table of `test`, and its last line.

use crate::counts::Counts;

/// What a stage came to.
#[derive(Clone, Debug, Default)]
pub(crate) struct Outcome {
    pub(crate) counts: Counts,
    /// Why something was skipped although it should have run here.
    pub(crate) missing: Vec<String>,
    /// What else the reader should know: why something failed, or was skipped as expected.
    pub(crate) notes: Vec<String>,
}

impl Outcome {
    /// A stage of one check.
    pub(crate) fn passed() -> Self {
        Self::of(Counts {
            passed: 1,
            ..Counts::default()
        })
    }

    pub(crate) fn of(counts: Counts) -> Self {
        Self {
            counts,
            ..Self::default()
        }
    }

    pub(crate) fn failed(why: String) -> Self {
        Self {
            notes: vec![why],
            ..Self::of(Counts {
                failed: 1,
                ..Counts::default()
            })
        }
    }

    /// A stage that cannot run for want of something that `setup` installs.
    pub(crate) fn missing(why: &str) -> Self {
        Self {
            missing: vec![why.to_owned()],
            ..Self::of(Counts {
                skipped: 1,
                ..Counts::default()
            })
        }
    }

    /// A stage that is not expected to run everywhere.
    pub(crate) fn optional(why: &str) -> Self {
        Self {
            notes: vec![why.to_owned()],
            ..Self::of(Counts {
                skipped: 1,
                ..Counts::default()
            })
        }
    }

    /// Takes in what another part of the stage has found.
    pub(crate) fn add(&mut self, other: Self) {
        self.counts.add(other.counts);
        self.missing.extend(other.missing);
        self.notes.extend(other.notes);
    }

    /// Where nothing may be missing, what is missing has failed.
    pub(crate) fn strict(mut self) -> Self {
        let missing = self.missing.len() as u64;
        self.counts.skipped = self.counts.skipped.saturating_sub(missing);
        self.counts.failed += missing;
        self.notes.extend(
            self.missing
                .drain(..)
                .map(|why| format!("skipped, which CI does not allow: {why}")),
        );
        self
    }
}

/// One line of the table.
#[derive(Clone, Debug)]
pub(crate) struct Row {
    pub(crate) stage: &'static str,
    pub(crate) outcome: Outcome,
    pub(crate) seconds: f64,
    pub(crate) budget: u64,
}

pub(crate) fn table(rows: &[Row]) -> String {
    let mut text = format!(
        "{:<10} {:>7} {:>7} {:>7} {:>9} {:>7}\n",
        "stage", "passed", "failed", "skipped", "seconds", "budget"
    );
    for row in rows {
        let Counts {
            passed,
            failed,
            skipped,
        } = row.outcome.counts;
        text += &format!(
            "{:<10} {passed:>7} {failed:>7} {skipped:>7} {:>9.1} {:>7}",
            row.stage, row.seconds, row.budget
        );
        if row.seconds > row.budget as f64 {
            text += "  over budget";
        }
        for why in row.outcome.missing.iter().chain(&row.outcome.notes) {
            text += &format!("  {why}");
        }
        text.push('\n');
    }
    let seconds: f64 = rows.iter().map(|row| row.seconds).sum();
    let budget: u64 = rows.iter().map(|row| row.budget).sum();
    text += &format!("{:<34} {seconds:>9.1} {budget:>7}\n", "in all");
    text
}

pub(crate) fn total(rows: &[Row]) -> Counts {
    let mut sum = Counts::default();
    rows.iter().for_each(|row| sum.add(row.outcome.counts));
    sum
}

/// The last line, alone on its line.
pub(crate) fn closing_line(counts: Counts) -> String {
    format!(
        "{} passed, {} failed, {} skipped",
        counts.passed, counts.failed, counts.skipped
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(outcome: Outcome) -> Row {
        Row {
            stage: "unit",
            outcome,
            seconds: 1.25,
            budget: 1,
        }
    }

    #[test]
    fn rows_say_why_and_how_long() {
        let text = table(&[row(Outcome::missing("no qemu-aarch64"))]);
        assert!(text.contains("no qemu-aarch64"), "{text}");
        assert!(text.contains("over budget"), "{text}");
    }

    #[test]
    fn strict_turns_a_missing_tool_into_a_failure() {
        let strict = Outcome::missing("no qemu-aarch64").strict();
        assert_eq!(
            strict.counts,
            Counts {
                passed: 0,
                failed: 1,
                skipped: 0
            }
        );
        let optional = Outcome::optional("cargo-deny is not installed").strict();
        assert_eq!(
            optional.counts,
            Counts {
                passed: 0,
                failed: 0,
                skipped: 1
            }
        );
    }

    #[test]
    fn the_closing_line_sums_the_rows() {
        let rows = [
            row(Outcome::passed()),
            row(Outcome::failed("x".into())),
            row(Outcome::passed()),
        ];
        assert_eq!(closing_line(total(&rows)), "2 passed, 1 failed, 0 skipped");
    }
}
