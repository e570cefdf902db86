//! The mutants that laws say they catch.
//!
//! They stand in a law's file, in a comment:
//!
//! ```text
//! // Catches `no fencing` in webhook-testkit/src/memory/finish.rs:
//! // - a line, or a part of one, that stands in that file once
//! // + what to write in its place
//! ```

use std::{fs, path::Path};

use crate::run::Failure;

/// A part of the engine or of the store to break, and the law that has to notice.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Mutant {
    pub(super) law: String,
    pub(super) name: String,
    /// From the root of the workspace.
    pub(super) file: String,
    pub(super) old: String,
    pub(super) new: String,
}

impl Mutant {
    /// Whether it is the engine that is broken, and not the store.
    pub(super) fn is_of_core(&self) -> bool {
        self.file.starts_with("webhook-core/")
    }

    /// The file, broken.
    pub(super) fn apply(&self) -> Result<String, Failure> {
        let whole = fs::read_to_string(&self.file)
            .map_err(|error| Failure::Found(format!("{}: {}: {error}", self.name, self.file)))?;
        match whole.matches(&self.old).count() {
            1 => Ok(whole.replacen(&self.old, &self.new, 1)),
            count => Err(Failure::Found(format!(
                "{}: `{}` stands in {} {count} times, not once",
                self.name, self.old, self.file
            ))),
        }
    }
}

/// Reads what all laws say.
pub(super) fn look(folder: &Path) -> Result<Vec<Mutant>, Failure> {
    let unread = |error: std::io::Error| {
        Failure::Found(format!("cannot read {}: {error}", folder.display()))
    };
    let mut mutants = Vec::new();
    for entry in fs::read_dir(folder).map_err(unread)? {
        let path = entry.map_err(unread)?.path();
        let law = path.file_stem().and_then(|name| name.to_str()).unwrap_or_default();
        mutants.extend(parse(law, &fs::read_to_string(&path).map_err(unread)?));
    }
    mutants.sort_by(|one, other| (&one.law, &one.name).cmp(&(&other.law, &other.name)));
    Ok(mutants)
}

fn parse(law: &str, text: &str) -> Vec<Mutant> {
    let mut mutants = Vec::<Mutant>::new();
    let mut inside = false;
    for line in text.lines() {
        let Some(words) = line.strip_prefix("// ") else {
            inside = false;
            continue;
        };
        if let Some((name, file)) = head(words) {
            inside = true;
            mutants.push(Mutant {
                law: law.replace('_', "-"),
                name: name.to_owned(),
                file: file.to_owned(),
                old: String::new(),
                new: String::new(),
            });
        } else if let Some(mutant) = mutants.last_mut().filter(|_| inside) {
            if let Some(old) = words.strip_prefix("- ") {
                old.clone_into(&mut mutant.old);
            } else if let Some(new) = words.strip_prefix("+ ") {
                mutant.new.push_str(if mutant.new.is_empty() { "" } else { "\n" });
                mutant.new.push_str(new);
            }
        }
    }
    mutants
}

fn head(words: &str) -> Option<(&str, &str)> {
    words.strip_prefix("Catches `")?.strip_suffix(':')?.split_once("` in ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_law_may_catch_several() {
        let text = "\
            use x;\n\
            // Catches `one` in a/b.rs:\n\
            // - old;\n\
            // + new;\n\
            // + newer;\n\
            // Catches `two` in c.rs:\n\
            // - gone\n\
            /// A law.\n\
            // - not a mutant's\n";
        let mutants = parse("one_send", text);
        let mutant = |name: &str, file: &str, old: &str, new: &str| Mutant {
            law: "one-send".into(),
            name: name.into(),
            file: file.into(),
            old: old.into(),
            new: new.into(),
        };
        assert_eq!(
            mutants,
            [mutant("one", "a/b.rs", "old;", "new;\nnewer;"), mutant("two", "c.rs", "gone", "")]
        );
    }
}
