//! Paragraphs of Markdown text, as documents and comments hold it.

use super::{Passage, PassageKind};

/// Passages of a Markdown document. Released versions of a changelog are history and left out.
pub(crate) fn document(path: &str, text: &str) -> Vec<Passage> {
    let is_changelog = path.rsplit('/').next() == Some("CHANGELOG.md");
    let is_released =
        |line: &str| is_changelog && line.starts_with("## ") && !line.contains("nreleased");
    let lines = text.lines().enumerate().map(|(index, line)| (index + 1, line));
    passages(PassageKind::Document, lines.take_while(|(_, line)| !is_released(line)))
}

/// Passages of numbered lines; paragraphs are of this kind.
pub(super) fn passages<'a>(
    kind: PassageKind,
    lines: impl IntoIterator<Item = (usize, &'a str)>,
) -> Vec<Passage> {
    let mut reader = Reader { kind, done: Vec::new(), open: None, skipped: None };
    for (number, line) in lines {
        reader.line(number, line);
    }
    reader.end_paragraph();
    for passage in &mut reader.done {
        passage.text = mask(&passage.text);
    }
    reader.done
}

/// Reader of lines, with the paragraph under way.
struct Reader {
    kind: PassageKind,
    done: Vec<Passage>,
    open: Option<Passage>,
    /// Mark that ends code or an HTML comment.
    skipped: Option<&'static str>,
}

impl Reader {
    fn line(&mut self, number: usize, line: &str) {
        let text = line.trim();
        if let Some(end) = self.skipped {
            if text.contains(end) {
                self.skipped = None;
            }
            return;
        }
        let is_indented_code = line.starts_with("    ") && self.open.is_none();
        let is_quoted = text.starts_with('>') || text.starts_with("[") && text.contains("]: ");
        if let Some(end) = block_end(text) {
            self.end_paragraph();
            self.skipped = Some(end);
        } else if text.is_empty() || is_indented_code || is_quoted || text.starts_with('<') {
            self.end_paragraph();
        } else if let Some(heading) = text.strip_prefix('#') {
            self.end_paragraph();
            let heading = heading.trim_start_matches('#').trim();
            self.done.push(Passage::new(PassageKind::Heading, number, heading));
        } else if let Some(row) = text.strip_prefix('|') {
            self.end_paragraph();
            self.row(number, row);
        } else if let Some(item) = list_item(text) {
            self.end_paragraph();
            let kind = if self.kind == PassageKind::Doc { PassageKind::Comment } else { self.kind };
            self.open = Some(Passage::new(kind, number, item));
        } else {
            match &mut self.open {
                Some(open) => open.push(number, text),
                None => self.open = Some(Passage::new(self.kind, number, text)),
            }
        }
    }

    fn row(&mut self, number: usize, row: &str) {
        let is_rule = row.chars().all(|c| matches!(c, '|' | '-' | ':' | ' '));
        let cells = mask(row);
        let cells = cells.split('|').map(str::trim).filter(|cell| !cell.is_empty() && !is_rule);
        self.done.extend(cells.map(|cell| Passage::new(PassageKind::Cell, number, cell)));
    }

    fn end_paragraph(&mut self) {
        self.done.extend(self.open.take());
    }
}

/// Mark that ends the block of code or the HTML comment that begins here.
fn block_end(text: &str) -> Option<&'static str> {
    if text.starts_with("```") {
        Some("```")
    } else if text.starts_with("~~~") {
        Some("~~~")
    } else {
        (text.starts_with("<!--") && !text.contains("-->")).then_some("-->")
    }
}

/// Text of a list item.
fn list_item(text: &str) -> Option<&str> {
    let bullet = ["- ", "* ", "+ "].into_iter().find_map(|mark| text.strip_prefix(mark));
    let numbered = || {
        let (number, item) = text.split_once(". ")?;
        (!number.is_empty() && number.chars().all(|c| c.is_ascii_digit())).then_some(item)
    };
    bullet.or_else(numbered)
}

/// Replaces code, quotations and addresses by underscores of the same length.
pub(super) fn mask(text: &str) -> String {
    let mut masked = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let length = match first {
            '`' => enclosed(rest, &"`".repeat(rest.len() - rest.trim_start_matches('`').len())),
            '"' => enclosed(rest, "\""),
            '(' if masked.ends_with(']') => rest.find(')').map(|end| end + 1),
            'h' if rest.starts_with("http://") || rest.starts_with("https://") => {
                Some(rest.find([' ', ')', '>', '|']).unwrap_or(rest.len()))
            }
            _ => None,
        };
        let (part, tail) =
            rest.split_at_checked(length.unwrap_or(first.len_utf8())).unwrap_or((rest, ""));
        match length {
            Some(length) => masked.push_str(&"_".repeat(length)),
            None => masked.push_str(part),
        }
        rest = tail;
    }
    masked
}

/// Length of a text between two of these marks, with the marks.
fn enclosed(rest: &str, mark: &str) -> Option<usize> {
    Some(rest.strip_prefix(mark)?.find(mark)? + 2 * mark.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn code_quotations_and_addresses_are_masked() {
        for (text, expected) in [
            ("a `b c` d", "a _____ d"),
            ("a ``b ` c`` d", "a _________ d"),
            ("says \"what is\" here", "says _________ here"),
            ("see [the text](x y) at https://a/b.", "see [the text]_____ at ____________"),
            ("an open ` or \" mark", "an open ` or \" mark"),
        ] {
            assert_eq!(mask(text), expected, "{text}");
        }
    }

    #[test]
    fn paragraphs_items_cells_and_headings_are_passages() {
        let text = "# Head `x`\n\nOne\ntwo.\n- item\n  more\n2. second\n\n| a | `b|c` |\n|---|---|\n\
            ```\ncode\n```\n> quoted\n\n    indented\n<!-- a\nb -->\n[x]: y\nlast";
        let found: Vec<_> = document("README.md", text)
            .into_iter()
            .map(|passage| format!("{} {:?} {}", passage.line(0), passage.kind, passage.text))
            .collect();
        let expected = [
            "1 Heading Head ___",
            "3 Document One two.",
            "5 Document item more",
            "7 Document second",
            "9 Cell a",
            "9 Cell _____",
            "20 Document last",
        ];
        assert_eq!(found, expected);
    }

    #[test]
    fn released_versions_of_a_changelog_are_left_out() {
        let text = "## Unreleased\nnew\n## 0.1.0\nold";
        assert_eq!(document("a/CHANGELOG.md", text).len(), 2);
        assert_eq!(document("a/README.md", text).len(), 4);
    }
}
