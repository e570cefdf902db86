//! Result of a check, as failures and as a list of all that is left.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    LIST,
    bounds::{self, BOUNDS, GLOBS, ROOTS},
    language::{self, BadText},
    names::{self, BadName, NameRule},
    patterns::{Level, Patterns},
    roots,
    workspace::{Source, Workspace},
};

/// Everything that breaks a rule.
pub(super) struct Findings<'a> {
    /// Names by package and rule.
    names: BTreeMap<(&'a str, NameRule), Vec<BadName<'a>>>,
    /// Texts of listed files.
    texts: Vec<(&'a str, BadText)>,
    listed_files: usize,
    /// Entries of the list that name no file.
    idle_entries: Vec<&'a str>,
    /// Number of names at each root, in the order of [`ROOTS`].
    roots: Vec<usize>,
}

impl<'a> Findings<'a> {
    pub(super) fn new(workspace: &'a Workspace, list: &'a str, patterns: &Patterns) -> Self {
        let mut names: BTreeMap<_, Vec<_>> = BTreeMap::new();
        for name in names::check(workspace) {
            names.entry((name.package, name.rule)).or_default().push(name);
        }
        let entries: Vec<_> = list.lines().filter(|line| !line.is_empty()).collect();
        let matches = |entry: &str, source: &Source| source.path.starts_with(entry);
        let is_listed = |source: &&Source| entries.iter().any(|entry| matches(entry, source));
        let listed: Vec<_> = workspace.sources.iter().filter(is_listed).collect();
        let is_idle = |entry: &&str| !listed.iter().any(|source| matches(entry, source));
        Self {
            names,
            texts: texts_of(listed.iter().copied(), patterns),
            listed_files: listed.len(),
            idle_entries: entries.iter().copied().filter(is_idle).collect(),
            roots: ROOTS.iter().map(|root| root_names(workspace, root.path).len()).collect(),
        }
    }

    /// Line for the summary of a check that passed.
    pub(super) fn summary(&self) -> String {
        let names: usize = self.names.values().map(Vec::len).sum();
        let (files, warnings) = (self.listed_files, self.texts.len());
        format!("{names} names left, {files} files in plain words with {warnings} warnings")
    }
}

fn texts_of<'a>(
    sources: impl IntoIterator<Item = &'a Source>,
    patterns: &Patterns,
) -> Vec<(&'a str, BadText)> {
    let check = |source: &'a Source| {
        let bad = language::check(source, patterns);
        bad.into_iter().map(|bad| (source.path.as_str(), bad))
    };
    sources.into_iter().flat_map(check).collect()
}

/// Names at the root of a crate; a known glob stands for the names of its crate.
fn root_names(workspace: &Workspace, path: &str) -> BTreeSet<String> {
    let source = workspace.sources.iter().find(|source| source.path == path);
    let mut names = source.map(|source| roots::names(&source.text)).unwrap_or_default();
    for (glob, of) in GLOBS {
        if *of != path && names.remove(*glob) {
            names.extend(root_names(workspace, of));
        }
    }
    names
}

/// Sentences about everything that must not be.
pub(super) fn failures(findings: &Findings<'_>) -> Vec<String> {
    let mut failures = Vec::new();
    for ((package, rule), names) in &findings.names {
        let at_most = bounds::at_most(package, *rule);
        if names.len() > at_most {
            failures.extend(names.iter().map(|name| format!("{}: {}", name.place, name.text)));
            let count = names.len();
            failures.push(format!("{package} has {count} such names, and may have {at_most}"));
        }
    }
    for (root, count) in ROOTS.iter().zip(&findings.roots) {
        if *count > root.at_most {
            failures.push(format!(
                "{}: {count} names at the root, and at most {} are allowed",
                root.path, root.at_most
            ));
        }
    }
    let texts = findings.texts.iter().filter(|(_, bad)| bad.level == Level::Fail);
    failures.extend(texts.map(line));
    let idle = findings.idle_entries.iter();
    failures.extend(idle.map(|entry| format!("{LIST} names no file with `{entry}`")));
    failures
}

fn line((path, bad): &(&str, BadText)) -> String {
    format!("{path}:{}: {bad}", bad.line)
}

/// Everything that is left, and the number of matches of each rule in files outside the list.
pub(super) fn all(findings: &Findings<'_>, workspace: &Workspace, patterns: &Patterns) -> String {
    let mut lines: Vec<String> = Vec::new();
    for ((package, rule), names) in &findings.names {
        let at_most = bounds::at_most(package, *rule);
        lines.push(format!("{package}, {rule:?}: {} of at most {at_most}", names.len()));
        lines.extend(names.iter().map(|name| format!("  {}: {}", name.place, name.text)));
    }
    for bound in BOUNDS {
        let count = findings.names.get(&(bound.package, bound.rule)).map_or(0, Vec::len);
        if count < bound.at_most {
            lines.push(format!(
                "{}, {:?}: the bound can fall to {count}",
                bound.package, bound.rule
            ));
        }
    }
    for (root, count) in ROOTS.iter().zip(&findings.roots) {
        lines.push(format!("{}: {count} names of at most {}", root.path, root.at_most));
    }
    lines.push("warnings in listed files:".to_owned());
    let warnings = findings.texts.iter().filter(|(_, bad)| bad.level == Level::Warn);
    lines.extend(warnings.map(|text| format!("  {}", line(text))));
    lines.push("all files:".to_owned());
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    for (_, bad) in texts_of(&workspace.sources, patterns) {
        *counts.entry(bad.rule).or_default() += 1;
    }
    lines.extend(counts.iter().map(|(rule, count)| format!("  {count:>6}  {rule}")));
    lines.join("\n") + "\n"
}

/// Every fault and warning in the text of the files below these paths.
pub(super) fn texts(workspace: &Workspace, paths: &[&str], patterns: &Patterns) -> String {
    let is_asked_for = |source: &&Source| paths.iter().any(|path| source.path.starts_with(path));
    let sources = workspace.sources.iter().filter(is_asked_for);
    texts_of(sources, patterns).iter().map(|text| line(text) + "\n").collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failed(list: &str, files: &[(&str, &str)]) -> Vec<String> {
        let workspace = Workspace::of(&["shop"], files);
        failures(&Findings::new(&workspace, list, &Patterns::new().unwrap()))
    }

    #[test]
    fn names_above_the_bound_fail_with_their_places() {
        let expected = [
            "shop/a.rs:1: constant `SOON`; name its subject and its unit",
            "shop has 1 such names, and may have 0",
        ];
        assert_eq!(failed("", &[("shop/a.rs", "const SOON: u8 = 1;")]), expected);
    }

    #[test]
    fn faults_of_listed_files_fail_and_warnings_do_not() {
        let files = [
            ("shop/a.rs", "// Stops at once.\n// Looks at it."),
            ("shop/b.rs", "// Stops at once."),
            ("shop/c.md", "Stops at once."),
        ];
        let found = failed("shop/a\nshop/c\n", &files);
        assert_eq!(found.len(), 2, "{found:?}");
        assert!(found[0].starts_with("shop/a.rs:1: 15: `at once`; use "), "{found:?}");
        assert!(found[1].starts_with("shop/c.md:1: 15: `at once`; use "), "{found:?}");
    }

    #[test]
    fn an_entry_of_the_list_names_a_file() {
        let expected = ["xtask/prose-files.txt names no file with `shop/z`"];
        assert_eq!(failed("shop/z\nshop/a.rs\n", &[("shop/a.rs", "")]), expected);
    }

    #[test]
    fn bounds_of_the_tables_hold() {
        let mut keys: Vec<_> = BOUNDS.iter().map(|bound| (bound.package, bound.rule)).collect();
        let count = keys.len();
        keys.sort_unstable();
        keys.dedup();
        assert_eq!(keys.len(), count, "a package has two bounds for a rule");
    }

    #[test]
    fn a_known_glob_stands_for_the_names_of_its_crate() {
        let files = [
            ("webhook-core/src/lib.rs", "pub use crate::a::{A, B};"),
            ("webhook-registry/src/lib.rs", "pub use webhook_core::*; pub use b::{B, C};"),
        ];
        let workspace = Workspace::of(&[], &files);
        let names = root_names(&workspace, "webhook-registry/src/lib.rs");
        assert_eq!(names.into_iter().collect::<Vec<_>>(), ["A", "B", "C"]);
    }
}
