//! How much of webhook-core do its own tests run?
//!
//! By cargo-llvm-cov: lines, of the unit tests and those in `webhook-core/tests`, and of no other crate.
//! Examples in the documentation are not counted, since only a nightly compiler could. Test code is no
//! line to be covered: what stands in a module under `#[cfg(test)]` is left out.

use std::{fs, path::Path};

use crate::{
    run::{Failure, cargo, read, run},
    step::{Step, StepReport},
};

/// Not among all the steps: it builds everything a second time.
pub(crate) const STEP: Step = Step::new("coverage", |_| check());

/// The least, in percent, of all files together. Those below it are listed.
const LEAST: usize = 95;

const REPORT: &str = "target/coverage.lcov";

fn check() -> Result<StepReport, Failure> {
    have("llvm-cov")?;
    run(std::process::Command::new("rustup").args(["component", "add", "llvm-tools"]))?;
    let what = ["llvm-cov", "--package", "webhook-core", "--lcov", "--output-path", REPORT];
    run(&mut cargo(what))?;
    let files = lines_of(&text(Path::new(REPORT))?)?;
    let all = files.iter().fold(Lines::default(), |all, (_, lines)| all.and(lines));
    for (name, lines) in files.iter().filter(|(_, lines)| !lines.enough()) {
        println!("{:>6} %  {name}, without lines {:?}", lines.percent(), lines.missed);
    }
    let Lines { run, missed } = &all;
    let count = run + missed.len();
    let said = format!("{} % of {count} lines of webhook-core, by its own tests", all.percent());
    let enough = all.enough() && count > 0;
    if enough { Ok(StepReport::new(said)) } else { Err(Failure::Found(said)) }
}

/// Installs `cargo-<tool>` if it is not there.
pub(crate) fn have(tool: &str) -> Result<(), Failure> {
    if read(&mut cargo([tool, "--version"])).is_ok() {
        return Ok(());
    }
    run(&mut cargo(["install", &format!("cargo-{tool}"), "--locked"]))
}

/// What a file holds.
pub(crate) fn text(path: &Path) -> Result<String, Failure> {
    let unread = |error| Failure::Found(format!("cannot read {}: {error}", path.display()));
    fs::read_to_string(path).map_err(unread)
}

/// The lines of a file that can be run.
#[derive(Debug, Default, Eq, PartialEq)]
struct Lines {
    /// How many were.
    run: usize,
    /// The numbers of those that were not.
    missed: Vec<usize>,
}

impl Lines {
    /// Takes a line that was run so often.
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

    fn enough(&self) -> bool {
        self.run * 100 >= (self.run + self.missed.len()) * LEAST
    }

    /// Never rounded up: what is not enough does not look like it.
    fn percent(&self) -> String {
        let tenths = self.run * 1000 / (self.run + self.missed.len()).max(1);
        format!("{}.{}", tenths / 10, tenths % 10)
    }
}

/// Reads a report: of each file of webhook-core, the lines that are no tests. The least covered come
/// first.
///
/// `SF:<file>`, then `DA:<line>,<times run>` for each line, then `end_of_record`.
fn lines_of(report: &str) -> Result<Vec<(String, Lines)>, Failure> {
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

fn lines_in(record: &str, tests: &[usize]) -> Lines {
    let mut lines = Lines::default();
    for line in record.lines().filter_map(|line| line.strip_prefix("DA:")) {
        let Some((line, times)) = line.split_once(',') else { continue };
        let (Ok(line), Ok(times)) = (line.parse(), times.parse()) else { continue };
        if tests.binary_search(&line).is_err() {
            lines.take(line, times);
        }
    }
    lines
}

/// The numbers of the lines that stand in an item under `#[cfg(test)]`, as our formatter leaves them:
/// its last line is a brace of its own, or the declaration of a module.
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
    fn test_code_is_no_line_to_be_covered() {
        let source = "fn a() {}\n#[cfg(test)]\n#[path = \"b.rs\"]\nmod b;\nfn c() {}\n\
                      #[cfg(test)]\nmod tests {\n    fn d() {\n    }\n}\nfn e() {}\n";
        let tests = tests_in(source);
        assert_eq!(tests, [2, 3, 4, 6, 7, 8, 9, 10]);
        let record = "SF:x\nFN:1,a\nDA:1,2\nDA:5,0\nDA:8,1\nDA:9,0\nDA:11,1\nLF:5\n";
        assert_eq!(lines_in(record, &tests), Lines { run: 2, missed: vec![5] });
    }

    #[test]
    fn too_little_is_never_rounded_up() {
        let lines = |run, missed| Lines { run, missed: vec![0; missed] };
        assert!(lines(95, 5).enough() && lines(0, 0).enough());
        let short = lines(9499, 501);
        assert!(!short.enough());
        assert_eq!(short.percent(), "94.9");
        assert_eq!(lines(1, 0).percent(), "100.0");
    }
}
