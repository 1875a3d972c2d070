//! Counts of tests, read from the output of the test runners.

/// How many tests passed, failed and were skipped.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) passed: u64,
    pub(crate) failed: u64,
    pub(crate) skipped: u64,
}

impl Counts {
    pub(crate) fn add(&mut self, other: Self) {
        self.passed += other.passed;
        self.failed += other.failed;
        self.skipped += other.skipped;
    }

    /// Counts for a run that ended with `success`: a run that failed without a failed test (it did not build, or a
    /// test brought the process down) counts one failure, and so does one that ran no test at all.
    pub(crate) fn judged(mut self, success: bool) -> Self {
        if self.failed == 0 && (!success || self.passed == 0) {
            self.failed = 1;
        }
        self
    }
}

/// Sums the `test result:` lines of libtest, which unit, integration and doc tests all print.
pub(crate) fn libtest(output: &str) -> Counts {
    let mut sum = Counts::default();
    for line in output.lines() {
        let Some((_, rest)) = line.split_once("test result: ") else {
            continue;
        };
        let Some((_, counts)) = rest.split_once(". ") else {
            continue;
        };
        for part in counts.split("; ") {
            let Some((number, what)) = part.trim().split_once(' ') else {
                continue;
            };
            let Ok(number) = number.parse::<u64>() else {
                continue;
            };
            match what {
                "passed" => sum.passed += number,
                "failed" => sum.failed += number,
                "ignored" => sum.skipped += number,
                _ => {}
            }
        }
    }
    sum
}

/// The names of tests that failed, as libtest lists them.
pub(crate) fn failed_names(output: &str) -> Vec<&str> {
    let mut names: Vec<&str> = output
        .lines()
        .filter_map(|line| line.trim().strip_prefix("test ")?.strip_suffix(" ... FAILED"))
        .map(|name| name.trim_end_matches(" - should panic"))
        .collect();
    // A test that prints is cut off from its verdict; its name stands in the list behind.
    let mut listing = false;
    for line in output.lines() {
        match line.strip_prefix("    ") {
            Some(name) if listing && !name.contains(' ') => names.push(name),
            _ => listing = line == "failures:" || (listing && line.is_empty()),
        }
    }
    names.sort_unstable();
    names.dedup();
    names
}

/// Counts the benches that criterion ran once in its test mode.
pub(crate) fn criterion(output: &str) -> Counts {
    let passed = output.lines().filter(|line| line.trim() == "Success").count();
    Counts {
        passed: passed as u64,
        ..Counts::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_every_result_line() {
        let output = "\
running 3 tests
test a ... ok
test result: ok. 3 passed; 0 failed; 1 ignored; 0 measured; 7 filtered out; finished in 0.00s

   Doc-tests trie8
test result: FAILED. 4 passed; 2 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.21s
all doctests ran in 0.30s; merged doctests compilation took 0.20s
";
        assert_eq!(
            libtest(output),
            Counts {
                passed: 7,
                failed: 2,
                skipped: 1
            }
        );
    }

    #[test]
    fn failed_tests_are_named() {
        let output = "\
running 3 tests
test a::one ... FAILED
test b::two ... ok
test c::three ... noise
FAILED

failures:

---- a::one stdout ----
thread panicked at x.rs:1:1:
    left: 1

failures:
    a::one
    c::three

test result: FAILED. 1 passed; 2 failed; 0 ignored; 0 measured; 0 filtered out
    d::four
";
        assert_eq!(failed_names(output), ["a::one", "c::three"]);
    }

    #[test]
    fn a_line_of_a_test_that_prints_without_newline_counts() {
        let output = "noise test result: ok. 1 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out";
        assert_eq!(
            libtest(output),
            Counts {
                passed: 1,
                failed: 0,
                skipped: 0
            }
        );
    }

    #[test]
    fn other_lines_count_nothing() {
        assert_eq!(
            libtest("test result\ntest result: ok\n12 passed; 1 failed\n"),
            Counts::default()
        );
    }

    #[test]
    fn a_crash_is_one_failure() {
        let crashed = Counts {
            passed: 5,
            failed: 0,
            skipped: 0,
        };
        assert_eq!(crashed.judged(false).failed, 1);
        assert_eq!(crashed.judged(true).failed, 0);
    }

    #[test]
    fn no_test_at_all_is_one_failure() {
        assert_eq!(Counts::default().judged(true).failed, 1);
    }

    #[test]
    fn failures_are_not_counted_twice() {
        assert_eq!(
            Counts {
                passed: 1,
                failed: 2,
                skipped: 0
            }
            .judged(false)
            .failed,
            2
        );
    }

    #[test]
    fn criterion_in_test_mode() {
        assert_eq!(
            criterion("Testing coro/switch\nSuccess\n\nTesting coro/create\nSuccess\n").passed,
            2
        );
    }
}
