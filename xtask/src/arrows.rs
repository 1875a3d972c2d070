//! Which crate may depend on which, checked against `cargo metadata`.
//!
//! Arrows point from the integrations to the primitives, and from `esca-sys` to `batch-table`; there is no other.

use anyhow::{Context, Result};
use serde_json::Value;

use crate::workspace::{Role, role_of};

/// The one arrow among the primitives.
const AMONG_PRIMITIVES: (&str, &str) = ("esca-sys", "batch-table");

/// What any primitive may use.
const FOR_ALL: [&str; 2] = ["cfg-if", "static_assertions"];

/// What a primitive may use behind its feature `std`.
const BEHIND_STD: [(&str, &str); 2] = [("coro-asm", "libc"), ("esca-sys", "rustix")];

/// Every breach of the rules, one sentence each.
pub(crate) fn breaches(metadata: &Value) -> Result<Vec<String>> {
    let packages = metadata["packages"]
        .as_array()
        .context("cargo metadata lists no packages")?;
    let role = |name: &str| {
        let package = packages.iter().find(|package| package["name"] == name)?;
        role_of(metadata, package)
    };
    let mut breaches = Vec::new();
    for package in packages {
        let name = package["name"].as_str().context("a package without a name")?;
        let from = role_of(metadata, package).with_context(|| format!("no manifest path for {name}"))?;
        for dependency in package["dependencies"]
            .as_array()
            .context("a package without dependencies")?
        {
            let to = dependency["name"]
                .as_str()
                .context("a dependency without a name")?;
            let breach = match (from, role(to)) {
                (Role::Primitive, Some(_)) if (name, to) == AMONG_PRIMITIVES => None,
                // Its own tests may ask for its features.
                (Role::Primitive, Some(_)) if name == to && dependency["kind"] == "dev" => None,
                (Role::Primitive, Some(_)) => Some("a primitive stands alone"),
                (Role::Primitive, None) => outside(package, dependency, name, to),
                (Role::Integration, Some(Role::Integration)) => {
                    Some("integrations meet in the primitives only")
                }
                (Role::Integration, Some(Role::Tool)) => Some("nothing that ships uses a tool"),
                (Role::Tool, Some(_)) if name == "xtask" => {
                    Some("xtask builds before, and without, the rest")
                }
                (Role::Integration | Role::Tool, _) => None,
            };
            if let Some(why) = breach {
                breaches.push(format!("{name} -> {to}: {why}"));
            }
        }
        if from == Role::Primitive && package["features"]["default"] != Value::Array(Vec::new()) {
            breaches.push(format!(
                "{name}: the feature `default` of a primitive is there and empty"
            ));
        }
    }
    Ok(breaches)
}

/// Why a primitive may not use a crate from outside, if it may not.
fn outside(package: &Value, dependency: &Value, name: &str, to: &str) -> Option<&'static str> {
    if dependency["kind"] == "dev" || FOR_ALL.contains(&to) {
        return None;
    }
    if !dependency["kind"].is_null() {
        return Some("a primitive has no build dependency");
    }
    // Dependencies of the loom model are compiled for no user.
    if to == "loom" && dependency["target"] == "cfg(loom)" {
        return None;
    }
    if !BEHIND_STD.contains(&(name, to)) {
        return Some("a primitive uses cfg-if and static_assertions at most");
    }
    if dependency["optional"] != true {
        return Some("must be optional");
    }
    let enabled_elsewhere = package["features"].as_object().is_some_and(|features| {
        features
            .iter()
            .filter(|(feature, _)| *feature != "std")
            .any(|(_, enables)| {
                let enables = enables.as_array().into_iter().flatten().filter_map(Value::as_str);
                enables
                    .map(|what| what.trim_start_matches("dep:"))
                    .any(|what| what == to || starts_crate(what, to))
            })
    });
    enabled_elsewhere.then_some("may be enabled by the feature std only")
}

/// Whether the feature entry `what` is `krate/feature`, which enables the crate too; `krate?/feature` does not.
fn starts_crate(what: &str, krate: &str) -> bool {
    what.strip_prefix(krate).is_some_and(|rest| rest.starts_with('/'))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn package(path: &str, name: &str, features: Value, dependencies: Value) -> Value {
        json!({
            "name": name, "manifest_path": format!("/w/{path}/Cargo.toml"),
            "features": features, "dependencies": dependencies,
        })
    }

    fn normal(name: &str, optional: bool) -> Value {
        json!({ "name": name, "kind": null, "optional": optional, "target": null })
    }

    fn workspace(packages: Vec<Value>) -> Value {
        json!({ "workspace_root": "/w", "packages": packages })
    }

    fn none() -> Value {
        json!({ "default": [] })
    }

    fn found(packages: Vec<Value>) -> Vec<String> {
        breaches(&workspace(packages)).expect("well-formed metadata")
    }

    #[test]
    fn the_allowed_arrows_pass() {
        let std = json!({ "default": [], "std": ["alloc", "dep:libc"], "alloc": [] });
        let dev = json!({ "name": "proptest", "kind": "dev", "optional": false, "target": null });
        assert!(
            found(vec![
                package(
                    "crates/coro-asm",
                    "coro-asm",
                    std,
                    json!([normal("libc", true), dev])
                ),
                package(
                    "crates/batch-table",
                    "batch-table",
                    none(),
                    json!([normal("static_assertions", false)])
                ),
                package(
                    "crates/esca-sys",
                    "esca-sys",
                    none(),
                    json!([normal("batch-table", false)])
                ),
                package(
                    "server",
                    "anglerfish",
                    json!({}),
                    json!([normal("coro-asm", false), normal("clap", false)])
                ),
                package(
                    "tests",
                    "system-tests",
                    json!({}),
                    json!([normal("anglerfish", false)])
                ),
            ])
            .is_empty()
        );
    }

    #[test]
    fn primitives_stand_alone() {
        let breaches = found(vec![
            package(
                "crates/trie8",
                "trie8",
                none(),
                json!([normal("batch-table", false), normal("libc", true)]),
            ),
            package(
                "crates/batch-table",
                "batch-table",
                none(),
                json!([normal("esca-sys", false)]),
            ),
            package(
                "crates/esca-sys",
                "esca-sys",
                none(),
                json!([normal("anglerfish", false)]),
            ),
            package("server", "anglerfish", json!({}), json!([])),
        ]);
        assert_eq!(breaches.len(), 4, "{breaches:#?}");
    }

    #[test]
    fn a_primitive_may_test_itself_with_features() {
        let itself = json!({ "name": "esca-sys", "kind": "dev", "optional": false, "target": null });
        assert!(
            found(vec![package(
                "crates/esca-sys",
                "esca-sys",
                none(),
                json!([itself])
            )])
            .is_empty()
        );
    }

    #[test]
    fn libc_stays_behind_std() {
        let leaks = json!({ "default": [], "std": ["dep:libc"], "alloc": ["libc/align"] });
        assert_eq!(
            found(vec![package(
                "crates/coro-asm",
                "coro-asm",
                leaks,
                json!([normal("libc", true)])
            )]),
            ["coro-asm -> libc: may be enabled by the feature std only"]
        );
        let always = package(
            "crates/coro-asm",
            "coro-asm",
            none(),
            json!([normal("libc", false)]),
        );
        assert_eq!(found(vec![always]), ["coro-asm -> libc: must be optional"]);
    }

    #[test]
    fn default_features_are_empty() {
        let features = json!({ "default": ["std"], "std": [] });
        assert_eq!(
            found(vec![package("crates/trie8", "trie8", features, json!([]))]).len(),
            1
        );
        assert_eq!(
            found(vec![package("crates/trie8", "trie8", json!({}), json!([]))]).len(),
            1
        );
    }

    #[test]
    fn integrations_do_not_meet() {
        let breaches = found(vec![
            package(
                "server",
                "anglerfish",
                json!({}),
                json!([normal("esca-kernel", false)]),
            ),
            package(
                "kernel/core",
                "esca-kernel",
                json!({}),
                json!([normal("benches", false)]),
            ),
            package("benches", "benches", json!({}), json!([])),
        ]);
        assert_eq!(breaches.len(), 2, "{breaches:#?}");
    }
}
