//! Imports between the files of one crate, read from its source text.
//!
//! A file imports another if it names a path into it: `crate::..`, `super::..`, `self::..`, or a
//! path that begins with a module of its own. The file of the last module in the path is imported,
//! so a name that a parent re-exports is an import of the parent. Declarations of modules and test
//! code are not imports.

mod paths;

use std::collections::{BTreeMap, BTreeSet};

use paths::paths;

use crate::{
    lexer::{tokens, without_tests},
    sources::Sources,
};

/// Files that each file imports.
pub(super) type Graph<'a> = BTreeMap<&'a str, BTreeSet<&'a str>>;

/// File of each module, by the module's path.
type Modules<'a> = BTreeMap<Vec<&'a str>, &'a str>;

/// Imports of all files that hold no tests.
pub(super) fn graph(sources: &Sources) -> Graph<'_> {
    let mut files = BTreeMap::new();
    let mut tests = Vec::new();
    for (file, text) in sources {
        let (code, test_modules) = without_tests(&tokens(text));
        tests.extend(test_modules.into_iter().map(|name| join(&module(file), name)));
        files.insert(file.as_str(), code);
    }
    files.retain(|file, _| {
        let module = module(file);
        !module.contains(&"tests") && !tests.iter().any(|test| module.starts_with(test))
    });
    let modules: Modules<'_> = files.keys().map(|file| (module(file), *file)).collect();
    files.iter().map(|(file, code)| (*file, imports(&modules, file, code))).collect()
}

fn imports<'a>(modules: &Modules<'a>, file: &'a str, code: &[&'a str]) -> BTreeSet<&'a str> {
    let own = module(file);
    let mut imports = BTreeSet::new();
    for (inline, path) in paths(code) {
        imports.extend(resolve(modules, [&own[..], &inline].concat(), &path));
    }
    imports.remove(file);
    imports
}

/// Path of the module that a file holds; empty for the root of the crate.
fn module(file: &str) -> Vec<&str> {
    let mut path: Vec<_> = file.trim_end_matches(".rs").split('/').collect();
    if matches!(path[..], ["lib" | "main"] | [.., "mod"]) {
        path.pop();
    }
    path
}

/// File of the last module in a path, as seen from the module `at`; `None` for a foreign path.
fn resolve<'a>(modules: &Modules<'a>, mut at: Vec<&'a str>, path: &[&'a str]) -> Option<&'a str> {
    let first = path.first()?;
    if !matches!(*first, "crate" | "self" | "super") && !modules.contains_key(&*join(&at, first)) {
        return None;
    }
    for name in path {
        match *name {
            "crate" => at.clear(),
            "self" => {}
            "super" => _ = at.pop(),
            name => {
                let child = join(&at, name);
                if !modules.contains_key(&*child) {
                    break;
                }
                at = child;
            }
        }
    }
    // A module inside a file belongs to that file.
    while !modules.contains_key(&*at) {
        at.pop()?;
    }
    modules.get(&*at).copied()
}

fn join<'a>(module: &[&'a str], name: &'a str) -> Vec<&'a str> {
    [module, &[name]].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Files that `db/tx.rs` imports if this is its text.
    fn imported(text: &str) -> Vec<String> {
        let mut sources: Sources = [
            "lib.rs",
            "store.rs",
            "db.rs",
            "db/unit.rs",
            "db/tx/begun.rs",
            "db/tx/begun/tests.rs",
            "db/plans.rs",
        ]
        .map(|file| (file.to_owned(), String::new()))
        .into();
        sources.insert("db.rs".into(), "#[cfg(test)]\nmod plans;\n".into());
        sources.insert("db/tx.rs".into(), text.into());
        graph(&sources)["db/tx.rs"].iter().map(|file| (*file).to_owned()).collect()
    }

    #[test]
    fn paths_lead_to_the_file_of_their_last_module() {
        for (text, expected) in [
            ("use crate::db::unit::Unit;", &["db/unit.rs"][..]),
            ("pub(crate) use crate::db::unit;", &["db/unit.rs"]),
            ("use crate::db::Unit;", &["db.rs"]),
            ("use super::unit::{self, Unit};", &["db/unit.rs"]),
            ("use super::*;", &["db.rs"]),
            ("use super::super::store::SeaOrmStore;", &["store.rs"]),
            ("use crate::{store, db::{unit::{A, B}, Unit}};", &["db.rs", "db/unit.rs", "store.rs"]),
            ("use crate::{\n    db::{\n        unit::Unit,\n    },\n};", &["db/unit.rs"]),
            ("use crate::{db::unit::*, Root as Top};", &["db/unit.rs", "lib.rs"]),
            ("mod begun;\nuse begun::Begun;", &["db/tx/begun.rs"]),
            ("mod begun;\npub use self::begun::Begun;", &["db/tx/begun.rs"]),
            ("mod begun;\nfn f() { begun::g::<u8>() }", &["db/tx/begun.rs"]),
            ("fn f(a: &crate::db::unit::Unit) -> super::B {}", &["db.rs", "db/unit.rs"]),
            ("mod inner { use super::super::unit::Unit; }", &["db/unit.rs"]),
            ("macro_rules! m { () => { $crate::store::f() } }", &["store.rs"]),
            ("fn f() { let a = 'a'; let b = '\\''; crate::store::f(\"\\\"\") }", &["store.rs"]),
        ] {
            assert_eq!(imported(text), expected, "{text}");
        }
    }

    #[test]
    fn declarations_foreign_paths_texts_and_tests_do_not_count() {
        for text in [
            "mod begun;",
            "pub(super) fn f(tx: &self::Tx) -> Tx {}",
            "mod inner { use super::Tx; }",
            "use std::store::A; use tokio::{db::unit, self}; fn f() { x.store::<u8>() }",
            "// use crate::store::A;\n/* crate::store /* nested */ crate::store::A */",
            "const A: &str = \"crate::store::A\"; const B: &str = r#\"\" crate::store::A\"#;",
            "#[cfg(test)]\nmod tests { use crate::store::A; fn f() { } }",
            "#[cfg(all(test, feature = \"a\"))]\n#[allow(dead_code)]\nuse crate::{store::A};",
            "struct A { #[cfg(test)] a: crate::store::A, b: u8 }",
            "fn f() { #[cfg(test)] crate::store::A.lock(|a| { a; }); }",
            "use crate::db::plans::A as _;",
        ] {
            let expected: &[&str] = if text.contains("plans") { &["db.rs"] } else { &[] };
            assert_eq!(imported(text), expected, "{text}");
        }
        let one_of_several = "#[cfg(any(test, feature = \"a\"))]\nuse crate::store::A;";
        assert_eq!(imported(one_of_several), ["store.rs"]);
    }
}
