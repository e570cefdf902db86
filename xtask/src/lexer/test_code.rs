//! Code that is compiled for tests alone.

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

/// Code without test items, and the names of the modules that are declared for tests alone.
pub(crate) fn without_tests<'a>(tokens: &[&'a str]) -> (Vec<&'a str>, Vec<&'a str>) {
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
