//! Event filters: which types an endpoint wants.

use std::{fmt, str::FromStr, sync::Arc};

use crate::model::{
    event::EventType,
    text::{is_segment, serde_as_text},
};

/// A pattern over event types.
///
/// | filter | matches | does not match |
/// |---|---|---|
/// | `invoice.paid` | `invoice.paid` | `invoice.paid.late` |
/// | `invoice.*` | `invoice.paid` (one segment) | `invoice`, `invoice.paid.late` |
/// | `invoice.**` | `invoice.paid`, `invoice.paid.late` (the rest, at least one segment) | `invoice` |
/// | `**` | everything | |
///
/// `*` may stand for any segment, `**` only for the last.
///
/// ```
/// use webhook_core::{EventFilter, EventType};
///
/// let filter: EventFilter = "invoice.*".parse()?;
/// assert!(filter.matches(&"invoice.paid".parse::<EventType>().unwrap()));
/// assert!(!filter.matches(&"invoice.paid.late".parse::<EventType>().unwrap()));
/// # Ok::<(), webhook_core::error::InvalidEventFilter>(())
/// ```
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct EventFilter(Arc<str>);

impl EventFilter {
    /// The longest filter, in bytes; every store has room for it.
    pub const MAX_LEN: usize = 128;

    /// The filter that matches every type.
    pub fn any() -> Self {
        Self("**".into())
    }

    /// The filter as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether the endpoint wants events of this type.
    pub fn matches(&self, event_type: &EventType) -> bool {
        let mut wanted = self.0.split('.');
        let mut segments = event_type.as_str().split('.');
        loop {
            match (wanted.next(), segments.next()) {
                (None, None) | (Some("**"), Some(_)) => return true,
                (Some("*"), Some(_)) => {}
                (Some(want), Some(segment)) if want == segment => {}
                _ => return false,
            }
        }
    }

    /// The one type it matches, when it holds no wildcard.
    pub fn exact(&self) -> Option<EventType> {
        self.0.parse().ok()
    }
}

impl From<EventType> for EventFilter {
    fn from(event_type: EventType) -> Self {
        Self(event_type.as_str().into())
    }
}

impl fmt::Display for EventFilter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for EventFilter {
    type Err = InvalidEventFilter;

    fn from_str(text: &str) -> Result<Self, InvalidEventFilter> {
        let stem = match text.strip_suffix("**") {
            Some("") => return Ok(Self::any()),
            Some(stem) => stem.strip_suffix('.').ok_or(InvalidEventFilter)?,
            None => text,
        };
        let valid = text.len() <= Self::MAX_LEN
            && stem.split('.').all(|part| part == "*" || is_segment(part));
        if valid { Ok(Self(text.into())) } else { Err(InvalidEventFilter) }
    }
}

serde_as_text!(EventFilter);

/// The text is no event filter.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error(
    "not a valid event filter; expected a type such as invoice.paid, invoice.* for one segment, invoice.** for the rest, or ** for all"
)]
pub struct InvalidEventFilter;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn filters_match_as_the_table_says() {
        let table = [
            ("invoice.paid", "invoice.paid", true),
            ("invoice.paid", "invoice.paid.late", false),
            ("invoice.paid", "invoice", false),
            ("invoice.*", "invoice.paid", true),
            ("invoice.*", "invoice", false),
            ("invoice.*", "invoice.paid.late", false),
            ("*.paid", "invoice.paid", true),
            ("*.paid", "invoice.sent", false),
            ("*", "invoice", true),
            ("*", "invoice.paid", false),
            ("invoice.**", "invoice.paid", true),
            ("invoice.**", "invoice.paid.late", true),
            ("invoice.**", "invoice", false),
            ("invoice.**", "invoices.paid", false),
            ("*.*.**", "a.b.c.d", true),
            ("**", "a", true),
            ("**", "a.b.c", true),
        ];
        for (filter, event_type, expected) in table {
            let matched =
                filter.parse::<EventFilter>().unwrap().matches(&event_type.parse().unwrap());
            assert_eq!(matched, expected, "{filter} against {event_type}");
        }
    }

    #[test]
    fn what_is_no_filter_is_refused() {
        for bad in [
            "",
            ".",
            "a.",
            "a..b",
            "a.**.b",
            "a**",
            "***",
            "**.a",
            "in*ice",
            "a b",
            ".**",
            &"x".repeat(129),
        ] {
            assert!(bad.parse::<EventFilter>().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn only_a_filter_without_wildcards_names_one_type() {
        assert_eq!("a.b".parse::<EventFilter>().unwrap().exact(), "a.b".parse().ok());
        assert_eq!("a.*".parse::<EventFilter>().unwrap().exact(), None);
    }

    #[test]
    fn a_filter_is_read_and_written_as_text() {
        for text in ["a.b", "a.*", "*", "a.**", "**", &"x".repeat(128)] {
            let filter: EventFilter = text.parse().unwrap();
            assert_eq!((filter.as_str(), &*filter.to_string()), (text, text));
        }
        assert_eq!(EventFilter::any().as_str(), "**");
        let exact = EventFilter::from("a.b".parse::<EventType>().unwrap());
        assert_eq!(Ok(exact), "a.b".parse());
    }

    proptest! {
        #[test]
        fn any_text_is_a_filter_that_prints_as_it_was_read_or_refused(
            text in prop_oneof![".*", "[a-c.*]{1,9}", "([a-c*][.]){62,66}[a-c*]"], event_type in "[a-c]([.][a-c]){0,3}",
        ) {
            let Ok(filter) = text.parse::<EventFilter>() else { return Ok(()) };
            prop_assert_eq!(filter.to_string(), text);
            prop_assert!(filter.as_str().len() <= EventFilter::MAX_LEN);
            let event_type: EventType = event_type.parse().unwrap();
            let matches = filter.matches(&event_type);
            if let Some(exact) = filter.exact() {
                prop_assert_eq!(matches, exact == event_type);
                prop_assert!(filter.matches(&exact));
            }
        }
    }
}
