//! The library under test, and how a program comes to run with it.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use anyhow::{Context, Result, ensure};
use esca_sys::AnyExecutor;

/// How a program runs.
#[derive(Clone, Debug)]
pub(crate) enum Mode {
    /// As it is.
    Plain,
    /// With a library before libc.
    Preloaded {
        library: PathBuf,
        executor: &'static str,
        /// Further variables.
        variables: Vec<(&'static str, String)>,
    },
}

impl Mode {
    /// With the library of this checkout.
    pub(crate) fn preloaded(executor: &'static str) -> Result<Self> {
        Ok(Self::Preloaded {
            library: library()?.to_path_buf(),
            executor,
            variables: Vec::new(),
        })
    }

    /// The library, where there is one.
    pub(crate) fn library(&self) -> Option<&Path> {
        match self {
            Self::Plain => None,
            Self::Preloaded { library, .. } => Some(library),
        }
    }

    /// With a further variable.
    pub(crate) fn with(&self, name: &'static str, value: &str) -> Self {
        let mut mode = self.clone();
        if let Self::Preloaded { variables, .. } = &mut mode {
            variables.push((name, value.to_owned()));
        }
        mode
    }

    /// The same, and its counts appended to `path` when a process ends.
    pub(crate) fn counting(&self, path: &Path) -> Self {
        self.with("ESCA_STATS", &path.display().to_string())
    }

    /// What it sets in the environment.
    pub(crate) fn variables(&self) -> Vec<(&'static str, String)> {
        let Self::Preloaded {
            library,
            executor,
            variables,
        } = self
        else {
            return Vec::new();
        };
        let mut all = vec![
            ("LD_PRELOAD", library.display().to_string()),
            ("ESCA_EXECUTOR", (*executor).to_owned()),
        ];
        if *executor == "direct" {
            // The other one learns what pays, as it does where nothing is set.
            all.push(("ESCA_DEFER", "always".to_owned()));
        }
        all.extend(variables.iter().cloned());
        all
    }

    /// Sets the variables of `command`, which must not come from whoever runs the tests.
    pub(crate) fn apply(&self, command: &mut Command) {
        for name in [
            "LD_PRELOAD",
            "ESCA_EXECUTOR",
            "ESCA_DEFER",
            "ESCA_PRELOAD",
            "ESCA_PRELOAD_OPTIMISE",
            "ESCA_STATS",
        ] {
            command.env_remove(name);
        }
        command.envs(self.variables());
    }
}

/// Entries that were deferred, by what the library wrote to `path`.
pub(crate) fn entries(path: &Path) -> Result<u64> {
    let text = std::fs::read_to_string(path).with_context(|| format!("no counts in {}", path.display()))?;
    let words: Vec<_> = text.split_whitespace().collect();
    let entries = words.windows(2).filter(|pair| pair[0] == "entries");
    Ok(entries.filter_map(|pair| pair[1].parse::<u64>().ok()).sum())
}

/// Whether an executor can be had on this machine. Where nothing may be missing (`CI` is set), it must.
pub(crate) fn can_run(executor: &'static str) -> bool {
    match AnyExecutor::named(executor) {
        Ok(_) => true,
        Err(error) => {
            let strict = std::env::var_os("CI").is_some_and(|value| !value.is_empty() && value != "false");
            assert!(!strict, "{executor}: {error}");
            eprintln!("skipped: {error}");
            false
        }
    }
}

/// `libesca_preload.so`, built from this checkout in the profile of the running test, or what `ESCA_PRELOAD_LIBRARY` names.
fn library() -> Result<&'static Path> {
    static LIBRARY: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    let built = LIBRARY.get_or_init(|| {
        if let Some(path) = std::env::var_os("ESCA_PRELOAD_LIBRARY") {
            return Ok(path.into());
        }
        build().map_err(|error| format!("{error:#}"))
    });
    match built {
        Ok(path) => Ok(path),
        Err(error) => anyhow::bail!("{error}"),
    }
}

fn build() -> Result<PathBuf> {
    // Tests are <target>/<profile>/deps/<name>-<hash>.
    let test = std::env::current_exe()?;
    let profile = test.ancestors().nth(2).context("a test lies in deps/")?;
    let target = profile.parent().context("a profile lies in the target folder")?;
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(env!("CARGO_MANIFEST_DIR"));
    command.args([
        "build",
        "--quiet",
        "--package=esca-preload",
        "--lib",
        "--target-dir",
    ]);
    command.arg(target);
    if profile.ends_with("release") {
        command.arg("--release");
    }
    ensure!(
        command.status().context("cargo starts")?.success(),
        "the library does not build"
    );
    let library = profile.join("libesca_preload.so");
    ensure!(library.is_file(), "{} was not built", library.display());
    Ok(library)
}
