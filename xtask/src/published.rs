//! The packages of this workspace that are published, from `cargo metadata`.

use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::run::{Failure, cargo, read};

/// A package that is published.
#[derive(Debug, Eq, PartialEq)]
pub(crate) struct Published {
    pub(crate) name: String,
    pub(crate) version: String,
    /// Folder of its manifest.
    pub(crate) folder: PathBuf,
    /// All features except `default`.
    pub(crate) features: Vec<String>,
    /// Features that `[package.metadata.docs.rs]` names.
    pub(crate) docs_features: Vec<String>,
    pub(crate) docs_args: Vec<String>,
    /// docs.rs documents libraries only.
    pub(crate) has_library: bool,
}

/// Returns the published packages, sorted by name.
pub(crate) fn packages() -> Result<Vec<Published>, Failure> {
    parse(&read(&mut cargo(["metadata", "--format-version", "1", "--no-deps"]))?)
}

fn parse(json: &str) -> Result<Vec<Published>, Failure> {
    let json: Value = serde_json::from_str(json).unwrap_or_default();
    let packages = json.get("packages").and_then(Value::as_array).into_iter().flatten();
    let mut published: Vec<_> = packages.filter(|json| is_published(json)).map(package).collect();
    published.sort_by(|a, b| a.name.cmp(&b.name));
    if published.is_empty() {
        return Err(Failure::Found("cargo names no published package".to_owned()));
    }
    Ok(published)
}

/// `publish = false` is an empty list of registries.
fn is_published(json: &Value) -> bool {
    !json.get("publish").and_then(Value::as_array).is_some_and(Vec::is_empty)
}

fn package(json: &Value) -> Published {
    let text = |key: &str| json.get(key).and_then(Value::as_str).unwrap_or_default();
    let features = json.get("features").and_then(Value::as_object).into_iter().flatten();
    let features = features.map(|(name, _)| name.clone()).filter(|name| name != "default");
    let mut kinds = json.pointer("/targets").and_then(Value::as_array).into_iter().flatten();
    Published {
        name: text("name").to_owned(),
        version: text("version").to_owned(),
        folder: Path::new(text("manifest_path")).parent().map(Into::into).unwrap_or_default(),
        features: features.collect(),
        docs_features: texts(json.pointer("/metadata/docs/rs/features")),
        docs_args: texts(json.pointer("/metadata/docs/rs/rustdoc-args")),
        has_library: kinds.any(|target| texts(target.get("kind")).iter().any(|kind| kind == "lib")),
    }
}

fn texts(json: Option<&Value>) -> Vec<String> {
    let list = json.and_then(Value::as_array).into_iter().flatten();
    list.filter_map(Value::as_str).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn published_packages_are_read_with_their_features() {
        let json = r#"{"packages": [
            {"name": "xtask", "publish": []},
            {"name": "b", "version": "0.1.0", "publish": null, "manifest_path": "/ws/b/Cargo.toml",
             "features": {"default": ["x"], "x": []}, "targets": [{"kind": ["lib"]}],
             "metadata": {"docs": {"rs": {"features": ["x"], "rustdoc-args": ["--cfg", "docsrs"]}}}},
            {"name": "a", "publish": null, "targets": [{"kind": ["bin"]}]}]}"#;
        let packages = parse(json).unwrap();
        assert_eq!(packages.iter().map(|one| &*one.name).collect::<Vec<_>>(), ["a", "b"]);
        assert!(!packages[0].has_library && packages[1].has_library);
        assert_eq!(packages[1].folder, Path::new("/ws/b"));
        assert_eq!(packages[1].features, ["x"]);
        assert_eq!(packages[1].docs_features, ["x"]);
        assert_eq!(packages[1].docs_args, ["--cfg", "docsrs"]);
    }

    #[test]
    fn other_output_is_refused() {
        assert!(parse("error: no").is_err());
        assert!(parse("{}").is_err());
    }
}
