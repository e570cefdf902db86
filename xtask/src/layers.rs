//! Rules about dependencies, imports and features between crates.
//!
//! `rules` is the table to read. The other modules compare parsed data with it, and report each
//! broken rule with its place and its reason.

mod arrows;
mod calls;
mod enums;
mod imports;
mod layout;
mod metadata;
mod promises;
mod reasons;
mod rooms;
mod rules;
#[cfg(test)]
mod sample;
mod trees;

use std::fmt;

use crate::{
    fuzz::FUZZ_MANIFEST,
    run::{Failure, cargo, read},
    sources::rust_sources,
    step::StepReport,
};

/// Sources of the published libraries that users match on.
const PUBLISHED_SOURCES: [&str; 4] =
    ["webhook-core/src", "webhook-http/src", "webhook-store-seaorm/src", "webhook-registry/src"];

/// Broken rule, with its place and the reason for the rule.
#[derive(Clone, Debug, Eq, PartialEq)]
struct Broken {
    what: String,
    place: String,
    why: &'static str,
}

impl Broken {
    fn new(what: impl Into<String>, place: impl Into<String>, why: &'static str) -> Self {
        Self { what: what.into(), place: place.into(), why }
    }
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "  {}\n    in {}\n    but {}", self.what, self.place, self.why)
    }
}

/// Packages of the fuzzers, which are a workspace of their own.
///
/// The rules of the layout do not apply to them. The rules of dependencies do.
fn outside() -> Result<Vec<metadata::Package>, Failure> {
    let arguments =
        ["metadata", "--format-version", "1", "--no-deps", "--manifest-path", FUZZ_MANIFEST];
    metadata::parse(&read(&mut cargo(arguments))?).map_err(Failure::Found)
}

pub(crate) fn check() -> Result<StepReport, Failure> {
    let json = read(&mut cargo(["metadata", "--format-version", "1", "--no-deps"]))?;
    let packages = metadata::parse(&json).map_err(Failure::Found)?;
    let mut broken = layout::check(&packages, &layout::look(&packages)?);
    let packages = [packages, outside()?].concat();
    broken.extend(arrows::check(&packages));
    broken.extend(calls::check()?);
    let document = reasons::look()?;
    broken.extend(reasons::check(&packages, &document));
    let mut sources = String::new();
    for known in rules::ARROWS {
        sources.extend(rust_sources(known.package)?.into_values());
    }
    broken.extend(promises::check(&document, &sources));
    for src in PUBLISHED_SOURCES {
        broken.extend(enums::check(src, &rust_sources(src)?));
    }
    let mut files = 0;
    for rule in rules::ROOMS {
        let sources = rust_sources(rule.src)?;
        files += sources.len();
        broken.extend(rooms::check(rule, &sources));
    }
    for rule in rules::TREES {
        // The tree of a crate that breaks a rule above may fail to resolve.
        match trees::look(rule) {
            Ok(tree) => broken.extend(trees::check(rule, &tree)),
            Err(failure) => broken.push(Broken::new(
                failure.to_string(),
                trees::name(rule),
                "this feature set must exist",
            )),
        }
    }
    if broken.is_empty() {
        let arrows: usize = packages.iter().map(|package| package.dependencies.len()).sum();
        let trees = rules::TREES.len();
        return Ok(StepReport::new(format!(
            "{arrows} dependencies, {files} files in rooms, {trees} trees"
        )));
    }
    let list: Vec<_> = broken.iter().map(ToString::to_string).collect();
    Err(Failure::Found(format!("{} rules broken\n{}", broken.len(), list.join("\n"))))
}
