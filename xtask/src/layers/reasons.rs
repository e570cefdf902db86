//! Reasons for dependencies, from the table in `ARCHITECTURE.md`.

use std::{fs, path::Path};

use super::{Broken, metadata::Package, rules::is_ours};
use crate::run::Failure;

const DOCUMENT: &str = "ARCHITECTURE.md";

pub(super) fn look() -> Result<String, Failure> {
    fs::read_to_string(Path::new(DOCUMENT))
        .map_err(|error| Failure::Found(format!("failed to read {DOCUMENT}: {error}")))
}

/// Checks that each foreign crate has a reason, and each reason a crate.
pub(super) fn check(packages: &[Package], document: &str) -> Vec<Broken> {
    let reasons: Vec<_> = reasons(document).collect();
    let mut named: Vec<&str> = packages
        .iter()
        .flat_map(|package| &package.dependencies)
        .map(|dependency| dependency.name.as_str())
        .filter(|name| !is_ours(name))
        .collect();
    named.sort_unstable();
    named.dedup();
    let missing = named.iter().filter(|name| !reasons.contains(name)).map(|name| {
        let why = "every dependency is a decision: add a line with its reason";
        Broken::new(format!("no reason for {name}"), place(), why)
    });
    let idle = reasons.iter().filter(|name| !named.contains(name)).map(|name| {
        Broken::new(
            format!("a reason for {name}"),
            place(),
            "no crate of this workspace depends on it",
        )
    });
    missing.chain(idle).collect()
}

fn place() -> String {
    format!("{DOCUMENT}, Dependencies")
}

/// Crates in the first column of the table under `## Dependencies`.
fn reasons(document: &str) -> impl Iterator<Item = &str> {
    document
        .lines()
        .skip_while(|line| *line != "## Dependencies")
        .skip(1)
        .take_while(|line| !line.starts_with("## "))
        .filter_map(|line| line.strip_prefix("| `")?.split_once('`'))
        .map(|(name, _)| name)
}

#[cfg(test)]
mod tests {
    use super::super::sample::{needs, the, workspace};
    use super::*;

    const DOCUMENT: &str = "| `outside` | x |\n## Dependencies\n\n| crate | for |\n|---|---|\n\
        | `bytes` | x |\n| `clap` | x |\n| `hyper` | x |\n| `proptest` | x |\n| `sea-orm` | x |\n\
        | `serde_json` | x |\n| `tokio` | x |\n\n## Then\n| `after` | x |\n";

    fn broken(packages: &[Package]) -> Vec<String> {
        check(packages, DOCUMENT).into_iter().map(|broken| broken.what).collect()
    }

    #[test]
    fn dependencies_and_reasons_match() {
        let mut packages = workspace();
        assert_eq!(broken(&packages), [""; 0]);
        the(&mut packages, "webhook-core").dependencies.clear();
        the(&mut packages, "xtask").dependencies.push(needs("anyhow"));
        assert_eq!(
            broken(&packages),
            [
                "no reason for anyhow",
                "a reason for bytes",
                "a reason for proptest",
                "a reason for tokio"
            ]
        );
    }
}
