//! What `cargo metadata` says about the workspace.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};
use serde_json::Value;

/// The parts that a package may play; its folder decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    /// `crates/*`: published, `no_std`, knows neither a server nor a kernel.
    Primitive,
    /// What the primitives are put together into.
    Integration,
    /// Tests, benches and this program.
    Tool,
}

/// A member of the workspace.
#[derive(Clone, Debug)]
pub(crate) struct Package {
    pub(crate) name: String,
    pub(crate) role: Role,
    pub(crate) published: bool,
    pub(crate) features: Vec<String>,
}

/// The workspace that this program was built from.
#[derive(Debug)]
pub(crate) struct Workspace {
    pub(crate) root: PathBuf,
    pub(crate) target: PathBuf,
    pub(crate) metadata: Value,
}

impl Workspace {
    pub(crate) fn load() -> Result<Self> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"))
            .parent()
            .context("xtask has no parent folder")?;
        let output = Command::new(cargo())
            .args(["metadata", "--format-version=1", "--no-deps"])
            .current_dir(root)
            .output()
            .context("cannot start cargo")?;
        if !output.status.success() {
            bail!(
                "cargo metadata: {}",
                String::from_utf8_lossy(&output.stderr).trim()
            );
        }
        let metadata: Value = serde_json::from_slice(&output.stdout).context("cargo metadata is not JSON")?;
        let target = metadata["target_directory"]
            .as_str()
            .context("cargo metadata names no target folder")?;
        Ok(Self {
            root: root.to_path_buf(),
            target: PathBuf::from(target),
            metadata,
        })
    }

    pub(crate) fn packages(&self) -> Result<Vec<Package>> {
        let packages = self.metadata["packages"]
            .as_array()
            .context("cargo metadata lists no packages")?;
        packages
            .iter()
            .map(|package| package_of(&self.metadata, package))
            .collect()
    }

    /// The published crates under `crates/`.
    pub(crate) fn primitives(&self) -> Result<Vec<Package>> {
        let mut primitives = self.packages()?;
        primitives.retain(|package| package.role == Role::Primitive);
        if primitives.is_empty() {
            bail!("no package under crates/");
        }
        Ok(primitives)
    }
}

fn package_of(metadata: &Value, package: &Value) -> Result<Package> {
    let name = package["name"].as_str().context("a package without a name")?;
    let features = package["features"]
        .as_object()
        .context("a package without features")?;
    Ok(Package {
        name: name.to_owned(),
        role: role_of(metadata, package).with_context(|| format!("no manifest path for {name}"))?,
        // `publish = false` is an empty list of registries, no restriction is null.
        published: package["publish"].is_null(),
        features: features.keys().cloned().collect(),
    })
}

/// The role of a package, from the first folder of its path below the workspace root.
pub(crate) fn role_of(metadata: &Value, package: &Value) -> Option<Role> {
    let manifest = Path::new(package["manifest_path"].as_str()?);
    let relative = manifest.strip_prefix(metadata["workspace_root"].as_str()?).ok()?;
    Some(match relative.iter().next()?.to_str()? {
        "crates" => Role::Primitive,
        "benches" | "tests" | "fuzz" | "xtask" => Role::Tool,
        _ => Role::Integration,
    })
}

/// The cargo that runs this program, or the one on the path.
pub(crate) fn cargo() -> std::ffi::OsString {
    std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into())
}
