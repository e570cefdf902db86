//! Rules about names, over all Rust files.

use std::collections::BTreeMap;

use super::{
    items::{Item, ItemKind, items},
    left_over::{VAGUE_CONSTANTS, replacement},
    workspace::{Source, Workspace},
};
use crate::lexer::{Lines, tokens, without_tests};

/// NameRule that a name can break.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(super) enum NameRule {
    LeftOver,
    VagueConstant,
    DoubledType,
    DoubledFile,
    DoubledConstant,
}

/// Name that breaks a rule.
#[derive(Debug)]
pub(super) struct BadName<'a> {
    pub(super) rule: NameRule,
    pub(super) package: &'a str,
    pub(super) place: String,
    pub(super) text: String,
}

/// Definitions of one file.
struct Definitions<'a> {
    source: &'a Source,
    package: &'a str,
    lines: Lines,
    all: Vec<Item<'a>>,
    /// Without test code.
    product: Vec<Item<'a>>,
    /// Modules of their own file that hold test code alone.
    test_modules: Vec<&'a str>,
}

impl<'a> Definitions<'a> {
    fn new(workspace: &'a Workspace, source: &'a Source) -> Self {
        let all = tokens(&source.text);
        let (product, test_modules) = without_tests(&all);
        Self {
            source,
            package: workspace.package(&source.path),
            lines: Lines::new(&source.text),
            all: items(&all),
            product: items(&product),
            test_modules,
        }
    }

    fn place(&self, item: &Item<'_>) -> String {
        format!("{}:{}", self.source.path, self.lines.of(item.name))
    }

    /// Name of the file without its extension.
    fn stem(&self) -> &'a str {
        let file = self.source.path.rsplit('/').next().unwrap_or_default();
        file.trim_end_matches(".rs")
    }
}

/// All names that break a rule, in the order of their files.
pub(super) fn check(workspace: &Workspace) -> Vec<BadName<'_>> {
    let files: Vec<_> = workspace
        .sources
        .iter()
        .filter(|source| source.is_rust())
        .map(|source| Definitions::new(workspace, source))
        .collect();
    let mut bad: Vec<_> = files.iter().flat_map(single).collect();
    bad.extend(doubled_types(&files));
    bad.extend(doubled_files(&files));
    bad.extend(doubled_constants(&files));
    bad
}

/// Left-over names and vague constants of one file.
fn single<'a>(file: &Definitions<'a>) -> Vec<BadName<'a>> {
    let bad = |rule, place, text| BadName { rule, package: file.package, place, text };
    let left_over = |kind: ItemKind, name: &'a str, place: String| {
        let replacement = replacement(kind, name, &file.source.path)?;
        let text = format!("{} `{name}`; use {replacement}", kind.word());
        Some(bad(NameRule::LeftOver, place, text))
    };
    let file_name = left_over(ItemKind::Module, file.stem(), file.source.path.clone());
    // The file of a module is reported, and its declaration is not.
    let definitions = file.all.iter().filter(|item| item.kind != ItemKind::Module);
    let names = definitions.clone().filter_map(|item| {
        let is_vague = item.kind == ItemKind::Constant && VAGUE_CONSTANTS.contains(&item.name);
        if is_vague {
            let text = format!("constant `{}`; name its subject and its unit", item.name);
            return Some(bad(NameRule::VagueConstant, file.place(item), text));
        }
        left_over(item.kind, item.name, file.place(item))
    });
    file_name.into_iter().chain(names).collect()
}

/// Types that are defined twice at module level in one crate, test code apart.
fn doubled_types<'a>(files: &[Definitions<'a>]) -> Vec<BadName<'a>> {
    let mut places: Places<'_> = BTreeMap::new();
    let test_modules = test_modules(files);
    for file in files.iter().filter(|file| !is_test(file, &test_modules)) {
        let types =
            file.product.iter().filter(|item| item.kind == ItemKind::Type && item.is_in_module);
        for item in types {
            let key = (file.package, target(&file.source.path), item.name);
            add(&mut places, key, file.place(item));
        }
    }
    doubled(NameRule::DoubledType, "type", places)
}

fn doubled_files<'a>(files: &[Definitions<'a>]) -> Vec<BadName<'a>> {
    let mut places: Places<'_> = BTreeMap::new();
    for file in files.iter().filter(|file| file.source.path.contains("/src/")) {
        if !matches!(file.stem(), "mod" | "main" | "lib" | "tests") {
            let key = (file.package, "", file.stem());
            add(&mut places, key, file.source.path.clone());
        }
    }
    doubled(NameRule::DoubledFile, "file", places)
}

fn doubled_constants<'a>(files: &[Definitions<'a>]) -> Vec<BadName<'a>> {
    let mut places: Places<'_> = BTreeMap::new();
    for file in files {
        let constants =
            file.all.iter().filter(|item| item.kind == ItemKind::Constant && item.is_in_module);
        for item in constants {
            let key = (file.package, "", item.name);
            add(&mut places, key, file.place(item));
        }
    }
    doubled(NameRule::DoubledConstant, "constant", places)
}

/// Places of each package, target and name.
type Places<'a> = BTreeMap<(&'a str, &'a str, &'a str), Vec<String>>;

/// Adds a place, unless the name has one in the same file: alternatives of different systems.
fn add<'a>(places: &mut Places<'a>, key: (&'a str, &'a str, &'a str), place: String) {
    let places = places.entry(key).or_default();
    let file = |place: &str| place.split(':').next().map(str::to_owned);
    if places.last().is_none_or(|last| file(last) != file(&place)) {
        places.push(place);
    }
}

/// Reports each name that has more than one place.
fn doubled<'a>(rule: NameRule, word: &str, places: Places<'a>) -> Vec<BadName<'a>> {
    let twice = places.into_iter().filter(|(_, places)| places.len() > 1);
    twice
        .map(|((package, _, name), places)| {
            let text = format!("{word} `{name}` is defined {} times in one crate", places.len());
            BadName { rule, package, place: places.join(", "), text }
        })
        .collect()
}

/// Program or example of a package that is a crate of its own; empty for the library.
fn target(path: &str) -> &str {
    let name = |folder| path.split_once(folder).and_then(|(_, rest)| rest.split(['/', '.']).next());
    ["/src/bin/", "/examples/", "/benches/"].into_iter().find_map(name).unwrap_or_default()
}

/// Paths of all modules that are declared for tests alone, without extension.
fn test_modules(files: &[Definitions<'_>]) -> Vec<String> {
    let path = |file: &Definitions<'_>, module: &str| format!("{}/{module}", folder(file));
    files
        .iter()
        .flat_map(|file| file.test_modules.iter().map(move |module| path(file, module)))
        .collect()
}

/// True if a file holds test code alone.
fn is_test(file: &Definitions<'_>, test_modules: &[String]) -> bool {
    let path = file.source.path.trim_end_matches(".rs");
    let is_below = |module: &String| {
        path.strip_prefix(module.as_str())
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    };
    path.split('/').any(|part| part == "tests") || test_modules.iter().any(is_below)
}

/// Folder of the modules that a file declares.
fn folder<'a>(file: &Definitions<'a>) -> &'a str {
    let path = file.source.path.trim_end_matches(".rs");
    match path.rsplit_once('/') {
        Some((folder, "main" | "lib" | "mod")) => folder,
        _ => path,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Rule, name and places of each finding.
    fn found(files: &[(&str, &str)]) -> Vec<String> {
        let workspace = Workspace::of(&["webhook-core", "webhook-http"], files);
        let bad = check(&workspace).into_iter();
        let name = |bad: &BadName<'_>| bad.text.split('`').nth(1).map(str::to_owned);
        bad.map(|bad| format!("{:?} {} in {}", bad.rule, name(&bad).unwrap(), bad.place)).collect()
    }

    #[test]
    fn left_over_names_are_definitions_below_their_place() {
        for (path, text, expected) in [
            (
                "webhook-core/src/a.rs",
                "\nstruct Bay;",
                &["LeftOver Bay in webhook-core/src/a.rs:2"][..],
            ),
            ("webhook-http/src/a.rs", "struct Bay;", &[]),
            ("webhook-core/src/a.rs", "use b::Bay; // struct Bay\nfn bay() {}", &[]),
            ("webhook-core/src/bay.rs", "mod desk;", &["LeftOver bay in webhook-core/src/bay.rs"]),
            (
                "webhook-http/src/a.rs",
                "#[cfg(test)] mod tests { fn told() {} }",
                &["LeftOver told in webhook-http/src/a.rs:1"],
            ),
        ] {
            assert_eq!(found(&[(path, text)]), expected, "{path}: {text}");
        }
    }

    #[test]
    fn constants_need_a_subject() {
        let text = "const SOON: u8 = 1; fn f() { const MANY: u8 = 1; } const MAX_ROWS: u8 = 1;";
        let expected = ["VagueConstant SOON in a.rs:1", "VagueConstant MANY in a.rs:1"];
        assert_eq!(found(&[("a.rs", text)]), expected);
    }

    #[test]
    fn types_are_unique_in_the_product_code_of_a_crate() {
        let files = [
            ("webhook-core/src/lib.rs", "#[cfg(test)] mod fakes; struct A; struct B;"),
            ("webhook-core/src/fakes.rs", "struct A;"),
            ("webhook-core/src/fakes/more.rs", "struct A;"),
            ("webhook-core/src/b.rs", "fn f() { struct A; } #[cfg(test)] mod tests { struct A; }"),
            ("webhook-core/src/c.rs", "enum B {} #[cfg(unix)] struct C; #[cfg(windows)] struct C;"),
            ("webhook-core/src/bin/d.rs", "struct A;"),
            ("webhook-core/tests/e.rs", "struct A;"),
            ("webhook-http/src/lib.rs", "struct A;"),
        ];
        let expected = ["DoubledType B in webhook-core/src/lib.rs:1, webhook-core/src/c.rs:1"];
        assert_eq!(found(&files), expected);
    }

    #[test]
    fn files_and_constants_are_unique_in_a_package() {
        let files = [
            ("webhook-core/src/a/mod.rs", "const X: u8 = 1;"),
            ("webhook-core/src/b/mod.rs", "#[cfg(test)] mod tests { const X: u8 = 2; }"),
            ("webhook-core/src/c.rs", "fn f() { const X: u8 = 3; }"),
            ("webhook-core/src/b/c.rs", ""),
            ("webhook-core/tests/c.rs", ""),
        ];
        let expected = [
            "DoubledFile c in webhook-core/src/c.rs, webhook-core/src/b/c.rs",
            "DoubledConstant X in webhook-core/src/a/mod.rs:1, webhook-core/src/b/mod.rs:1",
        ];
        assert_eq!(found(&files), expected);
    }
}
