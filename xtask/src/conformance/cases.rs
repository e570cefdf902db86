//! The cases of the suite for stores, each with the mutant that it catches.

use std::path::Path;

use super::invalid_cases;
use crate::{
    mutant::{self, MarkedLine, Mutant},
    run::Failure,
    sources::rust_sources,
};

/// A case and the mutant in the comment above it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Case {
    /// Name of its file, without the extension.
    pub(super) file: String,
    pub(super) name: String,
    pub(super) mutant: Mutant,
}

/// Reads all cases in a folder.
pub(super) fn read_cases(folder: &Path) -> Result<Vec<Case>, Failure> {
    let (mut cases, mut wrong) = (Vec::new(), Vec::new());
    // Folders hold helpers of the cases.
    for (name, text) in rust_sources(folder)?.iter().filter(|(name, _)| !name.contains('/')) {
        let read = cases_of(name.trim_end_matches(".rs"), text);
        cases.extend(read.0);
        wrong.extend(read.1);
    }
    if wrong.is_empty() { Ok(cases) } else { Err(invalid_cases(&wrong)) }
}

/// Returns the cases of a file, and an error for each case without exactly one mutant.
fn cases_of(file: &str, text: &str) -> (Vec<Case>, Vec<String>) {
    let (mut cases, mut wrong) = (Vec::new(), Vec::new());
    for MarkedLine { line, mutants } in mutant::parse(text) {
        let Some(name) = case_name(line) else { continue };
        match <[Mutant; 1]>::try_from(mutants) {
            Ok([mutant]) => {
                cases.push(Case { file: file.to_owned(), name: name.to_owned(), mutant });
            }
            Err(mutants) => {
                wrong.push(format!("{file}::{name} names {} mutants, not one", mutants.len()));
            }
        }
    }
    (cases, wrong)
}

fn case_name(line: &str) -> Option<&str> {
    line.strip_prefix("pub async fn ")?.split_once('<').map(|(name, _)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_case_has_the_mutant_above_it() {
        let text = "\
            // Catches in memory/row.rs:\n\
            // - self.attempts += 1;\n\
            // + self.attempts += 2;\n\
            pub async fn one<H: StoreHarness>() {\n\
            }\n";
        let (cases, wrong) = cases_of("claims", text);
        assert_eq!(wrong, [""; 0]);
        let found: Vec<_> =
            cases.iter().map(|case| (&*case.name, &*case.mutant.file, &*case.mutant.new)).collect();
        assert_eq!(found, [("one", "memory/row.rs", "self.attempts += 2;")]);
    }

    #[test]
    fn a_case_without_exactly_one_mutant_is_rejected() {
        let one = "// Catches in memory.rs:\n// - a\n";
        for (above, count) in [("", 0), (&*format!("{one}\n"), 0), (&*one.repeat(2), 2)] {
            let text = format!("{above}pub async fn one<H: StoreHarness>() {{\n");
            let wrong = cases_of("claims", &text).1;
            assert_eq!(wrong, [format!("claims::one names {count} mutants, not one")], "{above:?}");
        }
    }
}
