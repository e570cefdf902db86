//! Table of the searches.

use super::target::Search;

/// A line for each target, then instructions for each finding.
pub(super) fn of(found: &[Search]) -> String {
    let mut text = line(["target", "seconds", "runs", "runs/s", "corpus", "findings"]);
    for one in found {
        let rate = one.runs / one.seconds.max(1);
        let findings = usize::from(one.finding.is_some());
        text += &line([
            &one.name,
            &one.seconds.to_string(),
            &one.runs.to_string(),
            &rate.to_string(),
            &one.corpus.to_string(),
            &findings.to_string(),
        ]);
    }
    for (name, finding) in found.iter().filter_map(|one| Some((&one.name, one.finding.as_ref()?))) {
        text += &format!("\n{name}: reproduce it with\n  {finding}\n");
        text +=
            &format!("then keep the input in xtask/suites/fuzz/corpus/{name}, under a new name\n");
    }
    text
}

fn line([target, numbers @ ..]: [&str; 6]) -> String {
    let numbers: String = numbers.iter().map(|number| format!("{number:>12}")).collect();
    format!("{target:<14}{numbers}\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn findings_are_named_below_the_numbers() {
        let calm = Search { name: "url".into(), seconds: 10, runs: 1234, corpus: 5, finding: None };
        let broken =
            Search { name: "ndjson".into(), finding: Some("x y".into()), ..Search::default() };
        let table = of(&[calm, broken]);
        let lines: Vec<_> = table.lines().collect();
        assert_eq!(
            lines[1],
            "url                     10        1234         123           5           0"
        );
        assert!(lines[2].ends_with('1'), "{table}");
        assert!(table.contains("ndjson: reproduce it with\n  x y\n"), "{table}");
    }
}
