//! One row of the table.

use crate::ids::Id;

/// An input, and its expected result.
#[derive(Debug)]
pub(crate) struct Case {
    pub(crate) id: Id,
    /// Spellings of one input, with one result.
    pub(crate) inputs: Vec<String>,
    pub(crate) expected: Seen,
}

/// Result of an input, in words.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Seen {
    pub(crate) guarded: String,
    /// Result without the guard, for sections A to C. Text for operators, for H9 and H10.
    pub(crate) unguarded: Option<String>,
}

impl From<String> for Seen {
    /// A result with the guard alone.
    fn from(guarded: String) -> Self {
        Self { guarded, unguarded: None }
    }
}

impl Seen {
    /// Results with the guard and without it.
    pub(crate) fn new(guarded: impl Into<String>, unguarded: impl Into<String>) -> Self {
        Self { guarded: guarded.into(), unguarded: Some(unguarded.into()) }
    }

    /// Returns the complaint if `expected` differs, or if the guard makes no difference.
    pub(crate) fn complaint(&self, expected: &Self) -> Option<String> {
        if self.unguarded.as_ref() == Some(&self.guarded) {
            let same = &self.guarded;
            return Some(format!("the result without the guard is `{same}` too: proves nothing"));
        }
        if self.guarded != expected.guarded {
            let (seen, expected) = (&self.guarded, &expected.guarded);
            return Some(format!("with the guard: `{seen}`, expected `{expected}`"));
        }
        let (seen, expected) = (&self.unguarded, &expected.unguarded);
        (seen != expected).then(|| format!("without the guard: {seen:?}, expected {expected:?}"))
    }

    /// Cells of the table.
    pub(crate) fn cells(&self) -> impl Iterator<Item = &str> {
        [Some(&self.guarded), self.unguarded.as_ref()].into_iter().flatten().map(String::as_str)
    }
}

/// Joins the results of several inputs, each result once.
pub(crate) fn together(seen: Vec<Seen>) -> Seen {
    let join = |parts: Vec<String>| {
        let mut unique: Vec<String> = Vec::new();
        for part in parts {
            if !unique.contains(&part) {
                unique.push(part);
            }
        }
        unique.join("; ")
    };
    let (guarded, unguarded) = seen.into_iter().map(|seen| (seen.guarded, seen.unguarded)).unzip();
    let unguarded: Option<Vec<String>> = Vec::into_iter(unguarded).collect();
    Seen { guarded: join(guarded), unguarded: unguarded.map(join) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unexpected_result_fails_and_so_does_a_guard_without_effect() {
        let expected = Seen::new("refused", "reached");
        assert_eq!(expected.complaint(&expected), None);
        let same = Seen::new("refused", "refused");
        for (seen, expected, complaint) in [
            (&same, &expected, "proves nothing"),
            (&same, &same, "proves nothing"),
            (&Seen::new("refused: other", "reached"), &expected, "with the guard"),
            (&Seen::new("refused", "passes"), &expected, "without the guard"),
            (&Seen::from("refused".to_owned()), &expected, "without the guard"),
        ] {
            let text = seen.complaint(expected);
            assert!(text.is_some_and(|text| text.contains(complaint)), "{seen:?}");
        }
        let alone = Seen::from("refused".to_owned());
        assert_eq!(alone.complaint(&alone), None);
    }
}
