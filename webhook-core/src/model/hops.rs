//! How often a webhook has led to another one: what ends a loop.

use http::{HeaderMap, HeaderName};

/// `webhook-hops`: how many webhooks, one because of the other, led to this one, itself included.
pub const WEBHOOK_HOPS: HeaderName = HeaderName::from_static("webhook-hops");

/// How many webhooks led to an event; none, unless its publisher says that it
/// [follows](crate::NewEvent::follows) one.
///
/// An endpoint may be our own API, or that of somebody whose webhooks come back to us. When whoever
/// receives a webhook publishes the next event as one that follows it, such a circle ends at
/// [`MAX`](Self::MAX) instead of never.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Hops(u32);

impl Hops {
    /// The longest chain of webhooks; what would follow the last one is refused.
    pub const MAX: Self = Self(8);

    /// So many, and at most [`MAX`](Self::MAX).
    pub fn new(hops: u32) -> Self {
        Self(hops).min(Self::MAX)
    }

    /// What the headers of a received webhook say; none, when they say nothing that can be read.
    pub fn of(headers: &HeaderMap) -> Self {
        let value = headers.get(WEBHOOK_HOPS).and_then(|value| value.to_str().ok());
        let is_long = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
        value.map_or(Self(0), |text| match text.parse() {
            Ok(hops) => Self::new(hops),
            // More than a number can say is more than enough.
            Err(_) if !text.is_empty() && is_long(text) => Self::MAX,
            Err(_) => Self(0),
        })
    }

    /// As a number.
    pub const fn as_u32(self) -> u32 {
        self.0
    }

    /// With one webhook more.
    pub(crate) const fn next(self) -> u32 {
        self.0.saturating_add(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hops_are_read_whatever_the_header_says() {
        let table = [
            ("0", 0),
            ("1", 1),
            ("8", 8),
            ("9", 8),
            ("99999999999999999999", 8),
            ("", 0),
            ("-1", 0),
            ("1.5", 0),
            ("many", 0),
        ];
        for (text, expected) in table {
            let mut headers = HeaderMap::new();
            headers.insert(WEBHOOK_HOPS, text.parse().unwrap());
            assert_eq!(Hops::of(&headers).as_u32(), expected, "{text:?}");
        }
        assert_eq!(Hops::of(&HeaderMap::new()), Hops::default());
    }
}
