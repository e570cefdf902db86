//! `ARCHITECTURE.md` names the test that would notice a broken promise: that test has to be there.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use super::{Broken, rules::ARROWS};
use crate::run::Failure;

const HEADING: &str = "## What was promised at the beginning";

/// The sources of all crates, one after the other.
pub(super) fn look() -> Result<String, Failure> {
    let mut sources = String::new();
    for known in ARROWS {
        collect(Path::new(known.package), &mut sources)
            .map_err(|error| Failure::Found(format!("the sources cannot be read: {error}")))?;
    }
    Ok(sources)
}

fn collect(folder: &Path, sources: &mut String) -> io::Result<()> {
    let mut open = vec![PathBuf::from(folder)];
    while let Some(path) = open.pop() {
        if path.is_dir() {
            for entry in fs::read_dir(path)? {
                open.push(entry?.path());
            }
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            sources.push_str(&fs::read_to_string(path)?);
        }
    }
    Ok(())
}

pub(super) fn check(document: &str, sources: &str) -> Vec<Broken> {
    let missing = tests(document).filter(|test| !sources.contains(&format!("fn {test}(")));
    missing
        .map(|test| {
            let place = format!("ARCHITECTURE.md, {}", HEADING.trim_start_matches("## "));
            Broken::new(format!("no test `{test}`"), place, "a promise without its test is a claim")
        })
        .collect()
}

/// The tests in the last column of the table: what stands in backticks and is no path.
fn tests(document: &str) -> impl Iterator<Item = &str> {
    let rows = document.lines().skip_while(|line| *line != HEADING).skip(1);
    rows.take_while(|line| !line.starts_with("## "))
        .filter_map(|line| line.trim_end().strip_suffix('|')?.rsplit('|').next())
        .flat_map(|cell| cell.split('`').skip(1).step_by(2))
        .filter(|name| !name.contains(['.', '/']))
}

#[cfg(test)]
mod test {
    use super::*;

    #[test]
    fn a_test_that_is_not_there_is_named() {
        let document = "| `a` | `b` | `before` |\n## What was promised at the beginning\n\
            | promise | type | test |\n|---|---|---|\n\
            | one | `Type` | `retry.rs`: `is_there`, `is_gone` |\n| two | `Other` | to come |\n\
            ## Then\n| `c` | `d` | `after` |\n";
        let said = check(document, "fn is_there() {}\nfn is_gone_as_well() {}");
        let said: Vec<_> = said.into_iter().map(|broken| broken.what).collect();
        assert_eq!(said, ["no test `is_gone`"]);
    }
}
