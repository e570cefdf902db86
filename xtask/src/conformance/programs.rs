//! The programs that run every case on its mutant.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
    fs, io,
    path::Path,
};

use super::cases::Case;
use crate::{
    mutant::Mutant,
    run::Failure,
    sources::{Sources as Files, rust_sources},
};

/// Manifest of the crate, which lies in the target folder.
const MUTANTS_MANIFEST: &str = r#"[package]
name = "conformance-mutants"
version = "0.0.0"
edition = "2024"
publish = false

[workspace]

# Any version: the copied lock file of the workspace decides.
[dependencies]
async-trait = "*"
tokio = { version = "*", features = ["rt"] }
webhook-core = { path = "ROOT/webhook-core" }
webhook-testkit = { path = "ROOT/webhook-testkit", default-features = false }

[profile.dev]
debug = false
incremental = false
"#;

/// The program without its list of cases.
const PROGRAM_TEMPLATE: &str = include_str!("program.rs");

/// Number of programs. Each is compiled on one core, so two use both.
const PROGRAM_COUNT: usize = 2;

/// Reads the source of the store in memory.
pub(super) fn read_store(testkit: &Path) -> Result<Files, Failure> {
    let path = |name: String| format!("{}/{name}", testkit.display());
    let files = rust_sources(testkit)?.into_iter();
    let is_store = |name: &str| name == "memory.rs" || name.starts_with("memory/");
    Ok(files.filter(|(name, _)| is_store(name)).map(|(name, text)| (path(name), text)).collect())
}

/// Returns the files of the crate by path, and the names of its programs.
pub(super) fn build(cases: &[Case], memory: &Files) -> Result<(Files, Vec<String>), Vec<String>> {
    let (mut files, mut names, mut wrong) = (Files::new(), Vec::new(), Vec::new());
    for (part, number) in cases.chunks(cases.len().div_ceil(PROGRAM_COUNT).max(1)).zip(1..) {
        let program = format!("mutants{number}");
        match build_program(part, memory) {
            Ok(its) => files.extend(
                its.into_iter().map(|(name, text)| (format!("src/bin/{program}/{name}"), text)),
            ),
            Err(errors) => wrong.extend(errors),
        }
        names.push(program);
    }
    if wrong.is_empty() { Ok((files, names)) } else { Err(wrong) }
}

/// Returns the files of one program, or an error for each invalid mutant.
fn build_program(cases: &[Case], memory: &Files) -> Result<Files, Vec<String>> {
    let distinct: BTreeSet<&Mutant> = cases.iter().map(|case| &case.mutant).collect();
    let numbered = distinct.into_iter().zip(0..);
    let modules: BTreeMap<&Mutant, String> =
        numbered.map(|(mutant, number)| (mutant, format!("m{number}"))).collect();
    let (mut files, mut wrong) = (Files::new(), Vec::new());
    let mut program = PROGRAM_TEMPLATE.to_owned();
    for (mutant, module) in &modules {
        match broken_store(mutant, memory) {
            Ok(store) => files.extend(store.into_iter().map(|(path, text)| {
                let name = path.rsplit_once("memory/").map_or("mod.rs", |(_, name)| name);
                (format!("{module}/{name}"), text)
            })),
            Err(error) => {
                let named = cases.iter().filter(|case| case.mutant == **mutant);
                wrong.extend(named.map(|case| format!("{}::{}: {error}", case.file, case.name)));
            }
        }
        _ = writeln!(program, "mod {module};");
    }
    program.push_str("const CASES: &[MutantCase] = &[\n");
    for Case { file, name, mutant } in cases {
        let module = modules.get(mutant).map_or("", String::as_str);
        _ = writeln!(program, "case!({file}::{name}, {module}, {:?}),", mutant.file);
    }
    program.push_str("];\n");
    files.insert("main.rs".to_owned(), program);
    if wrong.is_empty() { Ok(files) } else { Err(wrong) }
}

/// Returns the store with one mutant.
fn broken_store(mutant: &Mutant, memory: &Files) -> Result<Files, String> {
    let file = &mutant.file;
    let content = memory.get(file).ok_or_else(|| format!("there is no file {file}"))?;
    let broken = mutant.apply_to(content)?;
    let mut store = memory.clone();
    store.insert(file.clone(), broken);
    Ok(store)
}

/// Writes the files that have changed, so that cargo rebuilds nothing else.
pub(super) fn write(folder: &Path, files: &Files) -> io::Result<()> {
    let root = fs::canonicalize(".")?;
    let root = root.to_str().unwrap_or_default().replace('\\', "/");
    write_if_new(&folder.join("Cargo.toml"), &MUTANTS_MANIFEST.replace("ROOT", &root))?;
    write_if_new(&folder.join("Cargo.lock"), &fs::read_to_string("Cargo.lock")?)?;
    files.iter().try_for_each(|(name, text)| write_if_new(&folder.join(name), text))
}

fn write_if_new(path: &Path, text: &str) -> io::Result<()> {
    if fs::read_to_string(path).is_ok_and(|present| present == text) {
        return Ok(());
    }
    path.parent().map_or(Ok(()), fs::create_dir_all)?;
    fs::write(path, text)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROW_FILE: &str = "webhook-testkit/src/memory/row.rs";

    fn case(name: &str, old: &str, new: &str) -> Case {
        let (file, old, new) = (ROW_FILE.into(), old.into(), new.into());
        let mutant = Mutant { name: None, file, old, new };
        Case { file: "claims".into(), name: name.into(), mutant }
    }

    fn memory() -> Files {
        let files = [
            ("webhook-testkit/src/memory.rs", "mod row;"),
            (ROW_FILE, "a += 1;\nb += 1;\nc = 0;\n"),
        ];
        files.into_iter().map(|(name, text)| (name.to_owned(), text.to_owned())).collect()
    }

    #[test]
    fn each_mutant_gets_a_store_of_its_own() {
        let cases = [case("x", "a += 1;", "a += 2;"), case("y", "c = 0", "c = 1")];
        let files = build_program(&[&cases[..], &cases[..1]].concat(), &memory()).unwrap();
        assert_eq!(files["m0/mod.rs"], "mod row;");
        assert_eq!(files["m0/row.rs"], "a += 2;\nb += 1;\nc = 0;\n");
        assert_eq!(files["m1/row.rs"], "a += 1;\nb += 1;\nc = 1;\n");
        assert_eq!(files.len(), 5, "the same mutant needs no second store");
        assert!(files["main.rs"].contains(&format!("case!(claims::y, m1, {ROW_FILE:?}),\n")));
    }

    #[test]
    fn each_case_is_in_one_of_the_programs() {
        let cases = [case("x", "a += 1;", "a += 2;"), case("y", "c = 0", "c = 1")];
        let cases = [&cases[..], &cases[..1]].concat();
        let (files, programs) = build(&cases, &memory()).unwrap();
        assert_eq!(programs, ["mutants1", "mutants2"]);
        let listed = |program: &str| {
            let text = &files[&format!("src/bin/{program}/main.rs")];
            text.lines().filter(|line| line.starts_with("case!(claims::")).count()
        };
        assert_eq!((listed("mutants1"), listed("mutants2")), (2, 1));
    }

    #[test]
    fn a_text_that_does_not_occur_once_is_reported() {
        let cases = [case("x", "+= 1", ""), case("y", "d", "")];
        assert_eq!(
            build(&cases, &memory()).unwrap_err(),
            [
                format!("claims::x: `+= 1` occurs in {ROW_FILE} 2 times, not once"),
                format!("claims::y: `d` occurs in {ROW_FILE} 0 times, not once"),
            ]
        );
    }
}
