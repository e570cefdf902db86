use std::{fmt, str::FromStr};

/// What a process does with webhooks.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum Mode {
    /// It publishes, and others deliver: [`run`](crate::Webhooks::run) delivers nothing here.
    PublishOnly,
    /// It delivers what is stored, whoever published it; what it publishes itself takes the same
    /// way.
    Worker,
    /// It does both, and sends what it publishes at once from memory, as far as it has attempts to
    /// spare.
    #[default]
    Both,
}

impl Mode {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::PublishOnly, Self::Worker, Self::Both];

    /// Text that errors show as expected.
    pub(crate) const EXPECTED_MODES: &str = "publish-only, worker or both";

    /// Its name in settings.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::PublishOnly => "publish-only",
            Self::Worker => "worker",
            Self::Both => "both",
        }
    }

    /// Whether it delivers.
    pub const fn delivers(self) -> bool {
        matches!(self, Self::Worker | Self::Both)
    }
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Mode {
    type Err = InvalidMode;

    fn from_str(name: &str) -> Result<Self, InvalidMode> {
        Self::ALL.into_iter().find(|mode| mode.as_str() == name).ok_or(InvalidMode)
    }
}

/// The text is no mode.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("not a valid mode; expected {}", Mode::EXPECTED_MODES)]
pub struct InvalidMode;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modes_have_stable_names() {
        for mode in Mode::ALL {
            assert_eq!(mode.as_str().parse(), Ok(mode));
        }
        assert_eq!("publisher".parse::<Mode>(), Err(InvalidMode));
    }
}
