//! What a boot comes to: tests counted, and nothing in the kernel's log that a developer would be sent.

use super::guest::{Boot, Section};
use crate::counts::{Counts, failed_names, libtest};
use crate::report::Outcome;

/// What the kernel says when something is wrong with it.
const COMPLAINTS: &[&str] = &[
    "WARNING:",
    "BUG:",
    "Oops",
    "Call Trace",
    "Call trace",
    "Kernel panic",
    "general protection fault",
    "Unable to handle kernel",
    "possible recursive locking",
    "possible circular locking",
    "inconsistent lock state",
    "suspicious RCU usage",
    "sleeping function called",
    "scheduling while atomic",
    "INFO: task",
    "rcu: INFO",
    "UBSAN:",
    "KASAN:",
    "refcount_t:",
    "new suspected memory leaks",
    "unreferenced object",
    "bad page",
    "Bad page",
];

/// A line of a log with which something is wrong.
pub(super) fn complaint(log: &str) -> Option<&str> {
    log.lines()
        .map(str::trim)
        .find(|line| COMPLAINTS.iter().any(|complaint| line.contains(complaint)))
}

/// Whether a processor was lost outside of the module: the kernel tells of a stall, and no stack that it shows, of any
/// processor or task, has a function of the module. An emulator does that to kernels (see `emulator.rs`).
pub(super) fn stalled_without_the_module(boot: &Boot) -> bool {
    let mut lines = boot.sections.iter().flat_map(|section| section.text.lines());
    let stalled = lines.any(|line| line.contains("rcu: INFO:") && line.contains("stall"));
    stalled && !lines.any(|line| line.contains("[esca]"))
}

/// Counts what each job printed: a job named `tests …` by its tests, any other as one check of its exit status; and, as one
/// more check, whether the kernel's log is clean. `jobs` are those that were to run.
pub(super) fn judge(boot: &Boot, jobs: &[String]) -> Outcome {
    let mut outcome = Outcome::default();
    let sections = &boot.sections;
    for job in jobs {
        let section = sections.iter().find(|section| section.name == *job);
        let success = section.is_some_and(|section| section.status == Some(0));
        let counts = match section {
            Some(section) if job.starts_with("tests ") => libtest(&section.text).judged(success),
            _ => Counts {
                passed: u64::from(success),
                failed: u64::from(!success),
                skipped: 0,
            },
        };
        outcome.counts.add(counts);
        if counts.failed > 0 {
            outcome.notes.push(match section {
                None => format!("{job}: never begun"),
                Some(Section { status: None, .. }) => format!("{job}: the guest ended in it"),
                Some(Section {
                    status: Some(status), ..
                }) => {
                    let names = section.map_or(Vec::new(), |section| failed_names(&section.text));
                    let names = names.join(", ");
                    format!("{job}: {} failed, exit status {status} {names}", counts.failed)
                }
            });
        }
    }
    let wrong = sections.iter().find_map(|section| complaint(&section.text));
    outcome.counts.passed += u64::from(wrong.is_none());
    outcome.counts.failed += u64::from(wrong.is_some());
    outcome
        .notes
        .extend(wrong.map(|line| format!("the kernel complains: {line}")));
    if !boot.ended {
        outcome.counts.failed += 1;
        outcome.notes.push(format!(
            "the machine did not switch itself off; it printed last: {}",
            boot.last
        ));
    }
    outcome
}

#[cfg(test)]
mod tests {
    use super::*;

    fn section(name: &str, text: &str, status: Option<i32>) -> Section {
        Section {
            name: name.to_owned(),
            text: text.to_owned(),
            status,
        }
    }

    fn boot(sections: &[Section]) -> Boot {
        Boot {
            sections: sections.to_vec(),
            ended: true,
            last: String::new(),
        }
    }

    const RESULT: &str = "test result: ok. 3 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out";

    #[test]
    fn tests_are_counted_and_the_log_is_a_check() {
        let jobs = ["insmod".to_owned(), "tests abi".to_owned()];
        let sections = [
            section("insmod", "", Some(0)),
            section("tests abi", RESULT, Some(0)),
        ];
        let outcome = judge(&boot(&sections), &jobs);
        assert_eq!((outcome.counts.passed, outcome.counts.failed), (5, 0));
    }

    #[test]
    fn what_did_not_run_has_failed() {
        let jobs = ["insmod".to_owned(), "tests abi".to_owned(), "rmmod".to_owned()];
        let sections = [section("insmod", "", Some(1)), section("tests abi", RESULT, None)];
        let outcome = judge(&boot(&sections), &jobs);
        assert_eq!((outcome.counts.passed, outcome.counts.failed), (4, 3));
        assert_eq!(outcome.notes.len(), 3);
    }

    #[test]
    fn a_machine_that_hangs_has_failed_and_tells_its_last_words() {
        let sections = [section("insmod", "", Some(0))];
        let hung = Boot {
            ended: false,
            last: "rcu: INFO: …".to_owned(),
            ..boot(&sections)
        };
        let outcome = judge(&hung, &["insmod".to_owned()]);
        assert_eq!((outcome.counts.passed, outcome.counts.failed), (2, 1));
        assert!(outcome.notes[0].ends_with("rcu: INFO: …"), "{:?}", outcome.notes);
    }

    #[test]
    fn a_stall_with_the_module_on_a_stack_is_its_own() {
        let elsewhere = "\
[   30.3] rcu: INFO: rcu_preempt detected stalls on CPUs/tasks:
[   30.3] RIP: 0010:__schedule+0x1bc/0xa00
[   30.3] Modules linked in: esca(OE)
";
        let stalled = |text: &str| {
            let before = section("tests module", "[    1.0]  esca_flush+0x1/0x2 [esca]", Some(0));
            stalled_without_the_module(&boot(&[before, section("log", text, None)]))
        };
        assert!(stalled(elsewhere));
        assert!(!stalled(&format!(
            "{elsewhere}[   30.4]  ? esca_flush+0x7c/0x120 [esca]\n"
        )));
        assert!(!stalled("[   30.4] BUG: unable to handle page fault\n"));
    }

    #[test]
    fn failed_tests_are_named() {
        let text =
            "test a::b ... FAILED\n    why\ntest result: FAILED. 3 passed; 1 failed; 0 ignored; 0 measured";
        let outcome = judge(
            &boot(&[section("tests abi", text, Some(1))]),
            &["tests abi".to_owned()],
        );
        assert_eq!(outcome.counts.failed, 1);
        assert!(outcome.notes[0].contains("a::b"), "{:?}", outcome.notes);
    }

    #[test]
    fn a_complaint_is_found_in_any_section() {
        let text = "[   12.345678] BUG: KASAN: use-after-free in esca_flush+0x1/0x2 [esca]";
        let outcome = judge(&boot(&[section("console", text, Some(0))]), &[]);
        assert_eq!(outcome.counts.failed, 1);
        assert!(complaint("esca: loading out-of-tree module taints kernel.\n").is_none());
        assert_eq!(complaint(text), Some(text));
    }
}
