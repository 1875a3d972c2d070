//! Replays every input that fuzzing started from or found, through the same functions, without a fuzzer.

use std::fs;
use std::panic::catch_unwind;
use std::path::PathBuf;

use system_tests::repository;

#[path = "../../fuzz/src/lib.rs"]
pub mod fuzzing;

/// The inputs of one subject, in a stable order.
fn inputs(kind: &str, subject: &str) -> Vec<PathBuf> {
    let folder = repository().join("fuzz").join(kind).join(subject);
    let Ok(entries) = fs::read_dir(folder) else {
        return Vec::new();
    };
    let mut files: Vec<PathBuf> = entries
        .map(|entry| entry.expect("a readable folder").path())
        .collect();
    files.sort();
    files
}

#[test]
fn every_kept_input_passes() {
    let mut failed = Vec::new();
    for (name, run) in fuzzing::SUBJECTS {
        for file in [inputs("corpus", name), inputs("regression", name)].concat() {
            let bytes = fs::read(&file).expect("a readable input");
            // The other inputs run too, so that one sees at once which of them fail.
            if catch_unwind(|| run(&bytes)).is_err() {
                failed.push(file);
            }
        }
    }
    assert!(failed.is_empty(), "{failed:#?}");
}

#[test]
fn every_subject_is_fuzzed_and_has_an_input() {
    for (name, _) in fuzzing::SUBJECTS {
        let target = repository().join("fuzz/fuzz_targets").join(format!("{name}.rs"));
        assert!(target.is_file(), "{} is missing", target.display());
        assert!(!inputs("corpus", name).is_empty(), "fuzz/corpus/{name}/ is empty");
    }
}

#[test]
fn every_kept_input_has_a_subject() {
    for kind in ["corpus", "regression"] {
        for entry in fs::read_dir(repository().join("fuzz").join(kind))
            .into_iter()
            .flatten()
        {
            let name = entry.expect("a readable folder").file_name();
            let known = fuzzing::SUBJECTS.iter().any(|(subject, _)| name == *subject);
            assert!(known, "fuzz/{kind}/{} belongs to no subject", name.display());
        }
    }
}

#[test]
fn numbers_are_read_as_they_always_were() {
    let mut input =
        fuzzing::input::Input::new(&[7, 0x34, 0x12, 4, 0xff, 0, 0, 0, 0, 0, 0, 0, 2, b'a', b'b', b'c']);
    assert_eq!((input.byte(), input.u16(), input.scaled()), (7, 0x1234, 0x0f));
    assert_eq!(
        (input.bytes(), input.rest(), input.is_empty()),
        (b"ab".as_slice(), b"c".as_slice(), true)
    );
    assert_eq!((input.u64(), input.bytes()), (0, [].as_slice()));
}
