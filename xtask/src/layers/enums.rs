//! Each public enum of a published library is open (`non_exhaustive`), or says why it is closed.

use super::Broken;
use crate::sources::Sources;

/// Begin of the sentence that says why an enum is closed.
const CLOSED: &str = "/// Closed: ";

const OPEN: &str = "#[non_exhaustive]";

/// Checks the files of a crate's `src` folder.
pub(super) fn check(src: &str, sources: &Sources) -> Vec<Broken> {
    let why = "users match it: it has to be non_exhaustive, or its docs say \"Closed: why\"";
    let broken = |file: &str, name| {
        Broken::new(format!("enum `{name}` is undecided"), format!("{src}/{file}"), why)
    };
    let all = sources.iter();
    all.flat_map(|(file, text)| undecided(text).into_iter().map(|name| broken(file, name)))
        .collect()
}

fn undecided(text: &str) -> Vec<&str> {
    let lines: Vec<_> = text.lines().collect();
    let enums = lines.iter().enumerate().filter(|(_, line)| line.trim().starts_with("pub enum "));
    let undecided = enums.filter(|(at, _)| !is_decided(lines.get(..*at).unwrap_or_default()));
    undecided.filter_map(|(_, line)| line.trim().split([' ', '<']).nth(2)).collect()
}

/// Looks through the docs and attributes above an enum.
fn is_decided(above: &[&str]) -> bool {
    let head = above.iter().rev().map(|line| line.trim());
    head.take_while(|line| line.starts_with("///") || line.starts_with('#'))
        .any(|line| line.starts_with(CLOSED) || line == OPEN)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_enum_without_a_decision_is_named() {
        let text = "/// A.\n#[non_exhaustive]\npub enum A {}\n\n/// B.\n///\n/// Closed: why.\n\
                    #[derive(Debug)]\npub enum B<T> {}\n\n/// C.\npub enum C {}\n\
                    pub(crate) enum D {}\n";
        let sources = Sources::from([("a.rs".to_owned(), text.to_owned())]);
        let broken: Vec<_> = check("shop/src", &sources).into_iter().map(|it| it.what).collect();
        assert_eq!(broken, ["enum `C` is undecided"]);
    }
}
