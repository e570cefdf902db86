//! Folders at the top level, and settings that each crate inherits.

use std::{fs, io, path::Path};

use super::{
    Broken,
    metadata::Package,
    rules::{ARROWS, Arrows},
};
use crate::run::Failure;

/// Files and folders to check.
pub(super) struct Layout {
    /// The root's manifest, as text.
    root: String,
    /// Folders at the top level that hold a manifest.
    folders: Vec<String>,
    /// The manifest of each package.
    manifests: Vec<String>,
}

pub(super) fn look(packages: &[Package]) -> Result<Layout, Failure> {
    let failed =
        |error: io::Error| Failure::Found(format!("the manifests cannot be read: {error}"));
    let mut folders = Vec::new();
    for entry in fs::read_dir(Path::new(".")).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        if entry.path().join("Cargo.toml").is_file() {
            folders.push(entry.file_name().to_string_lossy().into_owned());
        }
    }
    let manifests = packages.iter().map(|package| fs::read_to_string(&package.manifest));
    Ok(Layout {
        root: fs::read_to_string("Cargo.toml").map_err(failed)?,
        folders,
        manifests: manifests.collect::<Result<_, _>>().map_err(failed)?,
    })
}

pub(super) fn check(packages: &[Package], layout: &Layout) -> Vec<Broken> {
    let mut broken = six_crates(&layout.folders);
    if !has_entry(&layout.root, "[workspace.lints.rust]", "unsafe_code = \"forbid\"") {
        let what = "unsafe code is not forbidden";
        let place = "Cargo.toml, [workspace.lints.rust]";
        broken.push(Broken::new(what, place, "no crate of ours needs it"));
    }
    for (package, manifest) in packages.iter().zip(&layout.manifests) {
        if !has_entry(manifest, "[lints]", "workspace = true") {
            let why = "lints are set once: `[lints] workspace = true` forbids unsafe code here too";
            broken.push(Broken::new("lints not inherited", &*package.manifest, why));
        }
        if !package.has_rust_version {
            let place = format!("{}, [package]", package.manifest);
            let why = "users read the required compiler there";
            broken.push(Broken::new("no `rust-version`", place, why));
        }
    }
    broken
}

fn six_crates(folders: &[String]) -> Vec<Broken> {
    let is_known = |folder: &String| ARROWS.iter().any(|known| known.package == folder);
    let more = folders.iter().filter(|folder| !is_known(folder)).map(|folder| {
        let what = format!("a crate `{folder}` at the top level");
        let why = "the map has six crates: move it into one of them";
        Broken::new(what, format!("{folder}/Cargo.toml"), why)
    });
    let is_there = |known: &&Arrows| folders.iter().any(|folder| folder == known.package);
    let fewer = ARROWS.iter().filter(|known| !is_there(known)).map(|known| {
        let what = format!("no crate `{}`", known.package);
        Broken::new(what, "the top level", "the map has six crates")
    });
    more.chain(fewer).collect()
}

/// Returns true if the table `header` of this manifest has the line `entry`.
fn has_entry(manifest: &str, header: &str, entry: &str) -> bool {
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

    const SAMPLE_MANIFEST: &str = "[package]\nname = \"a\"\n\n[lints]\nworkspace = true\n";

    fn layout() -> Layout {
        Layout {
            root: "[workspace.lints.rust]\nunsafe_code = \"forbid\"\n".into(),
            folders: ARROWS.iter().map(|rule| rule.package.to_owned()).collect(),
            manifests: vec![SAMPLE_MANIFEST.to_owned(); workspace().len()],
        }
    }

    fn broken(layout: &Layout) -> Vec<String> {
        check(&workspace(), layout).into_iter().map(|broken| broken.what).collect()
    }

    #[test]
    fn a_valid_workspace_breaks_no_rule() {
        assert_eq!(broken(&layout()), [""; 0]);
    }

    #[test]
    fn the_top_level_holds_six_crates() {
        let mut more = layout();
        more.folders.push("webhook-kafka".into());
        assert_eq!(broken(&more), ["a crate `webhook-kafka` at the top level"]);

        let mut fewer = layout();
        fewer.folders.retain(|folder| folder != "xtask");
        assert_eq!(broken(&fewer), ["no crate `xtask`"]);
    }

    #[test]
    fn unsafe_code_is_forbidden_everywhere() {
        let mut own = layout();
        own.manifests[0] = "[lints.rust]\nunsafe_code = \"allow\"\n[x]\nworkspace = true\n".into();
        assert_eq!(broken(&own), ["lints not inherited"]);

        let mut weak = layout();
        weak.root = "[workspace.lints.clippy]\nunsafe_code = \"forbid\"\n".into();
        assert_eq!(broken(&weak), ["unsafe code is not forbidden"]);
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
