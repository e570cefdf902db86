//! Number of names at the root of a crate.

use std::collections::BTreeSet;

use crate::lexer::{imported, tokens, without_tests};

/// Names that the root of a crate re-exports, from the text of its `lib.rs`.
///
/// A glob of another crate is `crate::*`; public modules and their contents do not count.
pub(super) fn names(text: &str) -> BTreeSet<String> {
    let all = tokens(text);
    let (code, _) = without_tests(&all);
    let mut names = BTreeSet::new();
    let mut depth = 0_usize;
    let mut rest = &code[..];
    while let [first, tail @ ..] = rest {
        rest = tail;
        match (*first, tail) {
            ("{", _) => depth += 1,
            ("}", _) => depth = depth.saturating_sub(1),
            ("pub", ["use", tree @ ..]) if depth == 0 => {
                let end = tree.iter().position(|token| *token == ";").unwrap_or(tree.len());
                let (tree, behind) = tree.split_at(end);
                let tree = renamed(tree);
                names.extend(imported(&tree).iter().filter_map(|path| name(path)));
                rest = behind;
            }
            _ => {}
        }
    }
    names
}

/// Tree in which each `name as other` is `other`.
fn renamed<'a>(tree: &[&'a str]) -> Vec<&'a str> {
    let mut tokens = Vec::new();
    let mut rest = tree;
    while let [first, tail @ ..] = rest {
        rest = tail;
        if let ["as", alias, behind @ ..] = tail {
            tokens.push(*alias);
            rest = behind;
        } else {
            tokens.push(*first);
        }
    }
    tokens
}

/// Name that a path brings to the root, by its last part.
fn name(path: &[&str]) -> Option<String> {
    match path {
        [.., "self" | "_"] => None,
        [.., module, "*"] => Some(format!("{module}::*")),
        [.., name] => Some((*name).to_owned()),
        [] => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_public_use_trees_count_once() {
        for (text, expected) in [
            ("pub use crate::{a::{A, B as C}, d::D}; use e::E; pub(crate) use f::F;", "A C D"),
            ("pub use a::A; #[cfg(x)] pub use b::A;", "A"),
            ("pub use a::{self, b}; pub mod m { pub use c::C; }", "b"),
            ("pub use webhook_core::*; pub use a::A;", "A webhook_core::*"),
            ("#[cfg(test)] pub use a::A; pub use a::B as _;", ""),
        ] {
            assert_eq!(names(text).into_iter().collect::<Vec<_>>().join(" "), expected, "{text}");
        }
    }
}
