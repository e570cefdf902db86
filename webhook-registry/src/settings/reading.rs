use std::{ffi::OsString, str::FromStr, time::Duration};

use webhook_core::view::parse_duration;

use super::invalid::InvalidSetting;

/// Source of variables; its errors name the variable.
pub(super) struct Reading<'a> {
    lookup: &'a dyn Fn(&str) -> Option<OsString>,
}

/// Expected text of a number of things.
pub(super) const EXPECTED_COUNT: &str = "a whole number, at least 1";

/// Expected text of a duration longer than none.
pub(super) const EXPECTED_PERIOD: &str = "a duration such as 30s, longer than none";

/// Expected text of every variable.
const EXPECTED_UTF8: &str = "text in UTF-8";

/// Returns the value that is set; reads the variable if there is none.
pub(super) fn or_read<T>(
    value: Option<T>,
    read: impl FnOnce() -> Result<Option<T>, InvalidSetting>,
) -> Result<Option<T>, InvalidSetting> {
    value.map_or_else(read, |value| Ok(Some(value)))
}

impl<'a> Reading<'a> {
    pub(super) fn new(lookup: &'a dyn Fn(&str) -> Option<OsString>) -> Self {
        Self { lookup }
    }

    /// A text, whatever it says. What is no text is not shown either: it may hold a secret.
    pub(super) fn text(&self, variable: &'static str) -> Result<Option<String>, InvalidSetting> {
        let found = (self.lookup)(variable).filter(|value| !value.is_empty());
        let unreadable = |_| InvalidSetting::hidden(variable, EXPECTED_UTF8);
        found.map(OsString::into_string).transpose().map_err(unreadable)
    }

    /// A value that can be read from its text.
    pub(super) fn parsed<T: FromStr>(
        &self,
        variable: &'static str,
        expected: &str,
    ) -> Result<Option<T>, InvalidSetting> {
        self.read(variable, expected, |text| text.parse().ok())
    }

    /// A number of things, at least one.
    pub(super) fn count(&self, variable: &'static str) -> Result<Option<u32>, InvalidSetting> {
        self.read(variable, EXPECTED_COUNT, |text| text.parse().ok().filter(|number| *number > 0))
    }

    /// A number of things in memory, at least one.
    pub(super) fn size(&self, variable: &'static str) -> Result<Option<usize>, InvalidSetting> {
        let count = self.count(variable)?;
        Ok(count.map(|number| usize::try_from(number).unwrap_or(usize::MAX)))
    }

    /// A duration, none included.
    pub(super) fn duration(
        &self,
        variable: &'static str,
    ) -> Result<Option<Duration>, InvalidSetting> {
        self.read(variable, "a duration such as 30s", |text| parse_duration(text).ok())
    }

    /// A duration that is longer than none.
    pub(super) fn time(&self, variable: &'static str) -> Result<Option<Duration>, InvalidSetting> {
        self.read(variable, EXPECTED_PERIOD, |text| {
            parse_duration(text).ok().filter(|duration| !duration.is_zero())
        })
    }

    fn read<T>(
        &self,
        variable: &'static str,
        expected: &str,
        parse: impl FnOnce(&str) -> Option<T>,
    ) -> Result<Option<T>, InvalidSetting> {
        let Some(text) = self.text(variable)? else { return Ok(None) };
        let wrong = || InvalidSetting::new(variable, &text, expected);
        parse(text.trim()).ok_or_else(wrong).map(Some)
    }
}
