//! The cases of the suite, and what each of them says it catches.
//!
//! That stands in a comment just above the case: a line of the store in memory, or a part of one that
//! stands in that file once, and what to write in its place.
//!
//! ```text
//! // Catches in memory/row.rs:
//! // - self.attempts += 1;
//! // + self.attempts += 2;
//! ```

use std::path::Path;

use super::{found, rust_files};
use crate::run::Failure;

/// A case, and the sabotage that it catches.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Case {
    /// Its file, without the ending.
    pub(super) file: String,
    pub(super) name: String,
    pub(super) sabotage: Sabotage,
}

/// A line to break.
#[derive(Clone, Debug, Default, Eq, Ord, PartialEq, PartialOrd)]
pub(super) struct Sabotage {
    pub(super) file: String,
    /// What stands there.
    pub(super) old: String,
    /// What to write instead; nothing, to leave it out.
    pub(super) new: String,
}

/// Reads all cases.
pub(super) fn look(folder: &Path) -> Result<Vec<Case>, Failure> {
    let (mut cases, mut wrong) = (Vec::new(), Vec::new());
    for (name, text) in rust_files(folder)? {
        let read = parse(name.trim_end_matches(".rs"), &text);
        cases.extend(read.0);
        wrong.extend(read.1);
    }
    if wrong.is_empty() { Ok(cases) } else { Err(found(wrong)) }
}

/// The cases of a file, and what is wrong with others.
fn parse(file: &str, text: &str) -> (Vec<Case>, Vec<String>) {
    let (mut cases, mut wrong) = (Vec::new(), Vec::new());
    let mut comment = Vec::new();
    for line in text.lines() {
        if let Some(words) = line.strip_prefix("// ").or_else(|| line.strip_prefix("//")) {
            comment.push(words);
            continue;
        }
        if let Some(name) = case_of(line) {
            match sabotage_of(&comment) {
                Some(sabotage) => {
                    cases.push(Case { file: file.to_owned(), name: name.to_owned(), sabotage });
                }
                None => wrong.push(format!("{file}::{name} does not say what it catches")),
            }
        }
        comment.clear();
    }
    (cases, wrong)
}

fn case_of(line: &str) -> Option<&str> {
    line.strip_prefix("pub async fn ")?.split_once('<').map(|(name, _)| name)
}

/// Reads the comment of a case. The new text may have several lines.
fn sabotage_of(comment: &[&str]) -> Option<Sabotage> {
    let begin = comment.iter().position(|line| line.starts_with("Catches in "))?;
    let mut lines = comment.iter().skip(begin);
    let file = lines.next()?.strip_prefix("Catches in ")?.strip_suffix(':')?.to_owned();
    let old = lines.next()?.strip_prefix("- ")?.to_owned();
    let new: Option<Vec<_>> = lines.map(|line| line.strip_prefix('+')).collect();
    let new: Vec<_> = new?.iter().map(|line| line.trim_start()).collect();
    Some(Sabotage { file, old, new: new.join("\n") })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_case_has_its_sabotage_just_above() {
        let text = "\
            // Of the tenant's clock.\n\
            // Catches in memory/row.rs:\n\
            // - self.attempts += 1;\n\
            // + self.attempts += 2;\n\
            pub async fn one<H: StoreHarness>() {\n\
            }\n\
            \n\
            // Catches in memory.rs:\n\
            // - = version.next();\n\
            pub async fn two<H: StoreHarness>() {\n";
        let (cases, wrong) = parse("claims", text);
        assert_eq!(wrong, [""; 0]);
        let sabotage = |file: &str, old: &str, new: &str| Sabotage {
            file: file.into(),
            old: old.into(),
            new: new.into(),
        };
        let case =
            |name: &str, sabotage| Case { file: "claims".into(), name: name.into(), sabotage };
        let one = sabotage("memory/row.rs", "self.attempts += 1;", "self.attempts += 2;");
        let two = sabotage("memory.rs", "= version.next();", "");
        assert_eq!(cases, [case("one", one), case("two", two)]);
    }

    #[test]
    fn a_case_without_a_sabotage_is_named() {
        for above in ["", "// Catches in memory.rs:\n", "// Catches in memory.rs:\n// - a\n\n"] {
            let text = format!("{above}pub async fn one<H: StoreHarness>() {{\n");
            let wrong = parse("claims", &text).1;
            assert_eq!(wrong, ["claims::one does not say what it catches"], "{above:?}");
        }
    }
}
