//! Documentation of each package, built as docs.rs builds it.

use std::path::Path;

use crate::{
    published::Published,
    run::{Failure, cargo, run},
    step::StepReport,
};

/// Builds of the documentation, in the folder of the unpacked packages.
///
/// Build scripts run again if `RUSTC_BOOTSTRAP` changes, so that these builds share nothing with
/// others.
pub(super) const DOCS_BUILD_FOLDER: &str = "docs-target";

/// Builds the documentation of each library with the features and arguments that its manifest names
/// for docs.rs. Warnings are errors.
pub(super) fn build(packages: &[Published], workspace: &Path) -> Result<StepReport, Failure> {
    let (libraries, others): (Vec<_>, Vec<_>) =
        packages.iter().partition(|package| package.has_library);
    for package in &libraries {
        // docs.rs has a nightly compiler: the marks of `doc(cfg)` are unstable.
        run(cargo(["rustdoc", "--offline", "--lib", "--package", &package.name])
            .args(["--features", &package.docs_features.join(",")])
            .arg("--target-dir")
            .arg(workspace.join(DOCS_BUILD_FOLDER))
            .args(["--", "-D", "warnings"])
            .args(&package.docs_args)
            .env("RUSTC_BOOTSTRAP", "1")
            .current_dir(workspace))?;
    }
    let summary: Vec<_> = libraries.iter().map(|package| listed(package)).collect();
    let left_out = others.iter().map(|package| {
        format!("documentation of {}: it has no library, and docs.rs builds none", package.name)
    });
    Ok(StepReport { summary: summary.join(", "), left_out: left_out.collect() })
}

fn listed(package: &Published) -> String {
    match package.docs_features.join(", ") {
        features if features.is_empty() => package.name.clone(),
        features => format!("{} ({features})", package.name),
    }
}
