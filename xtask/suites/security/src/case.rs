//! One row of the table.

use crate::ids::Id;

/// What comes in, and what should become of it.
#[derive(Debug)]
pub(crate) struct Case {
    pub(crate) id: Id,
    /// As they are spelled; each comes to the same.
    pub(crate) inputs: Vec<String>,
    pub(crate) expected: Seen,
}

/// What became of an input, in words.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Seen {
    pub(crate) guarded: String,
    pub(crate) unguarded: String,
}

impl Seen {
    pub(crate) fn new(guarded: impl Into<String>, unguarded: impl Into<String>) -> Self {
        Self { guarded: guarded.into(), unguarded: unguarded.into() }
    }

    /// What is wrong, if it should have been `expected`.
    pub(crate) fn complaint(&self, expected: &Self) -> Option<String> {
        if self.guarded == self.unguarded {
            return Some(format!(
                "comes to `{}` without the guard as well: it proves nothing",
                self.guarded
            ));
        }
        let parts = [
            ("with", &self.guarded, &expected.guarded),
            ("without", &self.unguarded, &expected.unguarded),
        ];
        let wrong = parts.into_iter().find(|(_, seen, expected)| seen != expected)?;
        let (how, seen, expected) = wrong;
        Some(format!("{how} the guard it comes to `{seen}`, not to `{expected}`"))
    }
}

/// What became of several inputs, each thing said once.
pub(crate) fn together(seen: Vec<Seen>) -> Seen {
    let join = |part: fn(&Seen) -> &String| {
        let mut outcome_text: Vec<&str> = Vec::new();
        for one in &seen {
            if !outcome_text.contains(&part(one).as_str()) {
                outcome_text.push(part(one));
            }
        }
        outcome_text.join("; ")
    };
    Seen { guarded: join(|seen| &seen.guarded), unguarded: join(|seen| &seen.unguarded) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_that_comes_to_the_same_without_the_guard_fails_and_so_does_one_that_comes_to_else() {
        let expected = Seen::new("refused", "reached");
        assert_eq!(expected.complaint(&expected), None);
        for (guarded, unguarded, outcome_text) in [
            ("refused", "refused", "proves nothing"),
            ("reached", "reached", "proves nothing"),
            ("refused: other", "reached", "with the guard"),
            ("refused", "let through", "without the guard"),
        ] {
            let complaint = Seen::new(guarded, unguarded).complaint(&expected);
            assert!(
                complaint.is_some_and(|complaint| complaint.contains(outcome_text)),
                "{guarded}"
            );
        }
        let same = Seen::new("refused", "refused");
        assert!(same.complaint(&same).is_some(), "whatever the table says");
    }
}
