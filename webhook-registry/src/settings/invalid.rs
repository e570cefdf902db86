use std::fmt;

/// A variable of the environment is not what it has to be.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct InvalidSetting {
    variable: &'static str,
    found: FoundValue,
    expected: String,
}

#[derive(Clone, Debug, Eq, PartialEq)]
enum FoundValue {
    Value(String),
    /// It may be a secret, or cannot be shown.
    Hidden,
    Nothing,
}

impl InvalidSetting {
    pub(super) fn new(
        variable: &'static str,
        found: impl Into<String>,
        expected: impl Into<String>,
    ) -> Self {
        Self { variable, found: FoundValue::Value(found.into()), expected: expected.into() }
    }

    pub(super) fn hidden(variable: &'static str, expected: impl Into<String>) -> Self {
        Self { variable, found: FoundValue::Hidden, expected: expected.into() }
    }

    pub(super) fn missing(variable: &'static str, expected: impl Into<String>) -> Self {
        Self { variable, found: FoundValue::Nothing, expected: expected.into() }
    }

    /// The variable.
    pub const fn variable(&self) -> &'static str {
        self.variable
    }

    /// What it is, where it is set and may be shown.
    pub fn found(&self) -> Option<&str> {
        match &self.found {
            FoundValue::Value(value) => Some(value),
            FoundValue::Hidden | FoundValue::Nothing => None,
        }
    }

    /// What it has to be.
    pub fn expected(&self) -> &str {
        &self.expected
    }
}

impl fmt::Display for InvalidSetting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { variable, found, expected } = self;
        match found {
            FoundValue::Value(value) => write!(f, "{variable} is {value:?}; expected {expected}"),
            FoundValue::Hidden => write!(f, "{variable} cannot be used; expected {expected}"),
            FoundValue::Nothing => write!(f, "{variable} is not set; expected {expected}"),
        }
    }
}

impl std::error::Error for InvalidSetting {}
