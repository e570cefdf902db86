//! Parsers for values of options. clap reports their errors with the name of the option.

use std::time::{Duration, SystemTime};

use webhook_registry::{Timeout, Timestamp, error::InvalidDuration, view::parse_duration};

/// Reads the deadline of one attempt.
pub(crate) fn timeout(text: &str) -> Result<Timeout, String> {
    let duration = parse_duration(text).map_err(|error| error.to_string())?;
    Timeout::new(duration).map_err(|error| error.to_string())
}

/// Reads a duration such as `60s`.
pub(crate) fn duration(text: &str) -> Result<Duration, InvalidDuration> {
    parse_duration(text)
}

/// Reads a duration that is longer than zero.
pub(crate) fn period(text: &str) -> Result<Duration, String> {
    match duration(text) {
        Ok(period) if period.is_zero() => {
            Err("expected a duration longer than zero, such as 30s".to_owned())
        }
        Ok(period) => Ok(period),
        Err(error) => Err(error.to_string()),
    }
}

/// Returns a number of things as the library counts them.
pub(crate) fn whole(number: u32) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

/// Reads a point in time such as `2026-11-24T08:00:00Z`, or how long ago it is, such as `2h`.
pub(crate) fn moment(text: &str) -> Result<Timestamp, String> {
    if let Ok(ago) = parse_duration(text) {
        let then = SystemTime::now().checked_sub(ago);
        return then.map(Timestamp::from).ok_or_else(|| "before all time".to_owned());
    }
    let at = text.parse::<jiff::Timestamp>();
    let at = at
        .map_err(|_| "expected a time such as 2026-11-24T08:00:00Z, or how long ago, such as 2h")?;
    Ok(Timestamp::from_unix_millis(at.as_millisecond()))
}

/// Reads a header such as `Name: value`.
pub(crate) fn header(line: &str) -> Result<(String, String), String> {
    let (name, value) = line.split_once(':').ok_or("expected 'Name: value'")?;
    Ok((name.trim().to_owned(), value.trim().to_owned()))
}

/// Reads a note such as `name=value`.
pub(crate) fn note(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("expected 'name=value'")?;
    Ok((name.to_owned(), value.to_owned()))
}
