//! What one feature set pulls in, however far down: `cargo tree`.

use super::{Broken, rules::Tree};
use crate::run::{Failure, cargo, read};

/// Features of tokio that are no runtime: channels, locks, and what they switch on.
const CHANNELS: [&str; 2] = ["default", "sync"];

/// The crates of the tree, each with its features: `tokio v1.54.1|sync`.
pub(super) fn look(rule: &Tree) -> Result<String, Failure> {
    read(
        cargo(["tree", "--package", rule.package])
            .args(rule.flags)
            .args(["--edges", "normal", "--prefix", "none", "--format", "{p}|{f}"]),
    )
}

/// The command that shows the tree.
pub(super) fn name(rule: &Tree) -> String {
    let flags: String = rule.flags.iter().map(|flag| format!(" {flag}")).collect();
    format!("cargo tree --edges normal --package {}{flags}", rule.package)
}

pub(super) fn check(rule: &Tree, tree: &str) -> Vec<Broken> {
    let mut crates: Vec<_> = tree.lines().filter_map(read_line).collect();
    // A crate stands in the tree once for each that needs it.
    crates.sort_unstable();
    crates.dedup();
    if !crates.iter().any(|(name, _)| *name == rule.package) {
        return vec![Broken::new("the tree cannot be read", name(rule), rule.why)];
    }
    let said = |what: String| Broken::new(what, name(rule), rule.why);
    let mut broken = Vec::new();
    for (name, features) in crates {
        if rule.never.iter().any(|pattern| matches(pattern, name)) {
            broken.push(said(format!("{} pulls in {name}", rule.package)));
        }
        if name == "tokio" && !rule.runtime {
            let runtime = features.split(',').find(|feature| !CHANNELS.contains(feature));
            broken.extend(runtime.map(|feature| {
                said(format!("{} pulls in tokio with the feature `{feature}`", rule.package))
            }));
        }
    }
    broken
}

/// The name and the features in `tokio v1.54.1|sync (*)`.
fn read_line(line: &str) -> Option<(&str, &str)> {
    let (package, features) = line.split_once('|')?;
    let name = package.split(' ').next()?;
    Some((name, features.strip_suffix("(*)").unwrap_or(features).trim()))
}

fn matches(pattern: &str, name: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(beginning) => name.starts_with(beginning),
        None => name == pattern,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RULE: Tree = Tree {
        package: "webhook-core",
        flags: &["--no-default-features"],
        never: &["hyper", "sqlx*"],
        runtime: false,
        why: "it is pure",
    };

    fn said(tree: &str) -> Vec<String> {
        check(&RULE, tree).into_iter().map(|broken| broken.what).collect()
    }

    #[test]
    fn a_tree_without_the_forbidden_is_left_alone() {
        let tree =
            "webhook-core v0.1.0 (/somewhere)|\nhyperion v1.0.0|default\ntokio v1.54.1|sync (*)\n";
        assert_eq!(said(tree), [""; 0]);
    }

    #[test]
    fn each_forbidden_crate_is_named_once() {
        let tree = "webhook-core v0.1.0 (/somewhere)|\nsqlx-core v0.9.0|\nhyper v1.12.0|http1\n\
                    hyper v1.12.0|http1 (*)\n";
        assert_eq!(said(tree), ["webhook-core pulls in hyper", "webhook-core pulls in sqlx-core"]);
    }

    #[test]
    fn a_runtime_is_noticed_by_its_features() {
        let tree = "webhook-core v0.1.0 (/somewhere)|\ntokio v1.54.1|rt,sync\n";
        assert_eq!(said(tree), ["webhook-core pulls in tokio with the feature `rt`"]);
    }

    #[test]
    fn what_is_no_tree_is_no_proof() {
        assert_eq!(said(""), ["the tree cannot be read"]);
        assert_eq!(said("bytes v1.12.2|\n"), ["the tree cannot be read"]);
    }

    #[test]
    fn the_place_is_a_command_to_repeat() {
        assert_eq!(
            name(&RULE),
            "cargo tree --edges normal --package webhook-core --no-default-features"
        );
    }
}
