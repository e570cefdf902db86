//! Dependencies of a feature set at any depth, by `cargo tree`.

use super::{Broken, rules::Tree};
use crate::run::{Failure, cargo, read};

/// Features of tokio without a runtime: channels and locks.
const CHANNELS: [&str; 2] = ["default", "sync"];

/// Reads the crates of the tree, each with its features: `tokio v1.54.1|sync`.
pub(super) fn look(rule: &Tree) -> Result<String, Failure> {
    read(
        cargo(["tree", "--package", rule.package])
            .args(rule.flags)
            .args(["--edges", "normal", "--prefix", "none", "--format", "{p}|{f}"]),
    )
}

/// Command that shows the tree.
pub(super) fn name(rule: &Tree) -> String {
    let flags: String = rule.flags.iter().map(|flag| format!(" {flag}")).collect();
    format!("cargo tree --edges normal --package {}{flags}", rule.package)
}

pub(super) fn check(rule: &Tree, tree: &str) -> Vec<Broken> {
    let mut crates: Vec<_> = tree.lines().filter_map(read_line).collect();
    // The tree repeats a crate for each that needs it.
    crates.sort_unstable();
    crates.dedup();
    if !crates.iter().any(|(name, _)| *name == rule.package) {
        return vec![Broken::new("invalid tree", name(rule), rule.why)];
    }
    let report = |what: String| Broken::new(what, name(rule), rule.why);
    let is_there = |known: &&&str| crates.iter().any(|(name, _)| name == *known);
    let missing = rule.always.iter().filter(|known| !is_there(known));
    let mut broken: Vec<_> =
        missing.map(|name| report(format!("{} does not pull in {name}", rule.package))).collect();
    for (name, features) in crates {
        if rule.never.iter().any(|pattern| matches(pattern, name)) {
            broken.push(report(format!("{} pulls in {name}", rule.package)));
        }
        if name == "tokio" && !rule.runtime {
            let runtime = features.split(',').find(|feature| !CHANNELS.contains(feature));
            broken.extend(runtime.map(|feature| {
                report(format!("{} pulls in tokio with the feature `{feature}`", rule.package))
            }));
        }
    }
    broken
}

/// Name and features in `tokio v1.54.1|sync (*)`.
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

    const SAMPLE_TREE: Tree = Tree {
        package: "webhook-core",
        flags: &["--no-default-features"],
        always: &["tokio"],
        never: &["hyper", "sqlx*"],
        runtime: false,
        why: "the core is pure",
    };

    fn broken(tree: &str) -> Vec<String> {
        check(&SAMPLE_TREE, tree).into_iter().map(|broken| broken.what).collect()
    }

    #[test]
    fn a_tree_without_forbidden_crates_breaks_no_rule() {
        let tree =
            "webhook-core v0.1.0 (/somewhere)|\nhyperion v1.0.0|default\ntokio v1.54.1|sync (*)\n";
        assert_eq!(broken(tree), [""; 0]);
    }

    #[test]
    fn each_forbidden_crate_is_named_once() {
        let tree = "webhook-core v0.1.0 (/somewhere)|\nsqlx-core v0.9.0|\nhyper v1.12.0|http1\n\
                    hyper v1.12.0|http1 (*)\n";
        let expected = ["does not pull in tokio", "pulls in hyper", "pulls in sqlx-core"];
        assert_eq!(broken(tree), expected.map(|what| format!("webhook-core {what}")));
    }

    #[test]
    fn a_runtime_is_noticed_by_its_features() {
        let tree = "webhook-core v0.1.0 (/somewhere)|\ntokio v1.54.1|rt,sync\n";
        assert_eq!(broken(tree), ["webhook-core pulls in tokio with the feature `rt`"]);
    }

    #[test]
    fn other_output_is_refused() {
        assert_eq!(broken(""), ["invalid tree"]);
        assert_eq!(broken("bytes v1.12.2|\n"), ["invalid tree"]);
    }

    #[test]
    fn the_place_is_a_command_to_repeat() {
        assert_eq!(
            name(&SAMPLE_TREE),
            "cargo tree --edges normal --package webhook-core --no-default-features"
        );
    }
}
