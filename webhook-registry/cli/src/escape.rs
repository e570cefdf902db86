//! Text that a terminal can show safely.

/// Text that may come from anybody, such that no terminal acts on it: control characters, and
/// those that change the direction of writing, are written out.
pub(crate) fn harmless(text: &str) -> String {
    let acts = |c: char| {
        c.is_control()
            || matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    let mut clean = String::with_capacity(text.len());
    for c in text.chars() {
        if acts(c) { clean.extend(c.escape_default()) } else { clean.push(c) }
    }
    clean
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_a_terminal_acts_on_gets_through() {
        assert_eq!(harmless("a\u{1b}[31mb\r\n\u{202e}ü"), "a\\u{1b}[31mb\\r\\n\\u{202e}ü");
    }
}
