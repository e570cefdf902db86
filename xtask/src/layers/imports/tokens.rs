//! Source text as a list of names and marks, without comments, texts and test code.

/// Words that begin an item, which ends with a block or a semicolon.
const ITEMS: [&str; 13] = [
    "async",
    "const",
    "enum",
    "fn",
    "impl",
    "let",
    "macro_rules",
    "mod",
    "static",
    "struct",
    "trait",
    "type",
    "use",
];

/// Names, `::` and single marks of a source text.
pub(super) fn tokens(text: &str) -> Vec<&str> {
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

/// Code without test items, and the names of the modules that are declared for tests alone.
pub(super) fn without_tests<'a>(tokens: &[&'a str]) -> (Vec<&'a str>, Vec<&'a str>) {
    let (mut code, mut test_modules) = (Vec::new(), Vec::new());
    let mut rest = tokens;
    while let Some((first, tail)) = rest.split_first() {
        let Some(item) = after_test_mark(rest) else {
            code.push(*first);
            rest = tail;
            continue;
        };
        let (item, tail) = item.split_at(item_length(item));
        if let [.., "mod", name, ";"] = item {
            test_modules.push(*name);
        }
        rest = tail;
    }
    (code, test_modules)
}

/// The item behind a mark such as `#[cfg(test)]`.
fn after_test_mark<'a, 'b>(tokens: &'b [&'a str]) -> Option<&'b [&'a str]> {
    let ["#", attribute @ ..] = tokens else { return None };
    let (mark, mut item) = attribute.split_at(group_length(attribute));
    let is_for_tests = mark.starts_with(&["[", "cfg"])
        && mark.contains(&"test")
        && !mark.iter().any(|word| matches!(*word, "any" | "not"));
    while let ["#", attribute @ ..] = item {
        item = attribute.split_at(group_length(attribute)).1;
    }
    is_for_tests.then_some(item)
}

/// Number of tokens up to the end of an item, a field or a statement.
fn item_length(tokens: &[&str]) -> usize {
    let mut words =
        tokens.iter().skip_while(|word| matches!(**word, "pub" | "(" | "crate" | "super" | ")"));
    let is_item = words.next().is_some_and(|word| ITEMS.contains(word));
    let mut length = 0;
    while let Some((first, _)) = tokens.get(length..).and_then(<[_]>::split_first) {
        match *first {
            "(" | "[" | "{" => length += group_length(tokens.get(length..).unwrap_or_default()),
            ")" | "]" | "}" => return length,
            _ => length += 1,
        }
        if *first == ";" || (*first == "," && !is_item) || (*first == "{" && is_item) {
            return length;
        }
    }
    length
}

/// Number of tokens in the brackets that begin here.
fn group_length(tokens: &[&str]) -> usize {
    let mut depth = 0_usize;
    for (at, token) in tokens.iter().enumerate() {
        match *token {
            "(" | "[" | "{" => depth += 1,
            ")" | "]" | "}" => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth == 0 {
            return at + 1;
        }
    }
    tokens.len()
}
