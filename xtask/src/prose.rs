//! Names and language of code, documentation and messages.
//!
//! `left_over`, `patterns` and `bounds` are the tables to read; the other modules are functions of
//! text. Rules about language hold for the files of [`LIST`], which only grows.

mod bounds;
mod items;
mod language;
mod left_over;
mod names;
mod passages;
mod patterns;
mod report;
mod roots;
mod workspace;

use std::fs;

use patterns::Patterns;
use report::{Findings, failures};
use workspace::Workspace;

use crate::{run::Failure, step::StepReport};

/// Paths of files, and prefixes of paths, that are held to the rules about language.
const LIST: &str = "xtask/prose-files.txt";

/// Prints counts of all files too.
const ALL_FILES: &str = "--all";

/// Checks names and language. `args` are `--all`, or prefixes of paths whose text is printed with
/// every warning.
pub(crate) fn check(args: &[&str]) -> Result<StepReport, Failure> {
    let list = fs::read_to_string(LIST)
        .map_err(|error| Failure::Found(format!("cannot read {LIST}: {error}")))?;
    let patterns = Patterns::new().map_err(Failure::Found)?;
    let workspace = Workspace::read()?;
    let findings = Findings::new(&workspace, &list, &patterns);
    if args.contains(&ALL_FILES) {
        print!("{}", report::all(&findings, &workspace, &patterns));
    } else if !args.is_empty() {
        print!("{}", report::texts(&workspace, args, &patterns));
    }
    let failures = failures(&findings);
    if failures.is_empty() {
        return Ok(StepReport::new(findings.summary()));
    }
    Err(Failure::Found(format!("{} faults\n  {}", failures.len(), failures.join("\n  "))))
}
