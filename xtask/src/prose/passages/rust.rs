//! Comments, messages and test names of Rust files.

use super::{
    Passage, PassageKind,
    markdown::{mask, passages},
};
use crate::{
    lexer::{Lines, Piece, pieces},
    prose::items::test_names,
};

/// Columns that a line with a comment may have.
const COLUMNS: usize = 100;

/// Passages of a Rust file.
pub(crate) fn rust(text: &str) -> Vec<Passage> {
    let lines = Lines::new(text);
    let pieces: Vec<_> = pieces(text).collect();
    let mut found = Vec::new();
    for block in blocks(&pieces, &lines) {
        found.extend(passages(block.kind, block.lines));
    }
    let mut code = Vec::new();
    for piece in pieces {
        match piece {
            Piece::Literal(literal) => found.extend(messages(lines.of(literal), literal)),
            Piece::Code(token) => code.push(token),
            Piece::Comment(_) => {}
        }
    }
    found.extend(
        test_names(&code).into_iter().map(|name| {
            Passage::new(PassageKind::TestName, lines.of(name), name.replace('_', " "))
        }),
    );
    found
}

/// Comment, or comments of adjacent lines.
struct Block<'a> {
    kind: PassageKind,
    /// Marks at the beginning of each line.
    marks: &'static str,
    lines: Vec<(usize, &'a str)>,
    /// True for a comment behind code, which no other line continues.
    is_behind_code: bool,
}

impl Block<'_> {
    fn continues(&self, next: &Block<'_>) -> bool {
        let last = self.lines.last().map(|(line, _)| line + 1);
        self.marks == next.marks
            && last == next.lines.first().map(|(line, _)| *line)
            && !self.is_behind_code
            && !next.is_behind_code
    }
}

fn blocks<'a>(pieces: &[Piece<'a>], lines: &Lines) -> Vec<Block<'a>> {
    let mut blocks: Vec<Block<'a>> = Vec::new();
    let mut code_before = None;
    for piece in pieces {
        let comment = match *piece {
            Piece::Comment(comment) => comment,
            Piece::Code(code) | Piece::Literal(code) => {
                code_before = Some(code);
                continue;
            }
        };
        let (kind, marks, text) = parts(comment);
        let begin = lines.of(comment);
        // A blank comment is a line too.
        let rows = text.split('\n').enumerate().map(|(index, row)| (begin + index, row));
        let is_behind_code = code_before.is_some_and(|code| lines.of(code) == begin);
        let block = Block { kind, marks, lines: rows.collect(), is_behind_code };
        match blocks.last_mut() {
            Some(last) if last.continues(&block) => last.lines.extend(block.lines),
            _ => blocks.push(block),
        }
    }
    for block in blocks.iter_mut().filter(|block| block.marks == "//") {
        block.lines = without_mutants(&block.lines);
    }
    blocks
}

/// PassageKind, marks and text of a comment.
fn parts(comment: &str) -> (PassageKind, &'static str, &str) {
    for (kind, marks) in
        [(PassageKind::Doc, "///"), (PassageKind::Doc, "//!"), (PassageKind::Comment, "//")]
    {
        if let Some(text) = comment.strip_prefix(marks) {
            return (kind, marks, text.strip_prefix(' ').unwrap_or(text));
        }
    }
    let text = comment.strip_prefix("/*").unwrap_or(comment).trim_start_matches(['*', '!']);
    (PassageKind::Comment, "/*", text.strip_suffix("*/").unwrap_or(text))
}

/// Leaves out lines that quote code to be broken: `Catches .. in path:` and the changes below it.
fn without_mutants<'a>(lines: &[(usize, &'a str)]) -> Vec<(usize, &'a str)> {
    let mut is_mutant = false;
    let is_prose = |(_, line): &&(usize, &'a str)| {
        let is_change = is_mutant && (line.starts_with("- ") || line.starts_with("+ "));
        is_mutant = is_change || line.starts_with("Catches `");
        !is_mutant
    };
    lines.iter().filter(is_prose).copied().collect()
}

/// Lines of a string literal that holds a message.
fn messages(line: usize, literal: &str) -> Vec<Passage> {
    let text = literal.trim_start_matches(['b', 'c', 'r', '#']).trim_end_matches('#');
    let text = text.strip_prefix('"').and_then(|text| text.strip_suffix('"')).unwrap_or_default();
    if !text.contains(' ') || is_code(text) {
        return Vec::new();
    }
    let joined = unescape(text);
    let rows = joined.lines().map(str::trim).filter(|row| row.contains(' '));
    rows.map(|row| Passage::new(PassageKind::Message, line, mask(row))).collect()
}

/// Words that begin a statement of SQL, or a part of one.
const SQL: [&str; 21] = [
    "SELECT ", "INSERT ", "UPDATE ", "DELETE ", "CREATE ", "ALTER ", "DROP ", "WITH ", "FROM ",
    "WHERE ", "JOIN ", "LEFT ", "ORDER BY", "GROUP BY", "ON ", "AND ", "OR ", "SET ", "VALUES ",
    "GRANT ", "LIMIT ",
];

/// True for SQL, JSON, markup and regular expressions.
fn is_code(text: &str) -> bool {
    let begin = text.trim_start_matches([' ', '(', '\\', 'n', '\n']);
    SQL.iter().any(|word| begin.starts_with(word))
        || begin.starts_with(['[', '<'])
        || begin.starts_with("{\"")
        || begin.starts_with("{\\\"")
        || text.contains("\\b")
}

/// Text without escapes; a backslash at the end of a line joins it to the next.
fn unescape(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match c {
            '\\' => match chars.next() {
                Some('n') => plain.push('\n'),
                Some('t' | 'r') => plain.push(' '),
                Some('\n') => {
                    let rest = chars.as_str().trim_start();
                    chars = rest.chars();
                }
                Some(c) => plain.push(c),
                None => {}
            },
            c => plain.push(c),
        }
    }
    plain
}

/// Lines with a comment that are too wide, each with its number of columns.
///
/// Tables, addresses and quoted code have no place to wrap, and are left out.
pub(crate) fn wide_comments(text: &str) -> Vec<(usize, usize)> {
    let lines = Lines::new(text);
    let rows: Vec<_> = text.lines().collect();
    let mut wide = Vec::new();
    if rows.iter().all(|row| row.len() <= COLUMNS) {
        return wide;
    }
    for piece in pieces(text) {
        let Piece::Comment(comment) = piece else { continue };
        let begin = lines.of(comment);
        for (index, part) in comment.lines().enumerate() {
            let columns = rows.get(begin + index - 1).map_or(0, |row| row.chars().count());
            let body = part.trim_start_matches(['/', '!', ' ']);
            let is_fixed = body.starts_with(['|', '+'])
                || body.starts_with("- ") && body.ends_with([';', '{', ',', ')'])
                || body.starts_with("Catches `")
                || body.contains("http://")
                || body.contains("https://");
            if columns > COLUMNS && !is_fixed {
                wide.push((begin + index, columns));
            }
        }
    }
    wide
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str) -> Vec<String> {
        rust(text)
            .into_iter()
            .map(|passage| format!("{} {:?} {}", passage.line(0), passage.kind, passage.text))
            .collect()
    }

    #[test]
    fn comments_of_adjacent_lines_are_one_passage() {
        let text = "//! Module\n//! doc.\n\n/// One\n/// two.\n///\n/// - Item.\n// Plain\n// text.\n\
            fn f() {} // Behind.\n/* A\n block. */";
        let expected = [
            "1 Doc Module doc.",
            "4 Doc One two.",
            "7 Comment Item.",
            "8 Comment Plain text.",
            "10 Comment Behind.",
            "11 Comment A block.",
        ];
        assert_eq!(found(text), expected);
    }

    #[test]
    fn code_of_examples_is_left_out() {
        let text = "/// One.\n///\n/// ```\n/// a;\n///\n/// b; c; d;\n/// ```\n/// Two.\n";
        assert_eq!(found(text), ["1 Doc One.", "8 Doc Two."]);
    }

    #[test]
    fn quoted_changes_of_mutants_are_left_out() {
        let text = "// Catches `x` in y:\n// - what is;\n// + what was;\n// Prose.\n// - Item.\n";
        assert_eq!(found(text), ["4 Comment Prose.", "5 Comment Item."]);
    }

    #[test]
    fn messages_have_a_blank_and_no_code() {
        for (text, expected) in [
            (r#"f("one word", "word", 'c')"#, "1 Message one word"),
            (r#"f("one \"quoted text\" `b c`")"#, "1 Message one _____________ _____"),
            (r##"r#"raw text"#"##, "1 Message raw text"),
            ("\"two\\nlines here\\\n   joined\"", "1 Message lines herejoined"),
            (r#"f("SELECT a FROM b", "{\"a\": 1}", r"\bwhat is\b")"#, ""),
        ] {
            assert_eq!(found(text).join(", "), expected, "{text}");
        }
    }

    #[test]
    fn names_of_tests_are_read_with_blanks() {
        assert_eq!(found("#[test]\nfn a_b_c() {}"), ["2 TestName a b c"]);
    }

    #[test]
    fn wide_lines_with_a_comment_are_found() {
        let wide = "x".repeat(110);
        let text =
            format!("// {wide}\n\"{wide}\"\n/// | {wide}\n// https://a/{wide}\nf() // {wide}");
        assert_eq!(wide_comments(&text), [(1, 113), (5, 117)]);
    }
}
