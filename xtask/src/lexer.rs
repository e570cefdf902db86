//! Lexer for Rust source text.
//!
//! Checks of text need comments, literals and code apart, and no syntax tree.

mod test_code;
mod use_tree;

pub(crate) use test_code::without_tests;
pub(crate) use use_tree::imported;

/// Part of a source text.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Piece<'a> {
    Comment(&'a str),
    /// String or character, with its quotation marks.
    Literal(&'a str),
    /// Name, `::` or a single mark.
    Code(&'a str),
}

/// Splits a source text into its parts; white space is left out.
pub(crate) fn pieces(text: &str) -> impl Iterator<Item = Piece<'_>> {
    let mut rest = text;
    std::iter::from_fn(move || {
        rest = rest.trim_start();
        let first = rest.chars().next()?;
        let (kind, length): (fn(_) -> _, _) = if let Some(length) = comment(rest) {
            (Piece::Comment, length)
        } else if let Some(length) = literal(rest) {
            (Piece::Literal, length)
        } else {
            (Piece::Code, code(rest, first))
        };
        let (piece, tail) = rest.split_at_checked(length).unwrap_or((rest, ""));
        rest = tail;
        Some(kind(piece))
    })
}

/// Names, `::` and single marks of a source text.
pub(crate) fn tokens(text: &str) -> Vec<&str> {
    let code = |piece| match piece {
        Piece::Code(token) => Some(token),
        Piece::Comment(_) | Piece::Literal(_) => None,
    };
    pieces(text).filter_map(code).collect()
}

/// Line numbers of a source text.
pub(crate) struct Lines {
    address: usize,
    /// Offsets at which lines after the first begin.
    starts: Vec<usize>,
}

impl Lines {
    pub(crate) fn new(text: &str) -> Self {
        let starts = text.match_indices('\n').map(|(offset, _)| offset + 1).collect();
        Self { address: text.as_ptr().addr(), starts }
    }

    /// Line in which a part of the text begins, counted from 1.
    pub(crate) fn of(&self, part: &str) -> usize {
        let offset = part.as_ptr().addr().wrapping_sub(self.address);
        self.starts.partition_point(|start| *start <= offset) + 1
    }
}

/// Length of the name or mark that begins here.
fn code(rest: &str, first: char) -> usize {
    let is_name = |c: char| c.is_alphanumeric() || c == '_';
    if rest.starts_with("::") {
        2
    } else if is_name(first) {
        rest.find(|c| !is_name(c)).unwrap_or(rest.len())
    } else {
        first.len_utf8()
    }
}

/// Length of the comment that begins here.
fn comment(rest: &str) -> Option<usize> {
    if rest.starts_with("//") {
        return Some(rest.find('\n').unwrap_or(rest.len()));
    }
    rest.strip_prefix("/*")?;
    let (mut depth, mut length) = (0, 0);
    loop {
        let tail = rest.get(length..)?;
        let step = match tail.get(..2) {
            Some("/*") => 1,
            Some("*/") => -1,
            _ => 0,
        };
        depth += step;
        length += if step == 0 { tail.chars().next().map_or(1, char::len_utf8) } else { 2 };
        if depth == 0 || tail.is_empty() {
            return Some(length);
        }
    }
}

/// Length of the text or character that begins here.
fn literal(rest: &str) -> Option<usize> {
    if let Some(inside) = rest.strip_prefix('\'') {
        let mut inside = inside.char_indices();
        return match inside.next()? {
            (_, '\\') => Some(rest.get(3..)?.find('\'')? + 4),
            // Without a closing quote it is a lifetime.
            _ => inside.next().filter(|(_, end)| *end == '\'').map(|(at, _)| at + 2),
        };
    }
    let body = rest.trim_start_matches(['b', 'c', 'r']);
    let prefix = rest.len() - body.len();
    let marks = body.len() - body.trim_start_matches('#').len();
    let inside = body.trim_start_matches('#').strip_prefix('"')?;
    let begin = rest.len() - inside.len();
    if rest.get(..prefix)?.contains('r') {
        let end = format!("\"{}", "#".repeat(marks));
        return Some(begin + inside.find(&end)? + end.len());
    }
    let mut escaped = false;
    let end = inside.find(|c| {
        let ends = c == '"' && !escaped;
        escaped = c == '\\' && !escaped;
        ends
    });
    (marks == 0).then_some(begin + end? + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_literals_and_code_are_separate_pieces() {
        for (text, expected) in [
            ("a::b", &[Piece::Code("a"), Piece::Code("::"), Piece::Code("b")][..]),
            ("x // y\n", &[Piece::Code("x"), Piece::Comment("// y")]),
            ("/* a /* b */ c */", &[Piece::Comment("/* a /* b */ c */")]),
            (r#"f"a\"b""#, &[Piece::Code("f"), Piece::Literal(r#""a\"b""#)]),
            ("r#\"a\"b\"#", &[Piece::Literal("r#\"a\"b\"#")]),
            (r"'\''", &[Piece::Literal(r"'\''")]),
            ("'a", &[Piece::Code("'"), Piece::Code("a")]),
        ] {
            assert_eq!(pieces(text).collect::<Vec<_>>(), expected, "{text}");
        }
    }

    #[test]
    fn a_part_of_a_text_has_a_line() {
        let text = "a\nb\n\nc c";
        let lines: Vec<_> =
            tokens(text).into_iter().map(|token| Lines::new(text).of(token)).collect();
        assert_eq!(lines, [1, 2, 4, 4]);
    }
}
