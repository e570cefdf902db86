//! Calls that only the engine may make.

use super::Broken;
use crate::{
    lexer::{Lines, tokens},
    run::Failure,
    sources::rust_sources,
};

/// Folders or files that may not call these functions.
struct CallRule {
    places: &'static [&'static str],
    calls: &'static [&'static str],
    why: &'static str,
}

const RULES: &[CallRule] = &[CallRule {
    places: &[
        "webhook-registry/src",
        "webhook-registry/cli/src",
        "webhook-testkit/src/simulation",
        "webhook-testkit/src/simulation.rs",
        "webhook-testkit/src/world.rs",
        "webhook-testkit/src/world",
    ],
    calls: &["enqueue", "release", "reserve"],
    why: "events are published in one place, webhook-core/src/engine/publish.rs",
}];

pub(super) fn check() -> Result<Vec<Broken>, Failure> {
    let mut broken = Vec::new();
    for rule in RULES {
        for place in rule.places {
            for (file, text) in rust_sources(place)? {
                broken.extend(calls(&text, rule.calls).into_iter().map(|(line, call)| {
                    let file = format!("{place}/{file}:{line}");
                    Broken::new(format!("a call of `{call}`"), file, rule.why)
                }));
            }
        }
    }
    Ok(broken)
}

/// Lines with a call or a definition of one of these functions, in code.
fn calls<'t>(text: &'t str, names: &[&str]) -> Vec<(usize, &'t str)> {
    let (lines, tokens) = (Lines::new(text), tokens(text));
    let calls = tokens.windows(2).filter_map(|pair| match *pair {
        [name, "("] if names.contains(&name) => Some((lines.of(name), name)),
        _ => None,
    });
    calls.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_calls_and_definitions_in_code_are_found() {
        let text = "store.enqueue(batch);\n// enqueue(batch)\nlet enqueued = enqueue_all(1);\n\
                    fn release(&self) {}\nEnqueue::new(); x.reserve\n";
        assert_eq!(
            calls(text, &["enqueue", "release", "reserve"]),
            [(1, "enqueue"), (4, "release")]
        );
    }
}
