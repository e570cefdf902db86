//! Paths that code names.

use crate::lexer::imported;

/// All paths, each with the names of the modules inside the file in which it is written.
pub(super) fn paths<'a>(code: &[&'a str]) -> Vec<(Vec<&'a str>, Vec<&'a str>)> {
    let mut found = Vec::new();
    let (mut inline, mut depth, mut before) = (Vec::new(), 0_usize, ["", ""]);
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
            // The module of `pub(in ..)` is not imported.
            (_, ["::", ..]) if before == ["(", "in"] => {}
            (name, ["::", ..]) if !matches!(before, [_, "::" | "."]) => {
                let names = tail.chunks_exact(2).map_while(|pair| match pair {
                    ["::", name] => Some(*name),
                    _ => None,
                });
                let path = [name].into_iter().chain(names).collect();
                found.push((inline.iter().map(|(name, _)| *name).collect(), path));
            }
            _ => {}
        }
        before = [before[1], *first];
    }
    found
}
