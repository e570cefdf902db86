//! The top level, and what every crate takes over from it.

use std::{fs, io, path::Path};

use super::{Broken, metadata::Package, rules::ARROWS};
use crate::run::Failure;

/// The manifests at the top level, as text.
pub(super) struct Layout {
    /// `Cargo.toml` itself.
    root: String,
    /// Each folder that holds a manifest.
    folders: Vec<(String, String)>,
}

pub(super) fn look() -> Result<Layout, Failure> {
    let failed =
        |error: io::Error| Failure::Found(format!("the manifests cannot be read: {error}"));
    let root = fs::read_to_string("Cargo.toml").map_err(failed)?;
    let mut folders = Vec::new();
    for entry in fs::read_dir(Path::new(".")).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        let manifest = path.join("Cargo.toml");
        if let (Some(name), true) = (path.file_name(), manifest.is_file()) {
            let text = fs::read_to_string(&manifest).map_err(failed)?;
            folders.push((name.to_string_lossy().into_owned(), text));
        }
    }
    Ok(Layout { root, folders })
}

pub(super) fn check(packages: &[Package], layout: &Layout) -> Vec<Broken> {
    let mut broken = Vec::new();
    for (folder, manifest) in &layout.folders {
        let place = format!("{folder}/Cargo.toml");
        if !ARROWS.iter().any(|known| known.package == folder) {
            let what = format!("a crate `{folder}` at the top level");
            broken.push(Broken::new(
                what,
                &*place,
                "the map has six crates: put it into one of them",
            ));
        }
        if !says(manifest, "[lints]", "workspace = true") {
            let why = "lints are set once: `[lints] workspace = true` forbids unsafe code here too";
            broken.push(Broken::new("lints not taken over", place, why));
        }
    }
    let missing = ARROWS
        .iter()
        .filter(|known| !layout.folders.iter().any(|(folder, _)| folder == known.package));
    broken.extend(missing.map(|known| {
        let what = format!("no crate `{}`", known.package);
        Broken::new(what, "the top level", "the map has six crates")
    }));
    if !says(&layout.root, "[workspace.lints.rust]", "unsafe_code = \"forbid\"") {
        let what = "unsafe code is not forbidden";
        let place = "Cargo.toml, [workspace.lints.rust]";
        broken.push(Broken::new(what, place, "no crate of ours needs it"));
    }
    broken.extend(packages.iter().filter(|package| !package.has_rust_version).map(|package| {
        let place = format!("{}/Cargo.toml, [package]", package.name);
        Broken::new("no `rust-version`", place, "users learn from it which compiler they need")
    }));
    broken
}

/// Whether the table `header` of this manifest has the line `entry`.
fn says(manifest: &str, header: &str, entry: &str) -> bool {
    manifest
        .lines()
        .map(str::trim)
        .skip_while(|line| *line != header)
        .skip(1)
        .take_while(|line| !line.starts_with('['))
        .any(|line| line == entry)
}

#[cfg(test)]
mod tests {
    use super::super::sample::{the, workspace};
    use super::*;

    const MANIFEST: &str = "[package]\nname = \"a\"\n\n[lints]\nworkspace = true\n";

    fn layout() -> Layout {
        let folder = |rule: &super::super::rules::Arrows| (rule.package.into(), MANIFEST.into());
        Layout {
            root: "[workspace.lints.rust]\nunsafe_code = \"forbid\"\n".into(),
            folders: ARROWS.iter().map(folder).collect(),
        }
    }

    fn said(layout: &Layout) -> Vec<String> {
        check(&workspace(), layout).into_iter().map(|broken| broken.what).collect()
    }

    #[test]
    fn a_workspace_that_keeps_the_rules_is_left_alone() {
        assert_eq!(said(&layout()), [""; 0]);
    }

    #[test]
    fn the_top_level_holds_six_crates() {
        let mut more = layout();
        more.folders.push(("webhook-kafka".into(), MANIFEST.into()));
        assert_eq!(said(&more), ["a crate `webhook-kafka` at the top level"]);

        let mut fewer = layout();
        fewer.folders.retain(|(folder, _)| folder != "xtask");
        assert_eq!(said(&fewer), ["no crate `xtask`"]);
    }

    #[test]
    fn unsafe_code_is_forbidden_everywhere() {
        let mut own = layout();
        own.folders[0].1 = "[lints.rust]\nunsafe_code = \"allow\"\n[x]\nworkspace = true\n".into();
        assert_eq!(said(&own), ["lints not taken over"]);

        let mut weak = layout();
        weak.root = "[workspace.lints.clippy]\nunsafe_code = \"forbid\"\n".into();
        assert_eq!(said(&weak), ["unsafe code is not forbidden"]);
    }

    #[test]
    fn every_crate_names_its_compiler() {
        let mut packages = workspace();
        the(&mut packages, "webhook-http").has_rust_version = false;
        let broken = check(&packages, &layout());
        assert_eq!(broken[0].place, "webhook-http/Cargo.toml, [package]");
        assert_eq!(broken.len(), 1);
    }
}
