//! The programs in which every case meets its sabotage.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
    fs, io,
    path::Path,
};

use super::{
    cases::{Case, Sabotage},
    rust_files,
};
use crate::run::Failure;

/// Files by their path.
pub(super) type Files = BTreeMap<String, String>;

/// It stands in the target folder, two below the root.
const MANIFEST: &str = r#"[package]
name = "sabotage"
version = "0.0.0"
edition = "2024"
publish = false

[workspace]

# Any version: the workspace's lock file, copied, says which.
[dependencies]
async-trait = "*"
tokio = { version = "*", features = ["rt"] }
webhook-core = { path = "ROOT/webhook-core" }
webhook-testkit = { path = "ROOT/webhook-testkit", default-features = false }

[profile.dev]
debug = false
incremental = false
"#;

/// The program, but for its list of cases.
const PROGRAM: &str = include_str!("program.rs");

/// The source of the store in memory.
pub(super) fn look(testkit: &Path) -> Result<Files, Failure> {
    let root = rust_files(testkit)?.into_iter().filter(|(name, _)| name == "memory.rs");
    let inside = rust_files(&testkit.join("memory"))?;
    let inside = inside.into_iter().map(|(name, text)| (format!("memory/{name}"), text));
    Ok(root.chain(inside).collect())
}

/// The programs, each in a folder of its own: as the compiler reads one of them on one core, there are two.
const PROGRAMS: usize = 2;

/// The files of the crate, by their path, and the names of its programs.
pub(super) fn build(cases: &[Case], memory: &Files) -> Result<(Files, Vec<String>), Vec<String>> {
    let (mut files, mut programs, mut wrong) = (Files::new(), Vec::new(), Vec::new());
    for (some, number) in cases.chunks(cases.len().div_ceil(PROGRAMS).max(1)).zip(1..) {
        let program = format!("sabotage{number}");
        match build_program(some, memory) {
            Ok(its) => files.extend(
                its.into_iter().map(|(name, text)| (format!("src/bin/{program}/{name}"), text)),
            ),
            Err(why) => wrong.extend(why),
        }
        programs.push(program);
    }
    if wrong.is_empty() { Ok((files, programs)) } else { Err(wrong) }
}

/// The files of one program, or which cases name a line that is not there.
fn build_program(cases: &[Case], memory: &Files) -> Result<Files, Vec<String>> {
    let distinct: BTreeSet<&Sabotage> = cases.iter().map(|case| &case.sabotage).collect();
    let modules: BTreeMap<&Sabotage, String> =
        distinct.into_iter().zip(0..).map(|(it, number)| (it, format!("s{number}"))).collect();
    let (mut files, mut wrong) = (Files::new(), Vec::new());
    let mut program = PROGRAM.to_owned();
    for (sabotage, module) in &modules {
        match broken(sabotage, memory) {
            Ok(store) => files.extend(store.into_iter().map(|(name, text)| {
                let name = name.strip_prefix("memory/").unwrap_or("mod.rs");
                (format!("{module}/{name}"), text)
            })),
            Err(why) => {
                let named = cases.iter().filter(|case| case.sabotage == **sabotage);
                wrong.extend(named.map(|case| format!("{}::{}: {why}", case.file, case.name)));
            }
        }
        _ = writeln!(program, "mod {module};");
    }
    program.push_str("const CASES: &[Case] = &[\n");
    for case in cases {
        let Case { file, name, sabotage } = case;
        let module = modules.get(sabotage).map_or("", String::as_str);
        _ = writeln!(program, "case!({file}::{name}, {module}, {:?}),", sabotage.file);
    }
    program.push_str("];\n");
    files.insert("main.rs".to_owned(), program);
    if wrong.is_empty() { Ok(files) } else { Err(wrong) }
}

/// The store, broken in one place.
fn broken(sabotage: &Sabotage, memory: &Files) -> Result<Files, String> {
    let Sabotage { file, old, new } = sabotage;
    let whole = memory.get(file).ok_or_else(|| format!("there is no file {file}"))?;
    match whole.matches(old).count() {
        1 => {
            let mut store = memory.clone();
            store.insert(file.clone(), whole.replacen(old, new, 1));
            Ok(store)
        }
        count => Err(format!("`{old}` stands in {file} {count} times, not once")),
    }
}

/// Writes what has changed, so that cargo builds nothing twice.
pub(super) fn write(folder: &Path, files: &Files) -> io::Result<()> {
    let root = fs::canonicalize(".")?;
    let root = root.to_str().unwrap_or_default().replace('\\', "/");
    write_if_new(&folder.join("Cargo.toml"), &MANIFEST.replace("ROOT", &root))?;
    write_if_new(&folder.join("Cargo.lock"), &fs::read_to_string("Cargo.lock")?)?;
    files.iter().try_for_each(|(name, text)| write_if_new(&folder.join(name), text))
}

fn write_if_new(path: &Path, text: &str) -> io::Result<()> {
    if fs::read_to_string(path).is_ok_and(|there| there == text) {
        return Ok(());
    }
    path.parent().map_or(Ok(()), fs::create_dir_all)?;
    fs::write(path, text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn case(name: &str, old: &str, new: &str) -> Case {
        let sabotage = Sabotage { file: "memory/row.rs".into(), old: old.into(), new: new.into() };
        Case { file: "claims".into(), name: name.into(), sabotage }
    }

    fn memory() -> Files {
        let files = [("memory.rs", "mod row;"), ("memory/row.rs", "a += 1;\nb += 1;\nc = 0;\n")];
        files.into_iter().map(|(name, text)| (name.to_owned(), text.to_owned())).collect()
    }

    #[test]
    fn each_sabotage_gets_a_store_of_its_own() {
        let cases = [case("x", "a += 1;", "a += 2;"), case("y", "c = 0", "c = 1")];
        let files = build_program(&[&cases[..], &cases[..1]].concat(), &memory()).unwrap();
        assert_eq!(files["s0/mod.rs"], "mod row;");
        assert_eq!(files["s0/row.rs"], "a += 2;\nb += 1;\nc = 0;\n");
        assert_eq!(files["s1/row.rs"], "a += 1;\nb += 1;\nc = 1;\n");
        assert_eq!(files.len(), 5, "the same sabotage needs no second store");
        assert!(files["main.rs"].contains("case!(claims::y, s1, \"memory/row.rs\"),\n"));
    }

    #[test]
    fn each_case_is_in_one_of_the_programs() {
        let cases = [case("x", "a += 1;", "a += 2;"), case("y", "c = 0", "c = 1")];
        let cases = [&cases[..], &cases[..1]].concat();
        let (files, programs) = build(&cases, &memory()).unwrap();
        assert_eq!(programs, ["sabotage1", "sabotage2"]);
        let listed = |program: &str| {
            let text = &files[&format!("src/bin/{program}/main.rs")];
            text.lines().filter(|line| line.starts_with("case!(claims::")).count()
        };
        assert_eq!((listed("sabotage1"), listed("sabotage2")), (2, 1));
    }

    #[test]
    fn a_line_that_is_not_there_exactly_once_is_told() {
        let cases = [case("x", "+= 1", ""), case("y", "d", "")];
        assert_eq!(
            build(&cases, &memory()).unwrap_err(),
            [
                "claims::x: `+= 1` stands in memory/row.rs 2 times, not once",
                "claims::y: `d` stands in memory/row.rs 0 times, not once"
            ]
        );
    }
}
