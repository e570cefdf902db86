//! The goals as a table of Markdown, to be pasted where people read.

use std::fmt::Write as _;

use super::{Goal, number};
use crate::machine::Machine;

pub(super) fn of(machine: &Machine, goals: &[Goal]) -> String {
    let mut text = format!("Measured on {machine}.\n\n");
    text.push_str("| goal | figure | wanted | holds |\n|---|---|---|---|\n");
    for goal in goals {
        let holds = if goal.holds { "yes" } else { "**no**" };
        let what = goal.what.replace('|', "\\|");
        let _ = writeln!(text, "| {what} | {} | {} | {holds} |", number(goal.figure), goal.bound());
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_goal_is_a_row() {
        let goals =
            [Goal::at_least("rate | a second", 12_345.0, 0.5), Goal::at_most("p99", 7.0, 5.0)];
        let text = of(&Machine::default(), &goals);
        let rows: Vec<_> = text.lines().skip(4).collect();
        let expected = [
            "| rate \\| a second | 12,345 | at least 0.50 | yes |",
            "| p99 | 7.00 | at most 5.00 | **no** |",
        ];
        assert_eq!(rows, expected);
    }
}
