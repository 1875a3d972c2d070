//! How an executor is chosen.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::process::Command;

use esca_sys::{AnyExecutor, ChoiceError, Executor, KernelError};

#[test]
fn every_name_gives_that_executor_or_says_why_not() {
    assert_eq!(AnyExecutor::named("direct").unwrap().describe().name, "direct");
    // What it calls itself names it, too.
    for name in ["uring", "io_uring"] {
        match AnyExecutor::named(name) {
            Ok(uring) => assert_eq!(uring.describe().name, "io_uring"),
            Err(error) => assert!(matches!(error, ChoiceError::Uring(_)), "{error}"),
        }
    }
    match AnyExecutor::named("kernel") {
        Ok(kernel) => assert_eq!(kernel.describe().name, "kernel"),
        Err(ChoiceError::Kernel(KernelError::Missing)) => {
            let text = AnyExecutor::named("kernel").unwrap_err().to_string();
            assert!(
                text.contains("/dev/esca") && text.contains("modprobe esca"),
                "{text}"
            );
        }
        Err(error) => assert!(matches!(error, ChoiceError::Kernel(_)), "{error}"),
    }
    let error = AnyExecutor::named("io_urnig").unwrap_err();
    assert_eq!(error, ChoiceError::Name("io_urnig".into()));
    assert!(error.to_string().contains("\"io_urnig\""));
}

#[test]
fn the_default_says_what_it_is_and_why() {
    for executor in [AnyExecutor::best(), AnyExecutor::named("auto").unwrap()] {
        let description = executor.describe();
        assert!(["direct", "io_uring", "kernel"].contains(&description.name));
        assert!(description.to_string().contains(": "));
        assert!(!description.why.is_empty());
    }
}

/// Also the process that the next test starts, with another environment.
#[test]
fn without_the_variable_there_is_always_one() {
    match AnyExecutor::probe() {
        Ok(executor) => println!("chosen {}", executor.describe()),
        Err(error) => {
            println!("refused {error}");
            assert!(std::env::var_os("ESCA_EXECUTOR").is_some());
        }
    }
}

#[test]
fn the_environment_decides() {
    let told = |value: &str| {
        let mut child = Command::new(std::env::current_exe().unwrap());
        child
            .args([
                "--exact",
                "without_the_variable_there_is_always_one",
                "--nocapture",
            ])
            .env("ESCA_EXECUTOR", value);
        let output = child.output().ok()?;
        Some(String::from_utf8(output.stdout).unwrap()).filter(|text| text.contains("running 1 test"))
    };
    let Some(direct) = told("direct") else {
        if cfg!(target_arch = "x86_64") {
            panic!("the test cannot start itself");
        }
        eprintln!("skipped: under an emulator a program cannot start itself");
        return;
    };
    assert!(direct.contains("chosen direct: asked for by name"));
    assert!(
        told("bogus")
            .unwrap()
            .contains("refused ESCA_EXECUTOR is \"bogus\"")
    );
    assert!(told("auto").unwrap().contains("chosen "));
    if AnyExecutor::named("kernel").is_err() {
        assert!(
            told("kernel")
                .unwrap()
                .contains("refused the executor kernel was asked for")
        );
    }
}
