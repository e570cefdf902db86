//! What was measured: a table for people, JSON for programs, and whether each goal is met.

use std::{fmt::Write as _, path::Path};

use serde::Serialize;

use crate::Failure;

/// All figures of a call.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Report {
    /// Whether it is only to be seen that measuring works: then nothing is judged.
    short: bool,
    pub(crate) tables: Vec<Table>,
    pub(crate) goals: Vec<Goal>,
}

/// Figures side by side.
#[derive(Debug, Serialize)]
pub(crate) struct Table {
    pub(crate) title: String,
    pub(crate) columns: Vec<String>,
    /// Each with its name.
    pub(crate) rows: Vec<(String, Vec<f64>)>,
}

/// A figure, and what it has to be.
#[derive(Debug, Serialize)]
pub(crate) struct Goal {
    pub(crate) what: String,
    pub(crate) figure: f64,
    pub(crate) wanted: f64,
    /// Whether it has to be at least that, or at most.
    pub(crate) at_least: bool,
    pub(crate) holds: bool,
}

impl Goal {
    pub(crate) fn at_least(what: impl Into<String>, figure: f64, wanted: f64) -> Self {
        Self { what: what.into(), figure, wanted, at_least: true, holds: figure >= wanted }
    }

    pub(crate) fn at_most(what: impl Into<String>, figure: f64, wanted: f64) -> Self {
        Self { what: what.into(), figure, wanted, at_least: false, holds: figure <= wanted }
    }
}

impl Table {
    pub(crate) fn new(title: impl Into<String>, columns: &[&str]) -> Self {
        let columns = columns.iter().map(|column| (*column).to_owned()).collect();
        Self { title: title.into(), columns, rows: Vec::new() }
    }

    pub(crate) fn row(&mut self, name: impl Into<String>, figures: &[f64]) {
        self.rows.push((name.into(), figures.to_vec()));
    }

    fn to_text(&self) -> String {
        let mut text = format!("\n{:<28}", self.title);
        for column in &self.columns {
            let _ = write!(text, " {column:>13}");
        }
        for (name, figures) in &self.rows {
            let _ = write!(text, "\n{name:<28}");
            for figure in figures {
                let _ = write!(text, " {:>13}", number(*figure));
            }
        }
        text + "\n"
    }
}

impl Report {
    /// Nothing yet; of a short call, nothing is judged.
    pub(crate) fn new(short: bool) -> Self {
        Self { short, ..Self::default() }
    }

    /// Adds a table, and shows it at once: a whole call takes minutes.
    pub(crate) fn add(&mut self, table: Table) {
        print!("{}", table.to_text());
        self.tables.push(table);
    }

    /// Adds a goal, and shows it.
    pub(crate) fn judge(&mut self, goal: Goal) {
        if self.short {
            return;
        }
        let (word, bound) = (
            if goal.holds { "ok" } else { "MISSED" },
            if goal.at_least { "at least" } else { "at most" },
        );
        println!(
            "  {:<58} {:>9}  {bound} {}  {word}",
            goal.what,
            number(goal.figure),
            number(goal.wanted)
        );
        self.goals.push(goal);
    }

    pub(crate) fn all_hold(&self) -> bool {
        self.goals.iter().all(|goal| goal.holds)
    }

    pub(crate) fn write(&self, path: &Path) -> Result<(), Failure> {
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder)?;
        }
        Ok(std::fs::write(path, serde_json::to_string_pretty(self)?)?)
    }
}

/// Three digits that say something.
fn number(value: f64) -> String {
    match value.abs() {
        size if size >= 1000.0 => {
            let digits = format!("{value:.0}");
            let (head, tail) = digits.split_at(digits.len() - 3);
            format!("{head},{tail}")
        }
        size if size >= 100.0 => format!("{value:.0}"),
        size if size >= 10.0 => format!("{value:.1}"),
        size if size >= 0.0995 || size == 0.0 => format!("{value:.2}"),
        _ => format!("{value:.4}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_have_three_digits_that_say_something() {
        for (value, told) in [
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
}
