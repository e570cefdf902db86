//! Ordering keys of events.

use std::{fmt, str::FromStr, sync::Arc};

use crate::model::text::serde_as_text;

/// Key of the events that an endpoint receives in order, such as an order number.
///
/// 1 to [`MAX_LEN`](Self::MAX_LEN) bytes of visible ASCII. A key belongs to its
/// tenant: two tenants may use the same key and never wait for each other.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct OrderingKey(Arc<str>);

impl OrderingKey {
    /// Maximum length of a key in bytes. Every store has room for it.
    pub const MAX_LEN: usize = 200;

    /// Text of the key.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for OrderingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for OrderingKey {
    type Err = InvalidOrderingKey;

    fn from_str(key: &str) -> Result<Self, InvalidOrderingKey> {
        let valid = (1..=Self::MAX_LEN).contains(&key.len())
            && key.bytes().all(|byte| byte.is_ascii_graphic());
        if valid { Ok(Self(key.into())) } else { Err(InvalidOrderingKey) }
    }
}

serde_as_text!(OrderingKey);

/// Text that is not an ordering key.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("not a valid ordering key; expected 1 to 200 visible ASCII characters")]
pub struct InvalidOrderingKey;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_visible_ascii() {
        assert!("order-17".parse::<OrderingKey>().is_ok());
        for bad in ["", "a b", "ä", "a\n", &"x".repeat(201)] {
            assert_eq!(bad.parse::<OrderingKey>(), Err(InvalidOrderingKey), "{bad:?}");
        }
    }

    #[test]
    fn a_key_is_read_and_written_as_text() {
        for text in ["order-17", "!", &"x".repeat(200)] {
            let key: OrderingKey = text.parse().unwrap();
            assert_eq!((key.as_str(), &*key.to_string()), (text, text));
        }
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_an_ordering_key_as_it_stands_or_refused(text in proptest::prop_oneof!["[!-~]{0,3}", "[!-~]{120,210}", "[ -~\u{0}-\u{ff}]{0,9}"]) {
            if let Ok(key) = text.parse::<OrderingKey>() {
                proptest::prop_assert_eq!(key.as_str(), &text);
                proptest::prop_assert!((1..=OrderingKey::MAX_LEN).contains(&text.len()));
                proptest::prop_assert!(!text.chars().any(char::is_control));
            }
        }
    }
}
