//! Least costs over rounds in rotating order, and the lines at the end.

use core::fmt;

/// Something that is measured: what comes before is not.
pub(crate) trait Way {
    /// Brings everything to where it was before the last run.
    fn prepare(&mut self);
    /// Runs once and returns the instructions that it took, and a sum over the results.
    fn run(&mut self) -> (f64, i64);
}

/// Rounds that do not count: a young TCP connection acknowledges at once, an older one with delay.
const WARM_UP: usize = 12;

/// The least that each way took. They take turns, and each is first as often as the others: what one leaves behind in the
/// kernel is the next one's beginning.
pub(crate) fn least(ways: &mut [Box<dyn Way + '_>], rounds: usize) -> Result<Vec<f64>, String> {
    let mut least = vec![f64::INFINITY; ways.len()];
    let mut expected = None;
    for round in 0..WARM_UP + rounds {
        for turn in 0..ways.len() {
            let index = (round + turn) % ways.len();
            let way = &mut ways[index];
            way.prepare();
            let (cost, sum) = way.run();
            if *expected.get_or_insert(sum) != sum {
                return Err(format!("way {index} gave the sum {sum}, another {expected:?}"));
            }
            if round >= WARM_UP {
                least[index] = least[index].min(cost);
            }
        }
    }
    Ok(least)
}

/// The machine-readable end.
#[derive(Debug, Default)]
pub(crate) struct Report {
    lines: Vec<String>,
}

impl Report {
    pub(crate) fn figure(&mut self, key: String, value: f64, unit: &str) {
        self.lines.push(format!("figure {key} {value:.1} {unit}"));
    }

    /// `value` is the rival's cost divided by that of the module.
    pub(crate) fn ratio(&mut self, key: String, value: f64) {
        self.lines.push(format!("ratio {key} {value:.3}"));
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.lines.iter().try_for_each(|line| writeln!(f, "{line}"))
    }
}
