//! Each feature of each published package, alone.
//!
//! Users combine features as they like. With all of them on, code that lacks a `cfg` compiles as
//! well; only alone it does not.

use crate::{
    published::{Published, packages},
    run::{Failure, cargo, run},
    step::StepReport,
};

pub(crate) const EACH: &str = "--each";

pub(crate) fn check() -> Result<StepReport, Failure> {
    let packages = packages()?;
    let mut failed = Vec::new();
    for package in &packages {
        let alone = package.features.iter().map(|feature| Some(&**feature));
        for feature in std::iter::once(None).chain(alone) {
            if let Err(failure) = compile(package, feature) {
                println!("{failure}");
                failed.push(format!("{} with {}", package.name, feature.unwrap_or("no feature")));
            }
        }
    }
    for package in &packages {
        println!("{}: none, {}", package.name, package.features.join(", "));
    }
    let count: usize = packages.iter().map(|package| package.features.len() + 1).sum();
    match failed.len() {
        0 => Ok(StepReport::new(format!("{count} feature sets of {} packages", packages.len()))),
        _ => Err(Failure::Found(format!("{} of {count}: {}", failed.len(), failed.join(", ")))),
    }
}

/// Lints the library and the programs of `package`, without its tests.
fn compile(package: &Published, feature: Option<&str>) -> Result<(), Failure> {
    let mut command = cargo(["clippy", "--package", &package.name, "--no-default-features"]);
    if let Some(feature) = feature {
        command.args(["--features", feature]);
    }
    run(command.args(["--", "-D", "warnings"]))
}
