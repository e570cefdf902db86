//! Lines of webhook-core that its own tests run, measured by cargo-llvm-cov.
//!
//! Unit tests and those in `webhook-core/tests` count, and tests of other crates do not. Examples
//! in the documentation do not count either, because only a nightly compiler can measure them.
//! Lines in modules under `#[cfg(test)]` are left out.

use std::{fs, path::Path};

use crate::{
    run::{Failure, cargo, read, run},
    step::{Step, StepReport},
};

/// Outside `ci`, because it builds all crates a second time.
pub(crate) const COVERAGE_STEP: Step = Step::new("coverage", |_| check());

/// Minimum for all files together, in percent. Files below it are listed.
const MIN_COVERED_PERCENT: usize = 95;

const COVERAGE_REPORT: &str = "target/coverage.lcov";

fn check() -> Result<StepReport, Failure> {
    have("llvm-cov")?;
    run(std::process::Command::new("rustup").args(["component", "add", "llvm-tools"]))?;
    let what =
        ["llvm-cov", "--package", "webhook-core", "--lcov", "--output-path", COVERAGE_REPORT];
    run(&mut cargo(what))?;
    let files = lines_of(&text(Path::new(COVERAGE_REPORT))?)?;
    let all = files.iter().fold(CoveredLines::default(), |all, (_, lines)| all.and(lines));
    for (name, lines) in files.iter().filter(|(_, lines)| !lines.is_enough()) {
        println!("{:>6} %  {name}, without lines {:?}", lines.percent(), lines.missed);
    }
    let CoveredLines { run, missed } = &all;
    let count = run + missed.len();
    let summary = format!("{} % of {count} lines of webhook-core, by its own tests", all.percent());
    let is_enough = all.is_enough() && count > 0;
    if is_enough { Ok(StepReport::new(summary)) } else { Err(Failure::Found(summary)) }
}

/// Installs `cargo-<tool>` if it is missing.
pub(crate) fn have(tool: &str) -> Result<(), Failure> {
    if read(&mut cargo([tool, "--version"])).is_ok() {
        return Ok(());
    }
    run(&mut cargo(["install", &format!("cargo-{tool}"), "--locked"]))
}

/// Returns the text of a file.
pub(crate) fn text(path: &Path) -> Result<String, Failure> {
    let unread = |error| Failure::Found(format!("cannot read {}: {error}", path.display()));
    fs::read_to_string(path).map_err(unread)
}

/// Executable lines of a file.
#[derive(Debug, Default, Eq, PartialEq)]
struct CoveredLines {
    /// Number of lines that ran.
    run: usize,
    /// Numbers of the lines that did not run.
    missed: Vec<usize>,
}

impl CoveredLines {
    /// Adds a line and the number of its runs.
    fn take(&mut self, line: usize, times: u64) {
        match times {
            0 => self.missed.push(line),
            _ => self.run += 1,
        }
    }

    fn and(mut self, other: &Self) -> Self {
        self.run += other.run;
        self.missed.extend(&other.missed);
        self
    }

    fn is_enough(&self) -> bool {
        self.run * 100 >= (self.run + self.missed.len()) * MIN_COVERED_PERCENT
    }

    /// Percentage, rounded down so that 94.99 does not read as 95.
    fn percent(&self) -> String {
        let tenths = self.run * 1000 / (self.run + self.missed.len()).max(1);
        format!("{}.{}", tenths / 10, tenths % 10)
    }
}

/// Reads the lines of each file of webhook-core from a report, least covered files first.
///
/// `SF:<file>`, then `DA:<line>,<times run>` for each line, then `end_of_record`.
fn lines_of(report: &str) -> Result<Vec<(String, CoveredLines)>, Failure> {
    let mut files = Vec::new();
    for record in report.split("end_of_record") {
        let path = record.lines().find_map(|line| line.strip_prefix("SF:"));
        let name = path.and_then(|path| path.split_once("webhook-core/src/"));
        let Some((path, (_, name))) = path.zip(name) else { continue };
        if name.ends_with("tests.rs") {
            continue;
        }
        files.push((name.to_owned(), lines_in(record, &tests_in(&text(Path::new(path))?))));
    }
    files.sort_by_key(|(_, lines)| lines.run * 1000 / (lines.run + lines.missed.len()).max(1));
    Ok(files)
}

fn lines_in(record: &str, tests: &[usize]) -> CoveredLines {
    let mut lines = CoveredLines::default();
    for line in record.lines().filter_map(|line| line.strip_prefix("DA:")) {
        let Some((line, times)) = line.split_once(',') else { continue };
        let (Ok(line), Ok(times)) = (line.parse(), times.parse()) else { continue };
        if tests.binary_search(&line).is_err() {
            lines.take(line, times);
        }
    }
    lines
}

/// Numbers of the lines in items under `#[cfg(test)]`.
///
/// In formatted code such an item ends with a single brace or the declaration of a module.
fn tests_in(source: &str) -> Vec<usize> {
    let mut tests = Vec::new();
    let mut inside = false;
    for (number, line) in (1..).zip(source.lines()) {
        inside |= line == "#[cfg(test)]";
        if inside {
            tests.push(number);
            inside = line != "}" && !(line.starts_with("mod ") && line.ends_with(';'));
        }
    }
    tests
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn test_code_does_not_count() {
        let source = "fn a() {}\n#[cfg(test)]\n#[path = \"b.rs\"]\nmod b;\nfn c() {}\n\
                      #[cfg(test)]\nmod tests {\n    fn d() {\n    }\n}\nfn e() {}\n";
        let tests = tests_in(source);
        assert_eq!(tests, [2, 3, 4, 6, 7, 8, 9, 10]);
        let record = "SF:x\nFN:1,a\nDA:1,2\nDA:5,0\nDA:8,1\nDA:9,0\nDA:11,1\nLF:5\n";
        assert_eq!(lines_in(record, &tests), CoveredLines { run: 2, missed: vec![5] });
    }

    #[test]
    fn a_percentage_is_never_rounded_up() {
        let lines = |run, missed| CoveredLines { run, missed: vec![0; missed] };
        assert!(lines(95, 5).is_enough() && lines(0, 0).is_enough());
        let short = lines(9499, 501);
        assert!(!short.is_enough());
        assert_eq!(short.percent(), "94.9");
        assert_eq!(lines(1, 0).percent(), "100.0");
    }
}
