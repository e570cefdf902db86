//! Tests that `ARCHITECTURE.md` names for its promises must exist.

use super::Broken;

const HEADING: &str = "## Promises";

pub(super) fn check(document: &str, sources: &str) -> Vec<Broken> {
    let missing = tests(document).filter(|test| !sources.contains(&format!("fn {test}(")));
    missing
        .map(|test| {
            let place = format!("ARCHITECTURE.md, {}", HEADING.trim_start_matches("## "));
            Broken::new(format!("no test `{test}`"), place, "a promise without its test is a claim")
        })
        .collect()
}

/// Tests in the last column of the table: names in backticks that are not paths.
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
    fn a_missing_test_is_named() {
        let document = "| `a` | `b` | `before` |\n## Promises\n\
            | promise | type | test |\n|---|---|---|\n\
            | one | `Type` | `retry.rs`: `is_there`, `is_gone` |\n| two | `Other` | to come |\n\
            ## Then\n| `c` | `d` | `after` |\n";
        let broken = check(document, "fn is_there() {}\nfn is_gone_as_well() {}");
        let broken: Vec<_> = broken.into_iter().map(|broken| broken.what).collect();
        assert_eq!(broken, ["no test `is_gone`"]);
    }
}
