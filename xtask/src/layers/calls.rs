//! Calls that only the engine may make.

use std::{fs, path::Path};

use super::Broken;
use crate::run::Failure;

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
            for file in files(Path::new(place))? {
                let text = fs::read_to_string(&file).map_err(|error| unread(&file, &error))?;
                broken.extend(calls(&text, rule.calls).map(|(line, call)| {
                    Broken::new(
                        format!("a call of `{call}`"),
                        format!("{}:{line}", file.display()),
                        rule.why,
                    )
                }));
            }
        }
    }
    Ok(broken)
}

/// Lines with a call or a definition of one of these functions; comments do not count.
fn calls<'t>(
    text: &'t str,
    names: &'static [&'static str],
) -> impl Iterator<Item = (usize, &'static str)> + 't {
    (1..).zip(text.lines()).flat_map(move |(number, line)| {
        let code = line.split("//").next().unwrap_or_default();
        let calls = names.iter().filter(move |name| {
            let mut at = code.match_indices(**name);
            at.any(|(start, _)| {
                let before = code[..start].chars().next_back();
                let after = code[start + name.len()..].chars().next();
                before.is_none_or(|c| !c.is_alphanumeric() && c != '_') && after == Some('(')
            })
        });
        calls.map(move |name| (number, *name))
    })
}

fn files(place: &Path) -> Result<Vec<std::path::PathBuf>, Failure> {
    if !place.exists() {
        return Ok(Vec::new());
    }
    if place.is_file() {
        return Ok(vec![place.to_owned()]);
    }
    let mut found = Vec::new();
    for entry in fs::read_dir(place).map_err(|error| unread(place, &error))? {
        let path = entry.map_err(|error| unread(place, &error))?.path();
        if path.is_dir() || path.extension().is_some_and(|extension| extension == "rs") {
            found.extend(files(&path)?);
        }
    }
    found.sort();
    Ok(found)
}

fn unread(place: &Path, error: &std::io::Error) -> Failure {
    Failure::Found(format!("cannot read {}: {error}", place.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_calls_and_definitions_in_code_are_found() {
        let text = "store.enqueue(batch);\n// enqueue(batch)\nlet enqueued = enqueue_all(1);\n\
                    fn release(&self) {}\nEnqueue::new(); x.reserve\n";
        let found: Vec<_> = calls(text, &["enqueue", "release", "reserve"]).collect();
        assert_eq!(found, [(1, "enqueue"), (4, "release")]);
    }
}
