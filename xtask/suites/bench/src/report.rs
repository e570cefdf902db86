//! What was measured: a table for people, JSON for programs, and whether each goal is met.

mod markdown;

use std::{fmt::Write as _, fs, path::Path, time::Duration};

use serde::Serialize;

use crate::{Failure, child::Build, cost::Cost, latency::Latency, machine::Machine};

/// All figures of a call.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    /// Whether it is only to be seen that measuring works: then nothing is judged.
    short: bool,
    machine: Machine,
    tables: Vec<Table>,
    goals: Vec<Goal>,
    /// What could not be measured here, and why.
    left_out: Vec<String>,
    /// Which parts ended before they were measured, and why.
    broken: Vec<String>,
    /// How long each part took, in seconds.
    parts: Vec<(String, f64)>,
}

/// Figures side by side.
#[derive(Debug, Serialize)]
pub(crate) struct Table {
    title: String,
    columns: Vec<String>,
    /// Each with its name.
    rows: Vec<(String, Vec<f64>)>,
}

/// A figure, and what it has to be.
#[derive(Debug, Serialize)]
struct Goal {
    what: String,
    figure: f64,
    wanted: f64,
    /// Whether it has to be at least that, or at most.
    at_least: bool,
    holds: bool,
}

impl Goal {
    fn at_least(what: impl Into<String>, figure: f64, wanted: f64) -> Self {
        Self { what: what.into(), figure, wanted, at_least: true, holds: figure >= wanted }
    }

    fn at_most(what: impl Into<String>, figure: f64, wanted: f64) -> Self {
        Self { what: what.into(), figure, wanted, at_least: false, holds: figure <= wanted }
    }

    /// What is wanted, in words.
    fn bound(&self) -> String {
        let words = if self.at_least { "at least" } else { "at most" };
        format!("{words} {}", number(self.wanted))
    }
}

impl Table {
    pub(crate) fn new(title: impl Into<String>, columns: &[&str]) -> Self {
        let columns = columns.iter().map(|column| (*column).to_owned()).collect();
        Self { title: title.into(), columns, rows: Vec::new() }
    }

    /// One of latencies, each a [`latency`](Self::latency).
    pub(crate) fn of_latencies(title: impl Into<String>) -> Self {
        Self::new(title, &["count", "p50 ms", "p99 ms", "max ms"])
    }

    pub(crate) fn row(&mut self, name: impl Into<String>, figures: &[f64]) {
        self.rows.push((name.into(), figures.to_vec()));
    }

    pub(crate) fn latency(&mut self, name: impl Into<String>, it: &Latency) {
        self.row(name, &[it.count as f64, ms(it.p50), ms(it.p99), ms(it.max)]);
    }

    fn to_text(&self) -> String {
        let mut text = format!("\n{:<44}", self.title);
        for column in &self.columns {
            let _ = write!(text, " {column:>13}");
        }
        for (name, figures) in &self.rows {
            let _ = write!(text, "\n{name:<44}");
            for figure in figures {
                let _ = write!(text, " {:>13}", number(*figure));
            }
        }
        text + "\n"
    }
}

impl Report {
    /// Nothing yet; of a short call, nothing is judged.
    pub(crate) fn new(machine: Machine, short: bool) -> Self {
        let (tables, goals, left_out, broken, parts) = Default::default();
        Self { short, machine, tables, goals, left_out, broken, parts }
    }

    /// Adds a table, and shows it at once: a whole call takes minutes.
    pub(crate) fn add(&mut self, table: Table) {
        print!("{}", table.to_text());
        self.tables.push(table);
    }

    /// Whether allocations can be counted; says so if not.
    pub(crate) fn can_count(&mut self) -> bool {
        let can = Build::Counting.is_there();
        if !can {
            self.leave_out("allocations: the program that counts them is not built");
        }
        can
    }

    /// Adds a table of what each allocates.
    pub(crate) fn add_allocations(&mut self, title: &str, costs: &[(&str, Cost)]) {
        let mut table = Table::new(title, &["allocations", "KiB allocated"]);
        for (name, cost) in costs {
            table.row(*name, &cost.allocations_each());
        }
        self.add(table);
    }

    /// Adds a figure that must be at least this, and shows it.
    pub(crate) fn at_least(&mut self, what: impl Into<String>, figure: f64, wanted: f64) {
        self.judge(Goal::at_least(what, figure, wanted));
    }

    /// Adds a figure that must be at most this, and shows it.
    pub(crate) fn at_most(&mut self, what: impl Into<String>, figure: f64, wanted: f64) {
        self.judge(Goal::at_most(what, figure, wanted));
    }

    fn judge(&mut self, goal: Goal) {
        if self.short {
            return;
        }
        let word = if goal.holds { "ok" } else { "MISSED" };
        println!("  {:<62} {:>9}  {:<16} {word}", goal.what, number(goal.figure), goal.bound());
        self.goals.push(goal);
    }

    /// Says that something is not measured here.
    pub(crate) fn leave_out(&mut self, what: impl Into<String>) {
        let what = what.into();
        println!("left out: {what}");
        self.left_out.push(what);
    }

    /// Says that a part could not be measured to its end; the others go on.
    pub(crate) fn broke(&mut self, what: String) {
        println!("BROKEN {what}");
        self.broken.push(what);
    }

    /// Notes how long a part took.
    pub(crate) fn part(&mut self, name: &str, took: Duration) {
        self.parts.push((name.to_owned(), took.as_secs_f64()));
    }

    /// Shows what it came to.
    pub(crate) fn sum_up(&self) {
        let parts = self.parts.iter().map(|(name, took)| format!("{name} {took:.0} s"));
        println!("\ntook: {}", parts.collect::<Vec<_>>().join(", "));
        let missed: Vec<_> = self.goals.iter().filter(|goal| !goal.holds).collect();
        println!("{} of {} goals hold", self.goals.len() - missed.len(), self.goals.len());
        for what in &self.broken {
            println!("  BROKEN {what}");
        }
        for goal in missed {
            println!("  MISSED {}: {}, {}", goal.what, number(goal.figure), goal.bound());
        }
    }

    /// Whether every part came to its end.
    pub(crate) fn is_whole(&self) -> bool {
        self.broken.is_empty()
    }

    pub(crate) fn all_hold(&self) -> bool {
        self.goals.iter().all(|goal| goal.holds)
    }

    /// Writes it for programs.
    pub(crate) fn write_json(&self, path: &Path) -> Result<(), Failure> {
        write(path, &serde_json::to_string_pretty(self)?)
    }

    /// Writes the goals for people to read.
    pub(crate) fn write_markdown(&self, path: &Path) -> Result<(), Failure> {
        write(path, &markdown::of(&self.machine, &self.goals))
    }
}

fn write(path: &Path, text: &str) -> Result<(), Failure> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    Ok(fs::write(path, text)?)
}

/// In milliseconds.
pub(crate) const fn ms(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

/// Three digits that say something.
fn number(value: f64) -> String {
    match value.abs() {
        size if size >= 1000.0 => grouped(&format!("{value:.0}")),
        size if size >= 100.0 => format!("{value:.0}"),
        size if size >= 10.0 => format!("{value:.1}"),
        size if size >= 0.0995 || size == 0.0 => format!("{value:.2}"),
        _ => format!("{value:.4}"),
    }
}

/// With a comma after every third digit from the end.
fn grouped(digits: &str) -> String {
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_have_three_digits_that_say_something() {
        for (value, told) in [
            (5_084_512.4, "5,084,512"),
            (84_512.4, "84,512"),
            (123.4, "123"),
            (12.34, "12.3"),
            (1.234, "1.23"),
            (0.1, "0.10"),
            (0.0123, "0.0123"),
            (0.0, "0.00"),
        ] {
            assert_eq!(number(value), told);
        }
    }

    #[test]
    fn a_goal_holds_or_is_missed() {
        assert!(Goal::at_least("rate", 0.9, 0.9).holds && Goal::at_most("time", 1.0, 1.5).holds);
        assert!(!Goal::at_least("rate", 0.8, 0.9).holds && !Goal::at_most("time", 2.0, 1.5).holds);
    }

    #[test]
    fn a_report_is_written_for_programs_and_for_people() {
        let folder = tempfile::tempdir().unwrap();
        let mut report = Report::new(Machine::default(), false);
        report.at_least("rate", 1.0, 0.5);
        report.write_json(&folder.path().join("deep/report.json")).unwrap();
        report.write_markdown(&folder.path().join("goals.md")).unwrap();
        for written in ["deep/report.json", "goals.md"] {
            let text = fs::read_to_string(folder.path().join(written)).unwrap();
            assert!(text.contains("rate"), "{written}");
        }
    }
}
