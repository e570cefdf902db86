//! Durations as people write them: `500ms`, `30s`, `5m`, `2h`, `1d`, also `1m30s`.

use std::time::Duration;

/// The units, the largest first.
const UNITS: [(&str, u64); 5] =
    [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)];

/// Maximum duration in settings: 365 days.
const MAX_DURATION: Duration = Duration::from_secs(365 * 24 * 60 * 60);

/// The text is no duration.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error(
    "not a valid duration; expected a number with a unit, such as 500ms, 30s, 5m, 2h or 1d, at most 365d"
)]
pub struct InvalidDuration;

/// Reads a duration such as `1m30s`, of at most 365 days.
///
/// # Errors
///
/// [`InvalidDuration`] when the text is none.
///
/// ```
/// use std::time::Duration;
/// assert_eq!(webhook_core::view::parse_duration("1m30s"), Ok(Duration::from_secs(90)));
/// assert!(webhook_core::view::parse_duration("90").is_err());
/// ```
pub fn parse_duration(text: &str) -> Result<Duration, InvalidDuration> {
    let mut rest = text.trim();
    let mut millis = 0u64;
    if rest.is_empty() {
        return Err(InvalidDuration);
    }
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit()).ok_or(InvalidDuration)?;
        let (number, tail) = rest.split_at(digits);
        let unit_len = tail.find(|c: char| c.is_ascii_digit()).unwrap_or(tail.len());
        let (unit, tail) = tail.split_at(unit_len);
        let number: u64 = number.parse().map_err(|_| InvalidDuration)?;
        let scale = UNITS
            .iter()
            .find(|(name, _)| *name == unit)
            .map(|(_, scale)| *scale)
            .ok_or(InvalidDuration)?;
        millis = number
            .checked_mul(scale)
            .and_then(|part| millis.checked_add(part))
            .ok_or(InvalidDuration)?;
        rest = tail;
    }
    let duration = Duration::from_millis(millis);
    if duration <= MAX_DURATION { Ok(duration) } else { Err(InvalidDuration) }
}

/// Writes a duration the way [`parse_duration`] reads it, in whole milliseconds: `1m30s`.
pub fn format_duration(duration: Duration) -> String {
    let mut millis = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
    let mut text = String::new();
    for (unit, scale) in UNITS {
        if millis >= scale {
            text.push_str(&format!("{}{unit}", millis / scale));
            millis %= scale;
        }
    }
    if text.is_empty() { "0s".to_owned() } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_as_people_write_them() {
        let table = [
            ("0s", 0),
            ("500ms", 500),
            ("30s", 30_000),
            ("5m", 300_000),
            ("2h", 7_200_000),
            ("1d", 86_400_000),
            ("1m30s", 90_000),
            (" 1s ", 1_000),
        ];
        for (text, millis) in table {
            assert_eq!(parse_duration(text), Ok(Duration::from_millis(millis)), "{text}");
        }
        for bad in ["", " ", "s", "5", "5x", "-5s", "1.5s", "5 s", "366d", "99999999999999999999s"]
        {
            assert_eq!(parse_duration(bad), Err(InvalidDuration), "{bad:?}");
        }
    }

    proptest::proptest! {
        #[test]
        fn what_is_written_reads_back(millis in 0u64..31_536_000_000) {
            let duration = Duration::from_millis(millis);
            proptest::prop_assert_eq!(parse_duration(&format_duration(duration)), Ok(duration));
        }

        #[test]
        fn any_text_is_a_duration_that_is_written_and_read_back_or_refused(
            text in proptest::prop_oneof![".*", "([0-9]{1,12}(d|h|m|s|ms)){1,3}"],
        ) {
            let Ok(duration) = parse_duration(&text) else { return Ok(()) };
            proptest::prop_assert!(duration <= MAX_DURATION);
            proptest::prop_assert_eq!(parse_duration(&format_duration(duration)), Ok(duration));
        }
    }
}
