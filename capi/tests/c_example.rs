//! C programs against the header and the library, linked both ways.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::atomic::{AtomicU32, Ordering};

const STRICT: [&str; 6] = [
    "-std=c11",
    "-Wall",
    "-Wextra",
    "-Wpedantic",
    "-Werror",
    "-pthread",
];

const EXPECTED: &str = "\
6 calls ran together
alive, header: 11 bytes
alive, body: 9 bytes
alive, close: 0 bytes
gone, header: Broken pipe
gone, body: Operation canceled
gone, close: 0 bytes
received: length: 9

the body
";

/// The C compiler. There is one wherever this test could be built: Rust links with it.
fn compiler() -> String {
    std::env::var("CC").unwrap_or_else(|_| "cc".to_owned())
}

fn package() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Where Cargo has put the library: beside the tests.
fn libraries() -> PathBuf {
    let test = std::env::current_exe().expect("a test knows where it is");
    test.parent().expect("a file is in a folder").to_owned()
}

fn shown(output: &Output) -> String {
    let (out, err) = (
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
    );
    format!("{}\n{out}\n{err}", output.status)
}

/// A number for each program, because tests run side by side.
fn unique() -> u32 {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

/// Compiles `source` and links it in both ways.
fn programs(compiler: &str, source: &str) -> Vec<(&'static str, PathBuf)> {
    let folder = libraries();
    let name = Path::new(source)
        .file_stem()
        .expect("a source has a name")
        .to_string_lossy();
    ["shared", "static"]
        .into_iter()
        .map(|linking| {
            let program =
                Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}-{linking}-{}", unique()));
            let mut command = Command::new(compiler);
            command.args(STRICT).arg("-I").arg(package().join("include"));
            command.arg(package().join(source)).arg("-o").arg(&program);
            if linking == "shared" {
                command.arg("-L").arg(&folder).arg("-lesca");
                command.arg(format!("-Wl,-rpath,{}", folder.display()));
            } else {
                command
                    .arg(folder.join("libesca.a"))
                    .args(["-lpthread", "-ldl", "-lm"]);
            }
            let output = command.output().expect("the compiler was there a moment ago");
            assert!(output.status.success(), "{linking} {source}: {}", shown(&output));
            (linking, program)
        })
        .collect()
}

/// What the program prints, which must end well.
fn printed(program: &Path, executor: Option<&str>, arguments: &[&str]) -> String {
    let mut command = Command::new(program);
    command.env_remove("ESCA_EXECUTOR").args(arguments);
    if let Some(executor) = executor {
        command.env("ESCA_EXECUTOR", executor);
    }
    let output = command.output().expect("the program has just been linked");
    assert!(
        output.status.success(),
        "{} {executor:?}: {}",
        program.display(),
        shown(&output)
    );
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// The executors that can be had here, by what the library itself says.
fn executors() -> Vec<Option<&'static str>> {
    let mut executors = vec![None, Some("direct")];
    match esca_sys::AnyExecutor::named("uring") {
        Ok(_) => executors.push(Some("uring")),
        Err(error) => eprintln!("not with uring: {error}"),
    }
    executors
}

#[test]
fn the_example_prints_the_result_of_every_call() {
    let compiler = compiler();
    for (linking, program) in programs(&compiler, "examples/two_sockets.c") {
        for executor in executors() {
            let printed = printed(&program, executor, &[]);
            assert_eq!(printed, EXPECTED, "{linking} {executor:?}");
        }
    }
}

#[test]
fn the_header_keeps_its_promises() {
    let compiler = compiler();
    for (linking, program) in programs(&compiler, "tests/edges.c") {
        for executor in executors() {
            let name = printed(&program, executor, &[]);
            if let Some(executor) = executor {
                assert_eq!(name.trim(), executor, "{linking}");
            }
        }
    }
}

#[test]
fn an_executor_that_cannot_be_had_is_an_error_in_words() {
    const EINVAL: &str = "22";
    const ENODEV: &str = "19";
    let compiler = compiler();
    let mut cases = vec![("nonsense", EINVAL)];
    if !Path::new("/dev/esca").exists() {
        cases.push(("kernel", ENODEV));
    }
    for (_, program) in programs(&compiler, "tests/edges.c") {
        for (executor, errno) in &cases {
            let printed = printed(&program, Some(executor), &[errno]);
            assert!(printed.contains(executor), "{printed}");
        }
    }
}

/// A symbol of libc in the library would take that call away from the whole program.
#[test]
fn the_shared_library_defines_its_own_names_only() {
    let library = libraries().join("libesca.so");
    let output = Command::new("nm")
        .args(["-D", "--defined-only"])
        .arg(&library)
        .output()
        .expect("nm comes with the linker");
    assert!(output.status.success(), "{}", shown(&output));
    let symbols = String::from_utf8_lossy(&output.stdout);
    let names: Vec<_> = symbols
        .lines()
        .filter_map(|line| line.split_whitespace().last())
        .collect();
    let header = std::fs::read_to_string(package().join("include/esca.h")).expect("the header is there");
    assert!(
        names.contains(&"batch_flush") && names.contains(&"esca_send"),
        "{names:?}"
    );
    for name in names {
        assert!(
            header.contains(&format!("{name}(")),
            "{name} is not in the header"
        );
    }
}
