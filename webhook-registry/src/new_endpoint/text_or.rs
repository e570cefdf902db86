use std::{fmt, str::FromStr};

use webhook_core::{
    Description, EndpointUrl, EventFilter, ExternalId, Profile, RateLimit, RetryPolicy, Secret,
};

/// A value, or text from which it is parsed later.
///
/// The setters of [`NewEndpoint`](crate::NewEndpoint) take text, so that one `?` is enough for a
/// whole chain, and values of callers that have parsed the text already.
///
/// Closed: a setting is a value or a text.
#[derive(Clone)]
pub enum TextOr<T> {
    /// Text, parsed when the endpoint is added.
    Text(String),
    /// A value that is parsed already.
    Value(T),
}

impl<T: Clone + FromStr> TextOr<T> {
    /// Returns the value, parsed if it is text.
    pub(super) fn read(&self) -> Result<T, T::Err> {
        match self {
            Self::Text(text) => text.parse(),
            Self::Value(value) => Ok(value.clone()),
        }
    }
}

impl<T: fmt::Debug> fmt::Debug for TextOr<T> {
    /// Shows no text: it may be a secret, or a URL with a token.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(_) => f.write_str("Text(redacted)"),
            Self::Value(value) => value.fmt(f),
        }
    }
}

impl<T> From<String> for TextOr<T> {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl<T> From<&String> for TextOr<T> {
    fn from(text: &String) -> Self {
        Self::Text(text.clone())
    }
}

impl<T> From<&str> for TextOr<T> {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

// One for each type: `From<T>` for every `T` would overlap with `From<String>`.
macro_rules! from_value {
    ($($value:ty),* $(,)?) => {
        $(impl From<$value> for TextOr<$value> {
            fn from(value: $value) -> Self {
                Self::Value(value)
            }
        })*
    };
}

from_value!(
    Description,
    EndpointUrl,
    EventFilter,
    ExternalId,
    Profile,
    RateLimit,
    RetryPolicy,
    Secret
);

#[cfg(test)]
mod tests {
    use super::*;
    use webhook_core::{EndpointUrl, Secret};

    #[test]
    fn debug_shows_no_text_that_may_be_secret() {
        let secret = TextOr::<Secret>::from("whsec_c4nary");
        let url = TextOr::<EndpointUrl>::from("https://a.example/?token=c4nary");
        let parsed: Secret = "c4nary".parse().unwrap();
        let shown = format!("{secret:?} {url:?} {:?}", TextOr::from(parsed));
        assert!(!shown.contains("c4nary"), "{shown}");
    }
}
