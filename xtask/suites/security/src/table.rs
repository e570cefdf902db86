//! The table: read, held against what was seen, and written again.

use std::collections::BTreeMap;

use crate::{
    case::{Case, Seen},
    ids::{self, Id},
};

/// Where it stands, from the root of the workspace.
pub(crate) const PATH: &str = "docs/security-cases.md";

/// A row: `| A1 | input | result | result without the guard |`, the last for sections A to C.
fn row(line: &str) -> Option<Case> {
    let cells: Vec<&str> = line.strip_prefix("| ")?.strip_suffix(" |")?.split(" | ").collect();
    let (&[id, inputs, guarded], rest) = cells.split_first_chunk()?;
    let expected = match rest {
        [] => Seen::from(guarded.trim().to_owned()),
        [unguarded] => Seen::new(guarded.trim(), unguarded.trim()),
        _ => return None,
    };
    Some(Case { id: id.trim().parse().ok()?, inputs: spans(inputs), expected })
}

/// What stands between backticks. Two of them enclose what has one.
fn spans(cell: &str) -> Vec<String> {
    cell.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

/// The cases of `text` that are wanted, by their ids.
///
/// # Errors
///
/// A line for each id that has no row, or two.
pub(crate) fn read(text: &str, wanted: impl Fn(Id) -> bool) -> Result<BTreeMap<Id, Case>, String> {
    let mut cases = BTreeMap::new();
    let mut wrong = Vec::new();
    for case in text.lines().filter_map(row) {
        let id = case.id;
        if cases.insert(id, case).is_some() {
            wrong.push(format!("{id}: has two rows"));
        }
    }
    wrong.extend(
        ids::all()
            .filter(|id| wanted(*id) && !cases.contains_key(id))
            .map(|id| format!("{id}: has no row")),
    );
    let known: Vec<Id> = ids::all().collect();
    wrong.extend(
        cases.keys().filter(|id| !known.contains(id)).map(|id| format!("{id}: is no case")),
    );
    cases.retain(|id, _| wanted(*id));
    if wrong.is_empty() { Ok(cases) } else { Err(wrong.join("\n")) }
}

/// `text` with what was seen in its rows.
pub(crate) fn write(text: &str, seen: &BTreeMap<Id, Seen>) -> String {
    let line = |line: &str| {
        let Some(seen) = row(line).and_then(|case| seen.get(&case.id)) else {
            return line.to_owned();
        };
        let input = line.split(" | ").take(2).collect::<Vec<_>>().join(" | ");
        format!("{input} | {} |", seen.cells().collect::<Vec<_>>().join(" | "))
    };
    text.lines().map(line).collect::<Vec<_>>().join("\n") + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_is_read_and_written_again() {
        let line = r"| A1 | `http://a` and `b\|c` | refused | reached |";
        let case = row(line).unwrap();
        assert_eq!(case.id.to_string(), "A1");
        assert_eq!(case.inputs, ["http://a", r"b\|c"]);
        let seen = BTreeMap::from([(case.id, Seen::new("no", "yes"))]);
        assert_eq!(write(line, &seen), "| A1 | `http://a` and `b\\|c` | no | yes |\n");
        let line = "| D1 | `a` | refused |";
        let seen = BTreeMap::from([(row(line).unwrap().id, Seen::from("no".to_owned()))]);
        assert_eq!(write(line, &seen), "| D1 | `a` | no |\n");
        assert!(row("| id | input | with | without |").is_none());
    }

    #[test]
    fn an_id_without_a_row_is_told() {
        let outcome_text =
            read("| A1 | `x` | a | b |\n| A1 | `x` | a | b |\n| A99 | `x` | a | b |", |_| true)
                .unwrap_err();
        for line in ["A1: has two rows", "A2: has no row", "J6: has no row", "A99: is no case"] {
            assert!(
                outcome_text.lines().any(|outcome_text| outcome_text == line),
                "{line}: {outcome_text}"
            );
        }
    }
}
