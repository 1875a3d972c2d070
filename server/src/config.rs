//! The configuration file.

use core::fmt;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Deserialize;
use serde::de::{Deserializer, Error as _};

use crate::{Builder, Executor, Files, Limits, Response, Server, Status, Timeouts};

/// A configuration file in TOML. Unknown keys are refused.
///
/// | key | type | default | meaning |
/// |---|---|---|---|
/// | `listen` | list of text | `["127.0.0.1:8080"]` | addresses with ports |
/// | `workers` | integer | one a processor | event loops, 1 to 1,024 |
/// | `pin` | boolean | `true` | keep each worker on one processor, where there are enough |
/// | `executor` | text | `"auto"` | what runs batches of system calls: `auto`, `direct`, `uring` or `kernel` |
/// | `timeouts.head` | seconds | `10` | from a head's first byte to its last |
/// | `timeouts.idle` | seconds | `15` | between requests |
/// | `timeouts.body` | seconds | `30` | for a request's body, besides what it earns by `limits.min_rate` |
/// | `timeouts.write` | seconds | `30` | for a response, besides what it earns |
/// | `timeouts.shutdown` | seconds | `10` | for the requests under way when the server stops |
/// | `limits.head` | bytes | `16384` | of a request's head |
/// | `limits.body` | bytes | `1048576` | of a request's body |
/// | `limits.connections` | integer | `65536` | a worker |
/// | `limits.min_rate` | bytes a second | `1024` | slower bodies and responses run out of time |
/// | `limits.stack` | bytes | `65536` | of a handler's stack |
/// | `route` | list of tables | `/` serves the folder | see below |
///
/// Seconds may have a fraction. A route has a `path` and one of
///
/// | key | meaning |
/// |---|---|
/// | `files` | a folder to serve, relative to the configuration file |
/// | `redirect` | a location to redirect to, by `308` |
/// | `text` | a text to answer with |
///
/// ```
/// use anglerfish::config::Config;
///
/// let config = Config::parse(
///     r#"
///     listen = ["127.0.0.1:0"]
///     workers = 2
///     timeouts.idle = 2.5
///     limits.body = 10_000_000
///
///     [[route]]
///     path = "/old"
///     redirect = "/new"
///     "#,
/// )?;
/// assert!(Config::parse("lisen = []").unwrap_err().to_string().contains("unknown field `lisen`"));
/// # Ok::<(), anglerfish::config::ConfigError>(())
/// ```
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    listen: Option<Vec<SocketAddr>>,
    workers: Option<usize>,
    pin: Option<bool>,
    executor: Option<ExecutorName>,
    #[serde(default)]
    timeouts: TimeoutKeys,
    #[serde(default)]
    limits: LimitKeys,
    #[serde(default, rename = "route")]
    routes: Vec<Route>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct TimeoutKeys {
    head: Option<Seconds>,
    idle: Option<Seconds>,
    body: Option<Seconds>,
    write: Option<Seconds>,
    shutdown: Option<Seconds>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct LimitKeys {
    head: Option<usize>,
    body: Option<u64>,
    connections: Option<usize>,
    min_rate: Option<u64>,
    stack: Option<usize>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Route {
    path: String,
    files: Option<PathBuf>,
    redirect: Option<String>,
    text: Option<String>,
}

/// A positive number of seconds, whole or not.
#[derive(Clone, Copy, Debug)]
struct Seconds(Duration);

impl<'de> Deserialize<'de> for Seconds {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let seconds = f64::deserialize(deserializer)?;
        match Duration::try_from_secs_f64(seconds) {
            Ok(duration) if !duration.is_zero() => Ok(Self(duration)),
            _ => Err(D::Error::custom(format!(
                "{seconds} is not a positive number of seconds"
            ))),
        }
    }
}

/// One of the executors by its name.
#[derive(Clone, Copy, Debug)]
struct ExecutorName(Executor);

impl<'de> Deserialize<'de> for ExecutorName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = String::deserialize(deserializer)?;
        let executor = Executor::from_name(&name);
        executor
            .map(Self)
            .ok_or_else(|| D::Error::custom(format!("{name:?} is none of auto, direct, uring and kernel")))
    }
}

impl Config {
    /// Parses the text of a configuration file.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] with the line and column of what is not TOML, unknown, or of the wrong type.
    pub fn parse(text: &str) -> Result<Self, ConfigError> {
        toml::from_str(text).map_err(|error| ConfigError(error.to_string()))
    }

    /// Reads and parses the file at `path`; the folders of its routes are taken relative to it.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] naming the file, when it cannot be read or as for [`parse`](Self::parse).
    pub fn read(path: &Path) -> Result<Self, ConfigError> {
        let named = |error: &dyn fmt::Display| ConfigError(format!("{}: {error}", path.display()));
        let text = std::fs::read_to_string(path).map_err(|error| named(&error))?;
        let mut config = Self::parse(&text).map_err(|error| named(&error))?;
        let base = path.parent().unwrap_or(Path::new(""));
        for route in &mut config.routes {
            if let Some(folder) = &mut route.files {
                *folder = base.join(&*folder);
            }
        }
        Ok(config)
    }

    /// Addresses in place of those of the file.
    pub fn set_listen(&mut self, addresses: Vec<SocketAddr>) {
        self.listen = Some(addresses);
    }

    /// A number of workers in place of that of the file.
    pub const fn set_workers(&mut self, workers: usize) {
        self.workers = Some(workers);
    }

    /// An executor in place of that of the file.
    pub const fn set_executor(&mut self, executor: Executor) {
        self.executor = Some(ExecutorName(executor));
    }

    /// Serves `folder` at `/`.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] when the file has a route for `/` itself.
    pub fn set_root(&mut self, folder: PathBuf) -> Result<(), ConfigError> {
        if self.has_root() {
            let reason =
                "the folder on the command line and the configuration's route for \"/\" exclude each other";
            return Err(ConfigError(reason.into()));
        }
        self.routes.push(Route {
            path: "/".into(),
            files: Some(folder),
            redirect: None,
            text: None,
        });
        Ok(())
    }

    /// Whether something answers `/`.
    #[must_use]
    pub fn has_root(&self) -> bool {
        self.routes.iter().any(|route| route.path == "/")
    }

    /// A builder with all of this set, and its folders opened.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] when a folder cannot be opened, or a route has not exactly one kind of answer.
    pub fn builder(&self) -> Result<Builder, ConfigError> {
        let addresses = self
            .listen
            .clone()
            .unwrap_or_else(|| vec![SocketAddr::from(([127, 0, 0, 1], 8080))]);
        let mut builder = Server::builder().timeouts(self.timeouts()).limits(self.limits());
        builder = addresses.into_iter().fold(builder, Builder::listen);
        if let Some(workers) = self.workers {
            builder = builder.workers(workers);
        }
        if let Some(pin) = self.pin {
            builder = builder.pin(pin);
        }
        if let Some(ExecutorName(executor)) = self.executor {
            builder = builder.executor(executor);
        }
        for route in &self.routes {
            builder = route.register(builder)?;
        }
        Ok(builder)
    }

    /// The timeouts, with the defaults for what the file leaves out.
    #[must_use]
    pub fn timeouts(&self) -> Timeouts {
        let Timeouts {
            head,
            idle,
            body,
            write,
            shutdown,
        } = Timeouts::default();
        let keys = &self.timeouts;
        let or = |key: Option<Seconds>, default| key.map_or(default, |seconds| seconds.0);
        Timeouts {
            head: or(keys.head, head),
            idle: or(keys.idle, idle),
            body: or(keys.body, body),
            write: or(keys.write, write),
            shutdown: or(keys.shutdown, shutdown),
        }
    }

    /// The limits, with the defaults for what the file leaves out.
    #[must_use]
    pub fn limits(&self) -> Limits {
        let Limits {
            head,
            body,
            connections,
            min_rate,
            stack,
        } = Limits::default();
        let keys = &self.limits;
        Limits {
            head: keys.head.unwrap_or(head),
            body: keys.body.unwrap_or(body),
            connections: keys.connections.unwrap_or(connections),
            min_rate: keys.min_rate.unwrap_or(min_rate),
            stack: keys.stack.unwrap_or(stack),
        }
    }
}

impl Route {
    fn register(&self, builder: Builder) -> Result<Builder, ConfigError> {
        let path = &self.path;
        match (&self.files, &self.redirect, &self.text) {
            (Some(folder), None, None) => {
                let files = Files::new(folder).map_err(|error| {
                    ConfigError(format!("cannot serve the folder {}: {error}", folder.display()))
                })?;
                Ok(builder.route(path, files))
            }
            (None, Some(location), None) => {
                Response::redirect(Status::PERMANENT_REDIRECT, location.clone())
                    .map_err(|error| ConfigError(format!("route {path:?}: {error}")))?;
                Ok(builder.route(path, crate::answers::Redirect(location.clone())))
            }
            (None, None, Some(text)) => Ok(builder.route(path, crate::answers::Text(text.clone()))),
            _ => Err(ConfigError(format!(
                "route {path:?} needs exactly one of files, redirect and text"
            ))),
        }
    }
}

/// What is wrong with a configuration, in words for its writer.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ConfigError(String);

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.trim_end())
    }
}

impl core::error::Error for ConfigError {}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(text: &str) -> String {
        Config::parse(text)
            .and_then(|config| config.builder().map(drop))
            .unwrap_err()
            .to_string()
    }

    #[test]
    fn an_empty_file_is_the_defaults() {
        let config = Config::parse("").unwrap();
        assert_eq!(config.timeouts(), Timeouts::default());
        assert_eq!(config.limits(), Limits::default());
    }

    #[test]
    fn every_key_is_read() {
        let config = Config::parse(
            r#"
            listen = ["127.0.0.1:1", "[::1]:2"]
            workers = 3
            pin = false
            executor = "direct"
            timeouts = { head = 1, idle = 2.5, body = 3, write = 4, shutdown = 5 }
            limits = { head = 1000, body = 2, connections = 3, min_rate = 4, stack = 32768 }
            [[route]]
            path = "/a"
            redirect = "/b"
            [[route]]
            path = "/b"
            text = "c"
            "#,
        )
        .unwrap();
        assert_eq!(config.timeouts().idle, Duration::from_millis(2500));
        assert_eq!(config.timeouts().shutdown, Duration::from_secs(5));
        assert_eq!(config.limits().stack, 32768);
        let routes = config.builder().unwrap().routes();
        assert_eq!(
            routes,
            [("/a".into(), "redirect /b".into()), ("/b".into(), "text".into())]
        );
    }

    #[test]
    fn mistakes_are_named_with_their_place() {
        for (text, expected) in [
            ("wrokers = 1", "unknown field `wrokers`"),
            ("workers = \"x\"", "expected usize"),
            ("workers = -1", "line 1"),
            ("executor = \"turbo\"", "none of auto, direct, uring and kernel"),
            ("timeouts.haed = 1", "unknown field `haed`"),
            ("timeouts.head = 0", "not a positive number of seconds"),
            ("listen = [\"localhost\"]", "line 1"),
            ("[[route]]\npath = \"/\"", "exactly one of"),
            (
                "[[route]]\npath = \"/\"\ntext = \"a\"\nredirect = \"b\"",
                "exactly one of",
            ),
            (
                "[[route]]\npath = \"/\"\nfiles = \"/nonexistent/x\"",
                "/nonexistent/x: No such file",
            ),
            (
                "[[route]]\npath = \"/\"\nredirect = \"a\\nb\"",
                "control character",
            ),
        ] {
            let message = refusal(text);
            assert!(message.contains(expected), "{text}: {message}");
        }
    }

    #[test]
    fn a_folder_twice_is_refused() {
        let mut config = Config::parse("[[route]]\npath = \"/\"\ntext = \"a\"").unwrap();
        assert!(config.set_root(".".into()).is_err());
    }
}
