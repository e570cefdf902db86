//! Rules about language, for one file.

use std::fmt;

use super::{
    passages::{PassageKind, document, rust, sentences, wide_comments},
    patterns::{Level, Patterns},
    workspace::Source,
};

/// Words of a sentence.
const MAX_WORDS: usize = 25;

/// Characters of the name of a test.
const MAX_TEST_NAME: usize = 60;

/// Files whose messages quote wrong text on purpose.
const QUOTING: [&str; 2] = ["xtask/src/prose/", "xtask/src/lexer"];

/// Text that breaks a rule.
#[derive(Debug)]
pub(super) struct BadText {
    pub(super) line: usize,
    pub(super) level: Level,
    /// Name of the rule, for counts.
    pub(super) rule: String,
    found: String,
}

impl fmt::Display for BadText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mark = if self.level == Level::Warn { " (warning)" } else { "" };
        write!(f, "{}: {}{mark}", self.rule, self.found)
    }
}

/// Checks the text of one file.
pub(super) fn check(source: &Source, patterns: &Patterns) -> Vec<BadText> {
    let passages =
        if source.is_rust() { rust(&source.text) } else { document(&source.path, &source.text) };
    let is_quoting = QUOTING.iter().any(|place| source.path.starts_with(place));
    let mut bad = Vec::new();
    for passage in passages {
        if is_quoting && passage.kind == PassageKind::Message {
            continue;
        }
        for (index, (start, sentence)) in sentences(&passage.text).into_iter().enumerate() {
            for found in patterns.find(passage.kind, index == 0, sentence) {
                bad.push(BadText {
                    line: passage.line(start + found.offset),
                    level: found.pattern.level,
                    rule: format!("{:>2}", found.pattern.number),
                    found: format!("`{}`; use {}", found.text, found.pattern.plain),
                });
            }
            let line = passage.line(start);
            bad.extend(measured(passage.kind, sentence).map(|found| measure(line, found)));
        }
    }
    if source.is_rust() {
        let wide = wide_comments(&source.text).into_iter();
        bad.extend(wide.map(|(line, columns)| measure(line, ("wide comment", columns))));
    }
    bad.sort_by_key(|bad| bad.line);
    bad
}

fn measure(line: usize, (rule, count): (&str, usize)) -> BadText {
    let found = count.to_string();
    BadText { line, level: Level::Fail, rule: rule.to_owned(), found }
}

/// Measures of a sentence that are too large.
fn measured(kind: PassageKind, sentence: &str) -> impl Iterator<Item = (&'static str, usize)> {
    let is_name = kind == PassageKind::TestName;
    let is_word = |word: &&str| word.contains(|c: char| c.is_alphanumeric() || c == '_');
    let words = sentence.split_whitespace().filter(is_word).count();
    let and = sentence.matches(" and ").count();
    let semicolons = sentence.matches(';').count();
    let characters = sentence.chars().count();
    [
        ("words in a sentence", words, MAX_WORDS, !is_name),
        ("semicolons in a sentence", semicolons, 1, !is_name && kind != PassageKind::Message),
        ("characters in the name of a test", characters, MAX_TEST_NAME, is_name),
        ("`_and_` in the name of a test", and, 1, is_name),
    ]
    .into_iter()
    .filter(|(_, count, limit, applies)| *applies && count > limit)
    .map(|(rule, count, ..)| (rule, count))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(path: &str, text: &str) -> Vec<String> {
        let source = Source { path: path.to_owned(), text: text.to_owned() };
        let bad = check(&source, &Patterns::new().unwrap());
        bad.into_iter().map(|bad| format!("{} {bad}", bad.line)).collect()
    }

    #[test]
    fn texts_are_reported_with_line_rule_and_wording() {
        let text = "/// Stops\n/// at once.\nfn f() { g(\"waits in vain\") }";
        let bad = found("a.rs", text);
        assert_eq!(bad.len(), 2, "{bad:?}");
        assert!(bad[0].starts_with("2 15: `at once`; use immediately"), "{bad:?}");
        assert!(bad[1].starts_with("3 22: `in vain`; use "), "{bad:?}");
        assert_eq!(found("xtask/src/prose/x.rs", text).len(), 1);
    }

    #[test]
    fn measures_have_limits() {
        let words = |count| vec!["word"; count].join(" ");
        let name = |count| format!("#[test] fn {}() {{}}", "a".repeat(count));
        for (text, expected) in [
            (format!("// {}.", words(20)), ""),
            (format!("// {}.", words(26)), "words in a sentence: 26"),
            ("// One; two; three.".to_owned(), "semicolons in a sentence: 2"),
            (name(60), ""),
            (name(61), "characters in the name of a test: 61"),
            ("#[test] fn a_and_b_and_c() {}".to_owned(), "`_and_` in the name of a test: 2"),
        ] {
            let found: Vec<_> =
                found("a.rs", &text).into_iter().filter(|text| !text.contains("wide")).collect();
            let expected = if expected.is_empty() { vec![] } else { vec![format!("1 {expected}")] };
            assert_eq!(found, expected, "{text}");
        }
    }
}
