//! Why an attempt was made.
//!
//! A delivery remembers what began its present budget of attempts. Together with the attempt's number
//! that says why each attempt is made: [`Trigger::of_attempt`], a function of its arguments.

use std::{convert::Infallible, fmt, str::FromStr};

use crate::model::text::serde_as_text;

/// Why an attempt was made.
///
/// ```
/// use webhook_core::Trigger;
///
/// // The third attempt, in a budget that began with the first one.
/// assert_eq!(Trigger::First.of_attempt(3, 0), Trigger::Retry);
/// // The fourth attempt, made after somebody redelivered what had failed three times.
/// assert_eq!(Trigger::Manual.of_attempt(4, 3), Trigger::Manual);
/// ```
#[derive(Clone, Copy, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
#[non_exhaustive]
pub enum Trigger {
    /// The event was published.
    #[default]
    First,
    /// The attempt before failed, by the retry policy.
    Retry,
    /// Somebody redelivered it.
    Manual,
    /// A replay of what was failed or missed.
    Replay,
    /// A test of the endpoint.
    Test,
}

impl Trigger {
    const ALL: [(Self, &str); 5] = [
        (Self::First, "first"),
        (Self::Retry, "retry"),
        (Self::Manual, "manual"),
        (Self::Replay, "replay"),
        (Self::Test, "test"),
    ];

    /// Its name in records.
    pub fn as_str(self) -> &'static str {
        Self::ALL.iter().find(|(trigger, _)| *trigger == self).map_or("retry", |(_, name)| name)
    }

    /// Why the `number`-th attempt of a delivery is made whose present budget began for this reason
    /// after `budget_from` attempts. What a person or a replay began stays theirs to its last attempt;
    /// what was published is tried first, and then again.
    ///
    /// An attempt of an earlier budget, lost with its worker, is told as if nobody had stepped in.
    #[must_use]
    pub const fn of_attempt(self, number: u32, budget_from: u32) -> Self {
        match self {
            _ if number <= 1 && budget_from >= number => Self::First,
            _ if budget_from >= number => Self::Retry,
            Self::First if number - budget_from > 1 => Self::Retry,
            cause => cause,
        }
    }

    /// Whether the attempt says something about how the endpoint is doing for those who publish:
    /// neither a replay, which sends many at once, nor a test does.
    pub const fn counts_for_health(self) -> bool {
        !matches!(self, Self::Replay | Self::Test)
    }
}

impl fmt::Display for Trigger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Trigger {
    type Err = Infallible;

    /// A name that this version does not know is `Retry`: a newer worker may have written it.
    fn from_str(name: &str) -> Result<Self, Infallible> {
        let known = Self::ALL.iter().find(|(_, known)| *known == name);
        Ok(known.map_or(Self::Retry, |(trigger, _)| *trigger))
    }
}

serde_as_text!(Trigger);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_stable_and_unknown_ones_are_tolerated() {
        for (trigger, name) in Trigger::ALL {
            assert_eq!(trigger.as_str(), name);
            assert_eq!(name.parse(), Ok(trigger));
        }
        assert_eq!("from-the-future".parse(), Ok(Trigger::Retry));
    }

    #[test]
    fn the_table() {
        use Trigger::{First, Manual, Replay, Retry, Test};
        let table = [
            // What began the budget, the attempt, the attempts before the budget.
            (First, 1, 0, First),
            (First, 2, 0, Retry),
            (First, 9, 0, Retry),
            (Retry, 1, 0, Retry),
            (Retry, 2, 0, Retry),
            (Manual, 4, 3, Manual),
            (Manual, 5, 3, Manual),
            (Replay, 1, 0, Replay),
            (Replay, 7, 3, Replay),
            (Test, 1, 0, Test),
            (Test, 2, 0, Test),
            // Lost before the budget began.
            (Manual, 1, 3, First),
            (Replay, 3, 3, Retry),
            // In a damaged row.
            (First, 0, 0, First),
            (First, u32::MAX, 0, Retry),
        ];
        for (cause, number, budget_from, expected) in table {
            let trigger = cause.of_attempt(number, budget_from);
            assert_eq!(trigger, expected, "{cause}, attempt {number} after {budget_from}");
        }
    }

    #[test]
    fn replays_and_tests_say_nothing_about_health() {
        let counting = Trigger::ALL.map(|(trigger, _)| trigger.counts_for_health());
        assert_eq!(counting, [true, true, true, false, false]);
    }
}
