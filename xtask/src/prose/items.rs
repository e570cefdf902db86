//! Definitions in Rust code: types, functions, constants and modules.

/// ItemKind of a definition, or of a name that a definition may have.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum ItemKind {
    Type,
    Function,
    Constant,
    /// Module or file.
    Module,
}

impl ItemKind {
    pub(super) const fn word(self) -> &'static str {
        match self {
            Self::Type => "type",
            Self::Function => "function",
            Self::Constant => "constant",
            Self::Module => "module",
        }
    }
}

/// Definition of a name.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Item<'a> {
    pub(super) kind: ItemKind,
    pub(super) name: &'a str,
    /// False for names of a function, an implementation or a macro.
    pub(super) is_in_module: bool,
}

/// Definitions in a list of tokens.
pub(super) fn items<'a>(tokens: &[&'a str]) -> Vec<Item<'a>> {
    let mut items = Vec::new();
    // True for the block of a module.
    let mut blocks: Vec<bool> = Vec::new();
    let mut is_module_next = false;
    let mut before = "";
    let mut rest = tokens;
    while let [first, tail @ ..] = rest {
        match *first {
            "{" => {
                blocks.push(is_module_next);
                is_module_next = false;
            }
            "}" => _ = blocks.pop(),
            _ => {}
        }
        if let Some((kind, name)) = definition(before, first, tail) {
            is_module_next = kind == ItemKind::Module && tail.get(1) == Some(&"{");
            let is_in_module = blocks.iter().all(|is_module| *is_module);
            items.push(Item { kind, name, is_in_module });
        }
        before = first;
        rest = tail;
    }
    items
}

/// Definition that the keyword `word` begins.
fn definition<'a>(before: &str, word: &str, tail: &[&'a str]) -> Option<(ItemKind, &'a str)> {
    let kind = match word {
        "struct" | "enum" | "trait" | "union" | "type" => ItemKind::Type,
        "fn" => ItemKind::Function,
        "mod" => ItemKind::Module,
        // Pointers, generic parameters and lifetimes use the same words.
        "const" | "static" if !matches!(before, "*" | "<" | "," | "'") => ItemKind::Constant,
        _ => return None,
    };
    let tail = tail.strip_prefix(&["mut"]).unwrap_or(tail);
    let name = *tail.first()?;
    let is_name = name.starts_with(|c: char| c.is_alphabetic()) && !is_keyword(name);
    is_name.then_some((kind, name))
}

/// Words that can follow `const` or `static` without being a name.
fn is_keyword(word: &str) -> bool {
    matches!(word, "fn" | "async" | "unsafe" | "extern" | "move")
}

/// Names of the test functions in a list of tokens.
pub(super) fn test_names<'a>(tokens: &[&'a str]) -> Vec<&'a str> {
    let mut names = Vec::new();
    let mut is_test = false;
    let mut rest = tokens;
    while let [first, tail @ ..] = rest {
        rest = tail;
        match (*first, tail) {
            ("#", ["[", attribute @ ..]) => {
                let end = attribute.iter().position(|token| *token == "]");
                let attribute = attribute.split_at(end.unwrap_or_default()).0;
                let is_condition = matches!(attribute, ["cfg" | "cfg_attr", ..]);
                is_test |= attribute.contains(&"test") && !is_condition;
            }
            ("fn", [name, ..]) => {
                if is_test {
                    names.push(*name);
                }
                is_test = false;
            }
            _ => {}
        }
    }
    names
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lexer::tokens;

    #[test]
    fn definitions_have_a_kind_and_a_level() {
        for (text, expected) in [
            ("pub struct A; enum B {} trait C {}", "type A, type B, type C"),
            ("type A = u8; union B {}", "type A, type B"),
            (
                "impl X { type A = u8; const B: u8 = 1; fn c() {} }",
                "type A-, constant B-, function c-",
            ),
            ("mod a; mod b { struct C; }", "module a, module b, type C"),
            (
                "fn f() { struct A; const B: u8 = 1; } const C: u8 = 1;",
                "function f, type A-, constant B-, constant C",
            ),
            ("static mut A: u8 = 1; const _: u8 = 1; const fn f() {}", "constant A, function f"),
            ("fn f<const N: usize>(a: &'static str, b: *const u8, g: fn(u8)) {}", "function f"),
            ("macro_rules! m { () => { struct $name; struct A; } }", "type A-"),
            ("fn f() { a.union(b); let r#type = 1; }", "function f"),
        ] {
            let found = items(&tokens(text)).into_iter().map(|item| {
                let mark = if item.is_in_module { "" } else { "-" };
                format!("{} {}{mark}", item.kind.word(), item.name)
            });
            assert_eq!(found.collect::<Vec<_>>().join(", "), expected, "{text}");
        }
    }

    #[test]
    fn test_functions_are_found_by_their_attribute() {
        let text = "#[test] fn a() {} fn b() {} #[tokio::test(flavor = \"x\")] #[ignore] async fn c() {}\
            #[cfg(test)] fn d() {} #[cfg_attr(test, x)] fn e() {}";
        assert_eq!(test_names(&tokens(text)), ["a", "c"]);
    }
}
