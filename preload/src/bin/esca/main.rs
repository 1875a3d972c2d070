//! Starts a program with its system calls batched: sets `LD_PRELOAD`, says what it does, and refuses programs for which that
//! would do nothing.

mod program;

use std::env;
use std::ffi::{OsStr, OsString};
use std::fmt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use esca_sys::{AnyExecutor, Executor};

const USAGE: &str = "\
Usage: esca [--quiet] [--library FILE] [--] PROGRAM [ARGUMENT...]

Runs PROGRAM with libesca_preload.so, which batches its system calls.

  --quiet           do not say what is done
  --library FILE    the library, where it does not lie beside this program

Environment:
  ESCA_EXECUTOR     direct, uring, kernel or auto: what runs the batches
  ESCA_PRELOAD      off: the library passes everything through
  ESCA_DEFER        always, or gainful: only what is likely to be joined with something
  ESCA_PRELOAD_OPTIMISE   off: queued calls are not joined, and no call is left out
  ESCA_STATS        1: counts on the standard error at exit; a path: appended to that file
";

/// The library's name.
const LIBRARY: &str = "libesca_preload.so";

/// What the command line asks for.
struct Wanted {
    quiet: bool,
    library: Option<PathBuf>,
    program: OsString,
    arguments: Vec<OsString>,
}

/// Why nothing was started.
enum Failure {
    Usage(String),
    Refused(String),
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Usage(what) => write!(f, "{what}\n\n{USAGE}"),
            Self::Refused(what) => f.write_str(what),
        }
    }
}

fn main() -> ExitCode {
    match run() {
        Ok(code) => code,
        Err(failure) => {
            eprintln!("esca: {failure}");
            ExitCode::from(match failure {
                Failure::Usage(_) => 2,
                Failure::Refused(_) => 126,
            })
        }
    }
}

fn run() -> Result<ExitCode, Failure> {
    let Some(wanted) = parse(env::args_os().skip(1))? else {
        print!("{USAGE}");
        return Ok(ExitCode::SUCCESS);
    };
    let path = program::find(&wanted.program).map_err(Failure::Refused)?;
    program::check(&path).map_err(Failure::Refused)?;
    let library = match wanted.library {
        Some(library) => absolute(&library)?,
        None => beside()?,
    };
    let executor = executor()?;
    check_defer()?;
    let preload = preload(&library, env::var_os("LD_PRELOAD").as_deref());
    if !wanted.quiet {
        eprintln!(
            "esca: {} with LD_PRELOAD={}, executor {}",
            path.display(),
            preload.display(),
            executor.describe().name
        );
    }
    drop(executor);
    let error = Command::new(&path)
        .arg0(&wanted.program)
        .args(&wanted.arguments)
        .env("LD_PRELOAD", preload)
        .exec();
    Err(Failure::Refused(format!("{}: {error}", path.display())))
}

/// What the library will choose: a ring only where it is asked for.
fn executor() -> Result<AnyExecutor, Failure> {
    let name = env::var("ESCA_EXECUTOR").unwrap_or_default();
    let executor = match name.as_str() {
        "" | "auto" => AnyExecutor::named("kernel").or_else(|_| AnyExecutor::named("direct")),
        name => AnyExecutor::named(name),
    };
    executor.map_err(|error| Failure::Refused(error.to_string()))
}

/// The library itself goes on with what it has without the variable.
fn check_defer() -> Result<(), Failure> {
    let defer = env::var_os("ESCA_DEFER").unwrap_or_default();
    match defer.to_str() {
        Some("" | "always" | "gainful") => Ok(()),
        _ => {
            let message = format!("ESCA_DEFER is {defer:?}, which is none of always and gainful");
            Err(Failure::Refused(message))
        }
    }
}

/// The command line, or `None` where it asks for help.
fn parse(arguments: impl Iterator<Item = OsString>) -> Result<Option<Wanted>, Failure> {
    let mut arguments = arguments.peekable();
    let (mut quiet, mut library) = (false, None);
    while let Some(option) = arguments.next_if(|next| next.as_encoded_bytes().starts_with(b"-")) {
        match option.to_str() {
            Some("--") => break,
            Some("--help" | "-h") => return Ok(None),
            Some("--quiet" | "-q") => quiet = true,
            Some("--library") => {
                let file = arguments.next();
                let file = file.ok_or_else(|| Failure::Usage("--library needs a file".into()))?;
                library = Some(file.into());
            }
            _ => {
                let option = option.display();
                return Err(Failure::Usage(format!("there is no option {option}")));
            }
        }
    }
    let program = arguments
        .next()
        .ok_or_else(|| Failure::Usage("no program was named".into()))?;
    Ok(Some(Wanted {
        quiet,
        library,
        program,
        arguments: arguments.collect(),
    }))
}

fn absolute(library: &Path) -> Result<PathBuf, Failure> {
    let refused = |error| Failure::Refused(format!("{}: {error}", library.display()));
    library.canonicalize().map_err(refused)
}

/// `cargo run` builds this program but not the library, which nothing can link.
fn build(folder: &Path) {
    let Some(cargo) = env::var_os("CARGO") else {
        return;
    };
    let mut command = Command::new(cargo);
    command.args(["build", "--quiet", "--package", "esca-preload", "--lib"]);
    if folder.ends_with("release") {
        command.arg("--release");
    }
    // Where it fails, the library is missing, which is said below.
    let _ = command.status();
}

/// The library beside this program, or where a package puts it.
fn beside() -> Result<PathBuf, Failure> {
    let own = env::current_exe().map_err(|error| Failure::Refused(format!("where this is: {error}")))?;
    let folder = own.parent().unwrap_or(Path::new("/"));
    build(folder);
    let places = [folder.join(LIBRARY), folder.join("../lib/esca").join(LIBRARY)];
    places.into_iter().find(|place| place.is_file()).map_or_else(
        || {
            Err(Failure::Refused(format!(
                "{LIBRARY} is not in {}: build it with `cargo build -p esca-preload`, or name it with --library",
                folder.display()
            )))
        },
        |place| absolute(&place),
    )
}

/// Ours first, so that what others replace sees the calls that are really made.
fn preload(library: &Path, others: Option<&OsStr>) -> OsString {
    let mut preload = library.as_os_str().to_owned();
    if let Some(others) = others.filter(|others| !others.is_empty()) {
        preload.push(":");
        preload.push(others);
    }
    preload
}
