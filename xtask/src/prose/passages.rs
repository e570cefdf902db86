//! Passages of text in Rust files and Markdown documents.
//!
//! A passage is a paragraph, a list item, a table cell, a heading, a line of a message or the name
//! of a test. Code, quotations and links are masked by underscores of the same length.

mod markdown;
mod rust;

pub(super) use markdown::document;
pub(super) use rust::{rust, wide_comments};

/// PassageKind of a passage.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum PassageKind {
    /// First paragraph of a documentation comment, or a later one.
    Doc,
    /// List item or other part of a comment.
    Comment,
    Heading,
    /// Cell of a table.
    Cell,
    /// Text of a Markdown document.
    Document,
    /// String literal with a space.
    Message,
    /// Name of a test, with blanks.
    TestName,
}

/// Text of one kind, with the lines it comes from.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Passage {
    pub(super) kind: PassageKind,
    pub(super) text: String,
    /// Offset and number of each line.
    lines: Vec<(usize, usize)>,
}

impl Passage {
    fn new(kind: PassageKind, line: usize, text: impl Into<String>) -> Self {
        Self { kind, text: text.into(), lines: vec![(0, line)] }
    }

    /// Appends a line behind a blank.
    fn push(&mut self, line: usize, text: &str) {
        self.text.push(' ');
        self.lines.push((self.text.len(), line));
        self.text.push_str(text);
    }

    /// Line of an offset in the text.
    pub(super) fn line(&self, offset: usize) -> usize {
        let before = self.lines.iter().take_while(|(start, _)| *start <= offset);
        before.last().map_or(1, |(_, line)| *line)
    }
}

/// Sentences of a passage, each with its offset.
pub(super) fn sentences(text: &str) -> Vec<(usize, &str)> {
    let mut sentences = Vec::new();
    let mut start = 0;
    for (end, _) in text.match_indices(['.', '?', '!']) {
        if ends_sentence(text, end) {
            sentences.push((start, text.get(start..=end).unwrap_or_default()));
            start = end + 1;
        }
    }
    sentences.push((start, text.get(start..).unwrap_or_default()));
    sentences
        .into_iter()
        .map(|(start, text)| (start + text.len() - text.trim_start().len(), text.trim()))
        .filter(|(_, text)| !text.is_empty())
        .collect()
}

/// Words with a full stop inside a sentence.
const ABBREVIATIONS: [&str; 6] = ["e.g", "i.e", "etc", "vs", "cf", "approx"];

/// True if the mark at `end` is the last of a sentence.
fn ends_sentence(text: &str, end: usize) -> bool {
    let (before, after) = text.split_at_checked(end).unwrap_or_default();
    let after = after.get(1..).unwrap_or_default().trim_start_matches([')', '"', '*', '_']);
    let word = before.rsplit([' ', '(']).next().unwrap_or_default();
    let begins = |c: char| c.is_uppercase() || matches!(c, '_' | '"' | '[' | '*' | '(');
    !before.ends_with('.')
        && !ABBREVIATIONS.contains(&word)
        && (after.is_empty() || (after.starts_with(' ') && after.trim_start().starts_with(begins)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sentences_end_with_a_mark_before_a_capital_letter() {
        for (text, expected) in [
            ("One. Two? Three", &["One.", "Two?", "Three"][..]),
            ("Version 0.1 of e.g. SQLite. Next.", &["Version 0.1 of e.g. SQLite.", "Next."]),
            ("From `a` .. Then more.", &["From `a` .. Then more."]),
            ("Ends (here.) _____ begins.", &["Ends (here.", ") _____ begins."]),
            (" . ", &["."]),
        ] {
            let found: Vec<_> = sentences(text).into_iter().map(|(_, text)| text).collect();
            assert_eq!(found, expected, "{text}");
        }
    }

    #[test]
    fn an_offset_belongs_to_the_last_line_before_it() {
        let mut passage = Passage::new(PassageKind::Doc, 3, "one two");
        passage.push(4, "three");
        assert_eq!([0, 6, 8, 12].map(|offset| passage.line(offset)), [3, 3, 4, 4]);
    }
}
