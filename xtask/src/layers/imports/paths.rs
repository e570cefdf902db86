//! Paths that code names.

/// All paths, each with the names of the modules inside the file in which it is written.
pub(super) fn paths<'a>(code: &[&'a str]) -> Vec<(Vec<&'a str>, Vec<&'a str>)> {
    let mut found = Vec::new();
    let (mut inline, mut depth, mut before) = (Vec::new(), 0_usize, "");
    let mut rest = code;
    while let [first, tail @ ..] = rest {
        rest = tail;
        match (*first, tail) {
            ("mod", [name, "{", ..]) => inline.push((*name, depth)),
            ("{", _) => depth += 1,
            ("}", _) => {
                depth = depth.saturating_sub(1);
                inline.retain(|(_, begun_at)| *begun_at < depth);
            }
            ("use", _) => {
                let end = tail.iter().position(|token| *token == ";").unwrap_or(tail.len());
                let (tree, behind) = tail.split_at(end);
                let modules: Vec<_> = inline.iter().map(|(name, _)| *name).collect();
                found.extend(imported(tree).into_iter().map(|path| (modules.clone(), path)));
                rest = behind;
            }
            (name, ["::", ..]) if !matches!(before, "::" | ".") => {
                let names = tail.chunks_exact(2).map_while(|pair| match pair {
                    ["::", name] => Some(*name),
                    _ => None,
                });
                let path = [name].into_iter().chain(names).collect();
                found.push((inline.iter().map(|(name, _)| *name).collect(), path));
            }
            _ => {}
        }
        before = *first;
    }
    found
}

/// The paths of a `use` tree.
fn imported<'a>(tree: &[&'a str]) -> Vec<Vec<&'a str>> {
    let mut found = Vec::new();
    // Lengths that the path had where its braces were opened.
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
