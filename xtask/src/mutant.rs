//! Mutants: code broken on purpose, to prove that a check notices it.
//!
//! A mutant is a comment above the check that must catch it:
//!
//! ```text
//! // Catches `no fencing` in webhook-testkit/src/memory/finish.rs:
//! // - a line, or a part of one, that occurs in that file once
//! // + the text that replaces it
//! ```
//!
//! The name may be missing. The path starts at the root of the workspace. Without a `+` line the
//! old text is removed.

/// Option of the verbs that run mutants.
pub(crate) const MUTANTS_OPTION: &str = "--mutants";

/// A text to replace in one file.
#[derive(Clone, Debug, Default, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) struct Mutant {
    pub(crate) name: Option<String>,
    /// Path from the root of the workspace.
    pub(crate) file: String,
    /// Text that occurs in the file once.
    pub(crate) old: String,
    /// Text that replaces it, of any number of lines.
    pub(crate) new: String,
}

impl Mutant {
    /// Replaces the text in the content of the file. The error names what is wrong with the mutant.
    pub(crate) fn apply_to(&self, content: &str) -> Result<String, String> {
        let Self { file, old, new, .. } = self;
        if old.is_empty() {
            return Err(format!("no text of {file} is named"));
        }
        match content.matches(old).count() {
            1 => Ok(content.replacen(old, new, 1)),
            count => Err(format!("`{old}` occurs in {file} {count} times, not once")),
        }
    }
}

/// A line of code, and the mutants in the comment directly above it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct MarkedLine<'t> {
    pub(crate) line: &'t str,
    pub(crate) mutants: Vec<Mutant>,
}

/// Returns the lines of code of a text with their mutants. Comments are left out.
pub(crate) fn parse(text: &str) -> Vec<MarkedLine<'_>> {
    let mut lines = Vec::new();
    let mut mutants = Vec::new();
    for line in text.lines() {
        match comment_of(line) {
            Some(comment) => add_comment(comment, &mut mutants),
            None => lines.push(MarkedLine { line, mutants: std::mem::take(&mut mutants) }),
        }
    }
    lines
}

/// Content of a comment. A doc comment is no comment but a line of code.
fn comment_of(line: &str) -> Option<&str> {
    line.strip_prefix("//").filter(|rest| !rest.starts_with(['/', '!']))
}

fn add_comment(comment: &str, mutants: &mut Vec<Mutant>) {
    let comment = comment.strip_prefix(' ').unwrap_or(comment);
    if let Some((name, file)) = head_of(comment) {
        let (name, file) = (name.map(str::to_owned), file.to_owned());
        mutants.push(Mutant { name, file, ..Mutant::default() });
        return;
    }
    let Some(mutant) = mutants.last_mut() else { return };
    if let Some(old) = comment.strip_prefix("- ") {
        old.clone_into(&mut mutant.old);
    } else if let Some(new) = comment.strip_prefix('+') {
        mutant.new.push_str(if mutant.new.is_empty() { "" } else { "\n" });
        mutant.new.push_str(new.strip_prefix(' ').unwrap_or(new));
    }
}

/// Name and file in the first line of a mutant.
fn head_of(comment: &str) -> Option<(Option<&str>, &str)> {
    let rest = comment.strip_prefix("Catches ")?.strip_suffix(':')?;
    if let Some(file) = rest.strip_prefix("in ") {
        return Some((None, file));
    }
    let (name, file) = rest.strip_prefix('`')?.split_once("` in ")?;
    Some((Some(name), file))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mutant(name: Option<&str>, file: &str, old: &str, new: &str) -> Mutant {
        let name = name.map(str::to_owned);
        Mutant { name, file: file.into(), old: old.into(), new: new.into() }
    }

    #[test]
    fn mutants_belong_to_the_line_below_their_comment() {
        let text = "\
            // Reason.\n\
            // Catches `one` in a/b.rs:\n\
            // - old;\n\
            // + new;\n\
            // +     newer;\n\
            // Catches in c.rs:\n\
            // - gone\n\
            /// A check.\n\
            // - no mutant\n\
            fn check() {}\n";
        let (one, two) = (
            mutant(Some("one"), "a/b.rs", "old;", "new;\n    newer;"),
            mutant(None, "c.rs", "gone", ""),
        );
        let first = MarkedLine { line: "/// A check.", mutants: vec![one, two] };
        let second = MarkedLine { line: "fn check() {}", mutants: Vec::new() };
        assert_eq!(parse(text), [first, second]);
    }

    #[test]
    fn a_blank_line_separates_a_comment_from_a_check() {
        let marked = parse("// Catches in a.rs:\n// - old\n\nfn check() {}\n");
        let last = marked.last().map(|marked| (marked.line, marked.mutants.len()));
        assert_eq!(last, Some(("fn check() {}", 0)));
    }

    #[test]
    fn the_old_text_must_occur_once() {
        let replace = |old: &str| mutant(None, "a.rs", old, "2").apply_to("a += 1;\nb += 1;\n");
        assert_eq!(replace("a += 1").as_deref(), Ok("2;\nb += 1;\n"));
        assert_eq!(replace("+= 1").unwrap_err(), "`+= 1` occurs in a.rs 2 times, not once");
        assert_eq!(replace("c").unwrap_err(), "`c` occurs in a.rs 0 times, not once");
        assert_eq!(replace("").unwrap_err(), "no text of a.rs is named");
    }
}
