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
uuid = "*"
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

/// Public path of the transitions, by which the store in memory imports them.
const TRANSITIONS_PATH: &str = "webhook_core::store_state";

/// Source of the store in memory, and of the transitions of the core that it is built on.
#[derive(Clone, Default)]
pub(super) struct StoreSource {
    pub(super) memory: Files,
    pub(super) transitions: Files,
}

impl StoreSource {
    pub(super) fn read(testkit: &Path, ports: &Path) -> Result<Self, Failure> {
        let memory = read_module(testkit, "memory")?;
        Ok(Self { memory, transitions: read_module(ports, "state")? })
    }

    /// Files of a module with one mutant: of the store, and of the transitions if the mutant is one
    /// of theirs.
    fn broken(&self, mutant: &Mutant, module: &str) -> Result<Files, String> {
        let file = &mutant.file;
        if let Some(content) = self.memory.get(file) {
            let mut memory = self.memory.clone();
            memory.insert(file.clone(), mutant.apply_to(content)?);
            return Ok(in_folder(memory, module));
        }
        let content =
            self.transitions.get(file).ok_or_else(|| format!("there is no file {file}"))?;
        let mut transitions = self.transitions.clone();
        transitions.insert(file.clone(), mutant.apply_to(content)?);
        let own = format!("{module}/store_state");
        let path = format!("crate::{module}::store_state");
        let mut files = in_folder(self.memory.clone(), module);
        for text in files.values_mut() {
            *text = text.replace(TRANSITIONS_PATH, &path);
        }
        if let Some(root) = files.get_mut(&format!("{module}/mod.rs")) {
            root.push_str("mod store_state;\n");
        }
        files.extend(in_folder(transitions, &own));
        Ok(files)
    }
}

/// Reads a module with the files of its folder, by their paths.
fn read_module(parent: &Path, name: &str) -> Result<Files, Failure> {
    let (root, folder) = (format!("{name}.rs"), format!("{name}/"));
    let files = rust_sources(parent)?.into_iter();
    let its = files.filter(|(file, _)| *file == root || file.starts_with(&folder));
    Ok(its.map(|(file, text)| (format!("{}/{file}", parent.display()), text)).collect())
}

/// Files of a module, moved into a folder. The file with the shortest path is the root.
fn in_folder(files: Files, folder: &str) -> Files {
    let root = files.keys().min_by_key(|path| path.len()).cloned();
    let moved = files.into_iter().map(|(path, text)| {
        let name = path.rsplit('/').next().filter(|_| Some(&path) != root.as_ref());
        (format!("{folder}/{}", name.unwrap_or("mod.rs")), text)
    });
    moved.collect()
}

/// Returns the files of the crate by path, and the names of its programs.
pub(super) fn build(
    cases: &[Case],
    source: &StoreSource,
) -> Result<(Files, Vec<String>), Vec<String>> {
    let (mut files, mut names, mut wrong) = (Files::new(), Vec::new(), Vec::new());
    for (part, number) in cases.chunks(cases.len().div_ceil(PROGRAM_COUNT).max(1)).zip(1..) {
        let program = format!("mutants{number}");
        match build_program(part, source) {
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
fn build_program(cases: &[Case], source: &StoreSource) -> Result<Files, Vec<String>> {
    let distinct: BTreeSet<&Mutant> = cases.iter().map(|case| &case.mutant).collect();
    let numbered = distinct.into_iter().zip(0..);
    let modules: BTreeMap<&Mutant, String> =
        numbered.map(|(mutant, number)| (mutant, format!("m{number}"))).collect();
    let (mut files, mut wrong) = (Files::new(), Vec::new());
    let mut program = PROGRAM_TEMPLATE.to_owned();
    for (mutant, module) in &modules {
        match source.broken(mutant, module) {
            Ok(store) => files.extend(store),
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
    const QUEUE_FILE: &str = "webhook-core/src/port/store/state/queue.rs";

    fn case(name: &str, old: &str, new: &str) -> Case {
        case_in(ROW_FILE, name, old, new)
    }

    fn case_in(file: &str, name: &str, old: &str, new: &str) -> Case {
        let (file, old, new) = (file.into(), old.into(), new.into());
        let mutant = Mutant { name: None, file, old, new };
        Case { file: "claims".into(), name: name.into(), mutant }
    }

    fn source() -> StoreSource {
        let files = |files: [(&str, &str); 2]| {
            files.into_iter().map(|(name, text)| (name.to_owned(), text.to_owned())).collect()
        };
        StoreSource {
            memory: files([
                ("webhook-testkit/src/memory.rs", "mod row;\n"),
                (ROW_FILE, "use webhook_core::store_state::X;\na += 1;\nb += 1;\nc = 0;\n"),
            ]),
            transitions: files([
                ("webhook-core/src/port/store/state.rs", "mod queue;\n"),
                (QUEUE_FILE, "d += 1;\n"),
            ]),
        }
    }

    #[test]
    fn each_mutant_gets_a_store_of_its_own() {
        let cases = [case("x", "a += 1;", "a += 2;"), case("y", "c = 0", "c = 1")];
        let files = build_program(&[&cases[..], &cases[..1]].concat(), &source()).unwrap();
        let import = "use webhook_core::store_state::X;\n";
        assert_eq!(files["m0/mod.rs"], "mod row;\n");
        assert_eq!(files["m0/row.rs"], format!("{import}a += 2;\nb += 1;\nc = 0;\n"));
        assert_eq!(files["m1/row.rs"], format!("{import}a += 1;\nb += 1;\nc = 1;\n"));
        assert_eq!(files.len(), 5, "the same mutant needs no second store");
        assert!(files["main.rs"].contains(&format!("case!(claims::y, m1, {ROW_FILE:?}),\n")));
    }

    #[test]
    fn a_store_with_a_mutant_of_the_transitions_imports_its_own() {
        let cases = [case_in(QUEUE_FILE, "x", "d += 1;", "d += 2;")];
        let files = build_program(&cases, &source()).unwrap();
        assert_eq!(files["m0/mod.rs"], "mod row;\nmod store_state;\n");
        let row = "use crate::m0::store_state::X;\na += 1;\nb += 1;\nc = 0;\n";
        assert_eq!(files["m0/row.rs"], row);
        assert_eq!(files["m0/store_state/mod.rs"], "mod queue;\n");
        assert_eq!(files["m0/store_state/queue.rs"], "d += 2;\n");
    }

    #[test]
    fn each_case_is_in_one_of_the_programs() {
        let cases = [case("x", "a += 1;", "a += 2;"), case("y", "c = 0", "c = 1")];
        let cases = [&cases[..], &cases[..1]].concat();
        let (files, programs) = build(&cases, &source()).unwrap();
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
            build(&cases, &source()).unwrap_err(),
            [
                format!("claims::x: `+= 1` occurs in {ROW_FILE} 2 times, not once"),
                format!("claims::y: `d` occurs in {ROW_FILE} 0 times, not once"),
            ]
        );
    }
}
