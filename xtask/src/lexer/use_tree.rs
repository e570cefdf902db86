//! Trees of `use` items.

/// Paths of a `use` tree.
pub(crate) fn imported<'a>(tree: &[&'a str]) -> Vec<Vec<&'a str>> {
    let mut found = Vec::new();
    // Lengths of the path at each open brace.
    let mut opened = Vec::new();
    let mut path = Vec::new();
    let mut is_open = false;
    let mut is_alias = false;
    for token in tree.iter().copied().chain([","]) {
        match token {
            "::" => {}
            "as" => is_alias = true,
            "{" => opened.push(path.len()),
            "," | "}" => {
                if is_open {
                    found.push(path.clone());
                }
                (is_open, is_alias) = (false, false);
                if token == "}" {
                    opened.pop();
                }
                path.truncate(opened.last().copied().unwrap_or_default());
            }
            _ if is_alias => {}
            name => {
                path.push(name);
                is_open = true;
            }
        }
    }
    found
}
