//! Rust source text as a list of names and marks, without comments, texts and test code.

mod test_code;

pub(crate) use test_code::without_tests;

/// Names, `::` and single marks of a source text.
pub(crate) fn tokens(text: &str) -> Vec<&str> {
    let mut tokens = Vec::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let is_name = |c: char| c.is_alphanumeric() || c == '_';
        let silent = comment(rest).or_else(|| literal(rest));
        let length = match silent {
            Some(length) => length,
            None if rest.starts_with("::") => 2,
            None if is_name(first) => rest.find(|c| !is_name(c)).unwrap_or(rest.len()),
            None => first.len_utf8(),
        };
        let (token, tail) = rest.split_at_checked(length).unwrap_or((rest, ""));
        if silent.is_none() && !first.is_whitespace() {
            tokens.push(token);
        }
        rest = tail;
    }
    tokens
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
