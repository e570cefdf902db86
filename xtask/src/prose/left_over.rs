//! Names that had a plainer or a standard replacement, and must not come back.

use super::items::ItemKind;

/// Rows of kind, name, prefix of the paths at which the name has the old meaning, and replacement.
const LEFT_OVERS: &str = include_str!("left_over.tsv");

/// Replacement of a name that is left over in this file.
pub(super) fn replacement(kind: ItemKind, name: &str, path: &str) -> Option<&'static str> {
    LEFT_OVERS.lines().find_map(|row| {
        let mut cells = row.split('\t');
        let is_old = cells.next() == Some(kind.word()) && cells.next() == Some(name);
        let place = cells.next().filter(|_| is_old)?;
        cells.next().filter(|_| place == "." || path.starts_with(place))
    })
}

/// Constants are named by subject and unit; these name neither.
pub(super) const VAGUE_CONSTANTS: [&str; 11] =
    ["SOON", "MUCH", "AGAIN", "QUIET", "SHORT", "MOST", "FAR", "MANY", "SOME", "LONG", "PATIENCE"];
