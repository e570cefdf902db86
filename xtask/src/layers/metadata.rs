//! Part of the output of `cargo metadata` that the rules need.

use serde_json::Value;

/// Crate of this workspace.
#[derive(Clone, Debug)]
pub(super) struct Package {
    pub(super) name: String,
    /// Path of its `Cargo.toml` from the root.
    pub(super) manifest: String,
    pub(super) dependencies: Vec<Dependency>,
    pub(super) has_rust_version: bool,
}

/// Dependency of a crate, as its manifest declares it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Dependency {
    pub(super) name: String,
    pub(super) kind: Kind,
    pub(super) optional: bool,
    pub(super) features: Vec<String>,
    pub(super) has_version: bool,
}

/// Table of a dependency.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Kind {
    Normal,
    Build,
    Dev,
}

impl Kind {
    pub(super) const fn table(self) -> &'static str {
        match self {
            Self::Normal => "[dependencies]",
            Self::Build => "[build-dependencies]",
            Self::Dev => "[dev-dependencies]",
        }
    }
}

/// Reads the output of `cargo metadata --format-version 1`.
pub(super) fn parse(json: &str) -> Result<Vec<Package>, String> {
    let json: Value = serde_json::from_str(json)
        .map_err(|error| format!("`cargo metadata` printed invalid JSON: {error}"))?;
    let root = text(&json, "workspace_root");
    let packages: Vec<_> = list(&json, "packages").map(|json| package(json, &root)).collect();
    if packages.is_empty() {
        return Err("`cargo metadata` contains no packages".to_owned());
    }
    Ok(packages)
}

fn package(json: &Value, root: &str) -> Package {
    let manifest = text(json, "manifest_path");
    Package {
        name: text(json, "name"),
        manifest: manifest.trim_start_matches(root).trim_start_matches(['/', '\\']).to_owned(),
        dependencies: list(json, "dependencies").map(dependency).collect(),
        has_rust_version: json.get("rust_version").is_some_and(Value::is_string),
    }
}

fn dependency(json: &Value) -> Dependency {
    Dependency {
        name: text(json, "name"),
        kind: match json.get("kind").and_then(Value::as_str) {
            Some("dev") => Kind::Dev,
            Some("build") => Kind::Build,
            _ => Kind::Normal,
        },
        optional: json.get("optional").and_then(Value::as_bool).unwrap_or_default(),
        features: json.get("features").map(texts).unwrap_or_default(),
        has_version: text(json, "req") != "*",
    }
}

fn list<'a>(json: &'a Value, key: &str) -> impl Iterator<Item = &'a Value> {
    json.get(key).and_then(Value::as_array).into_iter().flatten()
}

fn text(json: &Value, key: &str) -> String {
    json.get(key).and_then(Value::as_str).unwrap_or_default().to_owned()
}

fn texts(json: &Value) -> Vec<String> {
    json.as_array().into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metadata_are_read() {
        let json = r#"{"workspace_root": "/some/where", "packages": [{
            "name": "a", "rust_version": "1.94", "manifest_path": "/some/where/b/a/Cargo.toml",
            "dependencies": [
                {"name": "tokio", "kind": null, "req": "^1.54", "optional": false, "features": ["sync"]},
                {"name": "b", "kind": "dev", "req": "*", "optional": false, "features": []}
            ]}]}"#;
        let packages = parse(json).unwrap();
        let package = &packages[0];
        assert!(package.has_rust_version);
        assert_eq!(package.manifest, "b/a/Cargo.toml");
        assert_eq!(package.dependencies[0].features, ["sync"]);
        assert_eq!(package.dependencies[1].kind, Kind::Dev);
        assert!(package.dependencies[0].has_version && !package.dependencies[1].has_version);
    }

    #[test]
    fn other_output_is_refused() {
        assert!(parse("error: no").is_err());
        assert!(parse("{}").is_err());
    }
}
