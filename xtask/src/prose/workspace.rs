//! Files of the workspace, and the package of each.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use crate::run::Failure;

/// Rust file or Markdown document, with its path below the root.
#[derive(Debug)]
pub(super) struct Source {
    pub(super) path: String,
    pub(super) text: String,
}

impl Source {
    pub(super) fn is_rust(&self) -> bool {
        self.path.ends_with(".rs")
    }
}

/// Files to check, in the order of their paths.
#[derive(Debug, Default)]
pub(super) struct Workspace {
    pub(super) sources: Vec<Source>,
    /// Folders with a manifest.
    packages: Vec<String>,
}

impl Workspace {
    /// Reads the workspace in the current folder.
    pub(super) fn read() -> Result<Self, Failure> {
        let mut files = Vec::new();
        let root = Path::new(".");
        collect(root, &mut files)
            .map_err(|error| Failure::Found(format!("cannot list files: {error}")))?;
        files.sort();
        let mut workspace = Self::default();
        for file in files {
            let path = name(root, &file);
            if let Some(package) = path.strip_suffix("/Cargo.toml") {
                workspace.packages.push(package.to_owned());
            } else if path.ends_with(".rs") || path.ends_with(".md") {
                let text = fs::read_to_string(&file)
                    .map_err(|error| Failure::Found(format!("cannot read {path}: {error}")))?;
                workspace.sources.push(Source { path, text });
            }
        }
        Ok(workspace)
    }

    /// Folder of the package that a file belongs to; empty for a file of no package.
    pub(super) fn package(&self, path: &str) -> &str {
        let holds = |package: &&String| {
            path.strip_prefix(package.as_str()).is_some_and(|rest| rest.starts_with('/'))
        };
        self.packages
            .iter()
            .filter(holds)
            .max_by_key(|package| package.len())
            .map_or("", String::as_str)
    }
}

/// Lists files, without build output and hidden folders.
fn collect(folder: &Path, files: &mut Vec<PathBuf>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name();
        let is_skipped = name == "target" || name.to_string_lossy().starts_with('.');
        match entry.file_type()? {
            kind if kind.is_dir() && !is_skipped => collect(&entry.path(), files)?,
            kind if kind.is_file() => files.push(entry.path()),
            _ => {}
        }
    }
    Ok(())
}

/// Path below the root, with `/` on every system.
fn name(root: &Path, path: &Path) -> String {
    let below = path.strip_prefix(root).unwrap_or(path);
    let parts: Vec<_> = below.iter().map(|part| part.to_string_lossy()).collect();
    parts.join("/")
}

#[cfg(test)]
impl Workspace {
    /// Workspace of these packages and files, for tests.
    pub(super) fn of(packages: &[&str], files: &[(&str, &str)]) -> Self {
        let source =
            |(path, text): &(&str, &str)| Source { path: (*path).into(), text: (*text).into() };
        Self {
            sources: files.iter().map(source).collect(),
            packages: packages.iter().map(ToString::to_string).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_belongs_to_the_innermost_package() {
        let workspace = Workspace::of(&["xtask", "xtask/suites/bench"], &[]);
        for (path, package) in [
            ("xtask/src/main.rs", "xtask"),
            ("xtask/suites/bench/src/lib.rs", "xtask/suites/bench"),
            ("xtasks/src/main.rs", ""),
            ("README.md", ""),
        ] {
            assert_eq!(workspace.package(path), package, "{path}");
        }
    }
}
