//! The command line.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use anglerfish::config::Config;
use anglerfish::{Builder, Error, Executor, StopHandle, Welcome};
use clap::Parser;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

/// The folder served when none is named.
const DEFAULT_FOLDER: &str = "public";

/// Serve a folder over HTTP/1.1.
#[derive(Debug, Parser)]
#[command(
    version,
    after_help = "Examples:
  anglerfish                                  serve ./public on http://127.0.0.1:8080/
  anglerfish ./site --listen 0.0.0.0:80       serve ./site on every address
  anglerfish --config site.toml --check-config  print the routes and stop"
)]
struct Arguments {
    /// Folder to serve [default: ./public, or a welcome page where there is none]
    dir: Option<PathBuf>,
    /// Address to listen on, may be given several times [default: 127.0.0.1:8080]
    #[arg(long, value_name = "ADDR")]
    listen: Vec<SocketAddr>,
    /// Event loops [default: one a processor]
    #[arg(long, value_name = "N")]
    workers: Option<usize>,
    /// What runs batches of system calls: auto, direct, uring or kernel [default: auto]
    #[arg(long, value_name = "NAME", value_parser = executor)]
    executor: Option<Executor>,
    /// Configuration file in TOML; the command line wins over it
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Check the configuration, print the routes in the order they are tried, and stop
    #[arg(long)]
    check_config: bool,
}

/// Runs until the server is stopped by SIGTERM or SIGINT.
pub(crate) fn run() -> Result<(), String> {
    let arguments = Arguments::parse();
    tracing_subscriber::fmt()
        .with_writer(std::io::stderr)
        // Colours would need the feature `ansi`; asking for them without it is a panic in debug builds.
        .with_ansi(false)
        .with_target(false)
        .init();
    let builder = builder(&arguments)?.check().map_err(|error| error.to_string())?;
    if arguments.check_config {
        print_routes(&builder);
        return Ok(());
    }
    raise_file_limit();
    let server = builder.build().map_err(|error| explain(&error))?;
    stop_on_signals(server.stop_handle())?;
    for address in server.addresses() {
        println!("anglerfish serves http://{address}/");
    }
    server.run().map_err(|error| error.to_string())
}

fn executor(name: &str) -> Result<Executor, String> {
    Executor::from_name(name).ok_or_else(|| String::from("known are auto, direct, uring and kernel"))
}

fn builder(arguments: &Arguments) -> Result<Builder, String> {
    let mut config = match &arguments.config {
        Some(path) => Config::read(path).map_err(|error| error.to_string())?,
        None => Config::default(),
    };
    if !arguments.listen.is_empty() {
        config.set_listen(arguments.listen.clone());
    }
    if let Some(workers) = arguments.workers {
        config.set_workers(workers);
    }
    if let Some(executor) = arguments.executor {
        config.set_executor(executor);
    }
    let folder = match &arguments.dir {
        Some(folder) => Some(folder.clone()),
        None if config.has_root() => None,
        None => Some(PathBuf::from(DEFAULT_FOLDER)).filter(|folder| Path::is_dir(folder)),
    };
    if let Some(folder) = folder {
        config.set_root(folder).map_err(|error| error.to_string())?;
    }
    let builder = config.builder().map_err(|error| error.to_string())?;
    Ok(if config.has_root() {
        builder
    } else {
        builder.route("/", Welcome)
    })
}

fn print_routes(builder: &Builder) {
    println!("The longest path that is the request's path, or ends at one of its slashes, wins:");
    for (path, handler) in builder.routes() {
        println!("  {path:<24} {handler}");
    }
}

/// The error, and what can be done about it where that is clear.
fn explain(error: &Error) -> String {
    match error {
        Error::Listen { .. } => format!("{error} (choose another with --listen ADDR)"),
        _ => error.to_string(),
    }
}

/// A connection is a descriptor, so the soft limit, often 1,024, is raised to the hard one.
fn raise_file_limit() {
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    if let Err(error) = setrlimit(
        Resource::Nofile,
        Rlimit {
            current: maximum,
            maximum,
        },
    ) {
        tracing::warn!("cannot raise the limit of open files: {error}");
    }
}

/// The first signal lets requests under way end, the second one ends them.
fn stop_on_signals(stop: StopHandle) -> Result<(), String> {
    let mut signals =
        Signals::new([SIGTERM, SIGINT]).map_err(|error| format!("cannot catch signals: {error}"))?;
    let watch = move || {
        let mut stopping = false;
        for signal in signals.forever() {
            if stopping {
                std::process::exit(128 + signal);
            }
            stopping = true;
            tracing::info!("stopping: waiting for the requests under way");
            stop.stop();
        }
    };
    std::thread::Builder::new()
        .name("signals".into())
        .spawn(watch)
        .map(drop)
        .map_err(|error| format!("cannot start a thread for signals: {error}"))
}
