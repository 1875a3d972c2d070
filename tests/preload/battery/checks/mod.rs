//! What is asked, and what must be true of the answers.

pub(crate) mod answers;
pub(crate) mod client;
pub(crate) mod endings;
pub(crate) mod exchange;
pub(crate) mod http;
pub(crate) mod many;
pub(crate) mod paces;

use std::time::Instant;

use anyhow::Error;

/// The first place where `found` is not `expected`, short enough to be read; nothing when they are equal.
pub(crate) fn difference(expected: &[u8], found: &[u8]) -> Option<String> {
    if expected == found {
        return None;
    }
    let at = expected.iter().zip(found).take_while(|(a, b)| a == b).count();
    let piece = |bytes: &[u8]| {
        let end = bytes.len().min(at + 48);
        bytes[at..end].escape_ascii().to_string()
    };
    Some(format!(
        "at byte {at} of {} stands {:?} in place of {:?} (of {})",
        found.len(),
        piece(found),
        piece(expected),
        expected.len()
    ))
}

/// Collects what failed, so that one fault does not hide the others.
#[derive(Debug, Default)]
pub(crate) struct Verdict {
    faults: Vec<String>,
}

impl Verdict {
    pub(crate) fn check(&mut self, what: &str, check: impl FnOnce() -> Result<(), Error>) {
        let begin = Instant::now();
        if let Err(error) = check() {
            self.faults.push(format!("{what}: {error:#}"));
        }
        println!("{what}: {} ms", begin.elapsed().as_millis());
    }

    /// Fails the test when anything has failed.
    pub(crate) fn deliver(self) {
        assert!(
            self.faults.is_empty(),
            "{} faults:\n{}",
            self.faults.len(),
            self.faults.join("\n")
        );
    }
}
