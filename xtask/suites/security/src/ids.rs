//! Which cases there have to be.

use std::{fmt, str::FromStr};

/// The letter of a section, and a number in it: `A12`.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) struct Id {
    pub(crate) section: char,
    pub(crate) number: u32,
}

/// How many cases each section has. A number is never given again, and none is left out.
pub(crate) const SECTIONS: &[(char, u32)] = &[
    ('A', 68),
    ('B', 17),
    ('C', 8),
    ('D', 22),
    ('E', 29),
    ('F', 15),
    ('G', 18),
    ('H', 10),
    ('I', 11),
    ('J', 6),
];

/// All of them, in order.
pub(crate) fn all() -> impl Iterator<Item = Id> {
    SECTIONS
        .iter()
        .flat_map(|&(section, count)| (1..=count).map(move |number| Id { section, number }))
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.section, self.number)
    }
}

impl FromStr for Id {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let mut chars = text.chars();
        let section = chars.next().filter(char::is_ascii_uppercase).ok_or(())?;
        let number = chars.as_str().parse().map_err(|_| ())?;
        Ok(Self { section, number })
    }
}
