//! What the checks are worth: an interposer that queues without any rule, under which they must fail.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};

use super::nginx;
use crate::checks::answers;
use crate::checks::http::{Request, compare, converse};
use crate::library::Mode;
use crate::pair::Pair;
use crate::place::Place;

#[test]
fn a_naive_interposer_is_noticed() {
    let outcome = || {
        let place = Place::new()?;
        let pair = Pair::start(&place, &naive(&place)?, nginx::start_simple)?;
        let requests = [Request::file(4096)];
        let plain = converse(pair.plain.address(), &requests)?;
        compare(&requests, &plain, &plain).context("the plain program")?;
        let alone = converse(pair.preloaded.address(), &requests)
            .and_then(|preloaded| compare(&requests, &plain, &preloaded));
        println!("alone: {alone:?}");
        ensure!(alone.is_err(), "wrong bytes pass for right ones");
        let ranges = answers::ranges(&pair);
        println!("ranges: {ranges:?}");
        ensure!(ranges.is_err(), "wrong parts pass for right ones");
        anyhow::Ok(())
    };
    if let Err(error) = outcome() {
        panic!("{error:#}");
    }
}

/// The one that the tests of single hazards are held to.
fn naive(place: &Place) -> Result<Mode> {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../preload/tests/victims/naive.c");
    let library = place.server("naive")?.join("libnaive.so");
    let mut compiler = Command::new("cc");
    compiler
        .args(["-O2", "-shared", "-fPIC"])
        .arg(source)
        .arg("-o")
        .arg(&library);
    ensure!(
        compiler.status().context("no C compiler")?.success(),
        "it does not compile"
    );
    Ok(Mode::Preloaded {
        library,
        executor: "direct",
        variables: Vec::new(),
    })
}
