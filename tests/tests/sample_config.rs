//! The sample configuration says what it claims to say.

use std::fs;

use anglerfish::config::Config;
use anglerfish::{Limits, Timeouts};
use system_tests::repository;

fn sample() -> String {
    fs::read_to_string(repository().join("dist/anglerfish.toml")).expect("the sample is in the repository")
}

#[test]
fn its_values_are_the_defaults() {
    let config = Config::parse(&sample()).expect("the sample is valid");
    assert_eq!(config.timeouts(), Timeouts::default());
    assert_eq!(config.limits(), Limits::default());
}

#[test]
fn what_it_comments_out_is_valid_too() {
    let text = sample();
    let keys = text.lines().map(|line| match line.strip_prefix("# ") {
        Some(code) if code.starts_with("[[") || code.contains(" = ") => code,
        _ => line,
    });
    let with_keys: String = keys.flat_map(|line| [line, "\n"]).collect();
    assert_eq!(with_keys.matches("\n[[route]]").count(), 3);
    // The example's folder is not there; a key that does not exist would be found before that.
    let with_keys = with_keys.replace("/srv/www", "/");
    let builder = Config::parse(&with_keys)
        .and_then(|config| config.builder())
        .expect("the examples are valid");
    assert_eq!(builder.routes().len(), 3);
}
