//! `Retry-After`: how long a receiver asks us to stay away.

use std::time::Duration;

use http::{HeaderMap, header::RETRY_AFTER};

use crate::model::time::Timestamp;

/// Reads `Retry-After` (RFC 9110, section 10.2.3): whole seconds or an HTTP date.
///
/// `None` when it is absent or neither. A date in the past is no wait at all; a number too large
/// to count is the longest wait there is. The caller clamps it: a receiver proposes, the retry
/// policy disposes.
pub fn retry_after(headers: &HeaderMap, now: Timestamp) -> Option<Duration> {
    let value = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit()) {
        return Some(Duration::from_secs(value.parse().unwrap_or(u64::MAX)));
    }
    let date = httpdate::parse_http_date(value).ok()?;
    Some(Timestamp::from(date).since(now))
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;
    use proptest::prelude::*;

    fn read(value: &[u8]) -> Option<Duration> {
        let mut headers = HeaderMap::new();
        headers.insert(RETRY_AFTER, HeaderValue::from_bytes(value).ok()?);
        retry_after(&headers, Timestamp::from_unix_secs(784_111_777))
    }

    #[test]
    fn seconds_and_dates_are_read_and_the_rest_is_ignored() {
        let table: [(&str, Option<u64>); 12] = [
            ("0", Some(0)),
            ("120", Some(120)),
            (" 120 ", Some(120)),
            ("99999999999999", Some(99_999_999_999_999)),
            ("99999999999999999999999", Some(u64::MAX)),
            ("Sun, 06 Nov 1994 08:50:37 GMT", Some(60)),
            ("Sun, 06 Nov 1994 08:48:37 GMT", Some(0)),
            ("-1", None),
            ("120.5", None),
            ("", None),
            ("soon", None),
            ("+5", None),
        ];
        for (value, expected) in table {
            assert_eq!(read(value.as_bytes()), expected.map(Duration::from_secs), "{value:?}");
        }
    }

    proptest::proptest! {
        #[test]
        fn any_bytes_are_read_or_ignored(
            value in prop_oneof![
                any::<Vec<u8>>(),
                "[ 0-9+.e-]{0,24}".prop_map(String::into_bytes),
                " ?[0-9]{1,24} ?".prop_map(String::into_bytes),
            ],
        ) {
            let digits = value.trim_ascii();
            let is_number = !digits.is_empty() && digits.iter().all(u8::is_ascii_digit);
            let ten = |sum: u64, digit: &u8| sum.saturating_mul(10).saturating_add(u64::from(digit - b'0'));
            let expected = is_number.then(|| Duration::from_secs(digits.iter().fold(0, ten)));
            prop_assert_eq!(read(&value), expected, "none of these is a date");
        }

        #[test]
        fn a_date_is_the_time_until_then(ahead in -100_000_000i64..100_000_000) {
            let now = Timestamp::from_unix_secs(784_111_777);
            let then = std::time::SystemTime::UNIX_EPOCH
                + Duration::from_secs((784_111_777 + ahead).cast_unsigned());
            let wait = read(httpdate::fmt_http_date(then).as_bytes());
            prop_assert_eq!(wait, Some(Duration::from_secs(ahead.max(0).cast_unsigned())));
            prop_assert_eq!(wait, Some(Timestamp::from(then).since(now)));
        }
    }
}
