//! Results on standard output: tables for people, one JSON object per line for programs.

use std::io::{self, ErrorKind, Write as _};

use serde::Serialize;

use crate::{error::Error, escape::harmless};

/// How results are shown.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Output {
    /// As JSON.
    pub(crate) json: bool,
}

/// A result by itself.
pub(crate) trait View: Serialize {
    /// For people; several lines are welcome.
    fn text(&self) -> String;
}

/// A result in a table.
pub(crate) trait Row: Serialize {
    /// The titles of the columns.
    const HEAD: &'static [&'static str];

    /// Its cells, in their order.
    fn cells(&self) -> Vec<String>;
}

impl Output {
    /// Shows one result.
    pub(crate) fn show(self, view: &impl View) -> Result<(), Error> {
        if self.json { print_json(view) } else { print(&format!("{}\n", view.text())) }
    }

    /// Shows a list of results.
    pub(crate) fn list<R: Row>(self, rows: &[R]) -> Result<(), Error> {
        if self.json { rows.iter().try_for_each(print_json) } else { print(&table(rows)) }
    }

    /// Prints a message for people; with `--json` nothing.
    pub(crate) fn message(self, line: &str) -> Result<(), Error> {
        if self.json { Ok(()) } else { print(&format!("{line}\n")) }
    }
}

fn print_json(value: &impl Serialize) -> Result<(), Error> {
    let line = serde_json::to_string(value).map_err(|error| Error::Stdout(error.into()))?;
    print(&format!("{line}\n"))
}

/// Writes at once. A reader that has seen enough (`| head`) is no reason to stop the work.
fn print(text: &str) -> Result<(), Error> {
    let mut stdout = io::stdout().lock();
    match stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(Error::Stdout(error)),
        _ => Ok(()),
    }
}

/// Columns as wide as their widest cell.
pub(crate) fn table<R: Row>(rows: &[R]) -> String {
    let cells = |row: &R| row.cells().iter().map(|cell| harmless(cell)).collect();
    let mut lines: Vec<Vec<String>> = vec![R::HEAD.iter().map(ToString::to_string).collect()];
    lines.extend(rows.iter().map(cells));
    let mut widths = vec![0; R::HEAD.len()];
    for line in &lines {
        for (width, cell) in widths.iter_mut().zip(line) {
            *width = cell.chars().count().max(*width);
        }
    }
    lines.iter().map(|line| aligned(line, &widths)).collect()
}

fn aligned(line: &[String], widths: &[usize]) -> String {
    let cells = line.iter().zip(widths);
    let padded: Vec<_> = cells.map(|(cell, &width)| format!("{cell:width$}")).collect();
    format!("{}\n", padded.join("  ").trim_end())
}

/// Lines of a name and what it is.
pub(crate) fn fields<'a>(pairs: impl IntoIterator<Item = (&'a str, String)>) -> String {
    let line = |(name, value): (&str, String)| format!("{name:<13}{}", harmless(&value));
    pairs.into_iter().map(line).collect::<Vec<_>>().join("\n")
}

/// Something that may be missing, in a cell.
pub(crate) fn or_dash(text: Option<impl ToString>) -> String {
    text.map_or_else(|| "-".to_owned(), |text| text.to_string())
}

#[cfg(test)]
mod tests {
    use webhook_registry::Timestamp;

    use super::*;

    #[derive(Serialize)]
    struct Pair(&'static str, &'static str);

    impl Row for Pair {
        const HEAD: &'static [&'static str] = &["NAME", "VALUE"];

        fn cells(&self) -> Vec<String> {
            vec![self.0.to_owned(), self.1.to_owned()]
        }
    }

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let rows = [Pair("a", "1"), Pair("größer", "2\n3")];
        assert_eq!(table(&rows), "NAME    VALUE\na       1\ngrößer  2\\n3\n");
    }

    #[test]
    fn times_are_written_as_they_can_be_read() {
        for hours in 0..200_000 {
            let at = Timestamp::from_unix_millis(hours * 3_600_123);
            assert_eq!(crate::values::moment(&at.to_string()), Ok(at));
        }
    }
}
