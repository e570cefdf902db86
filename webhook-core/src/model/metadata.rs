//! What its owner says about an endpoint: words for people, an id of their own, and notes.
//!
//! Nothing here decides anything, and nothing of it is sent to the receiver.

use std::{collections::BTreeMap, fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use crate::model::text::serde_as_text;

/// What an endpoint is for, in its owner's words.
///
/// 1 to [`MAX_LEN`](Self::MAX_LEN) bytes, without control characters but line breaks.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub struct Description(String);

impl Description {
    /// The longest description, in bytes.
    pub const MAX_LEN: usize = 1024;

    /// The description as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Description {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for Description {
    type Err = InvalidDescription;

    fn from_str(text: &str) -> Result<Self, InvalidDescription> {
        let valid = (1..=Self::MAX_LEN).contains(&text.len())
            && text.chars().all(|c| c == '\n' || !c.is_control());
        if valid { Ok(Self(text.to_owned())) } else { Err(InvalidDescription) }
    }
}

serde_as_text!(Description);

/// The text is no description.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("not a valid description; expected 1 to 1024 bytes without control characters")]
pub struct InvalidDescription;

/// The name that an endpoint has in its owner's own records. Several endpoints may have the same.
///
/// 1 to [`MAX_LEN`](Self::MAX_LEN) bytes of visible ASCII.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct ExternalId(String);

impl ExternalId {
    /// The longest id, in bytes.
    pub const MAX_LEN: usize = 200;

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ExternalId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for ExternalId {
    type Err = InvalidExternalId;

    fn from_str(text: &str) -> Result<Self, InvalidExternalId> {
        let valid = (1..=Self::MAX_LEN).contains(&text.len())
            && text.bytes().all(|byte| byte.is_ascii_graphic());
        if valid { Ok(Self(text.to_owned())) } else { Err(InvalidExternalId) }
    }
}

serde_as_text!(ExternalId);

/// The text is no external id.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("not a valid external id; expected 1 to 200 visible ASCII characters")]
pub struct InvalidExternalId;

/// Notes of an endpoint's owner, each under a name: a small map that comes back as it was given.
///
/// Shown to whoever may see the endpoint, so no place for secrets.
///
/// ```
/// use webhook_core::Metadata;
///
/// let notes = Metadata::new([("team", "billing"), ("ticket", "4711")])?;
/// assert_eq!(notes.get("team"), Some("billing"));
/// assert!(Metadata::new([("long", "x".repeat(4096))]).is_err());
/// # Ok::<(), webhook_core::error::InvalidMetadata>(())
/// ```
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(try_from = "BTreeMap<String, String>")]
pub struct Metadata(BTreeMap<String, String>);

impl Metadata {
    /// The most bytes of all names and values together.
    pub const MAX_BYTES: usize = 4 * 1024;

    /// The longest name, in bytes.
    pub const MAX_NAME: usize = 128;

    /// Takes notes; of two under one name the later counts.
    ///
    /// # Errors
    ///
    /// [`InvalidMetadata`] when a name is empty or too long, or all of it is too much.
    pub fn new<N: Into<String>, V: Into<String>>(
        notes: impl IntoIterator<Item = (N, V)>,
    ) -> Result<Self, InvalidMetadata> {
        let mut map = BTreeMap::new();
        for (name, value) in notes {
            map.insert(name.into(), value.into());
        }
        Self::try_from(map)
    }

    /// The note of this name.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// All notes, in the order of their names.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl TryFrom<BTreeMap<String, String>> for Metadata {
    type Error = InvalidMetadata;

    fn try_from(notes: BTreeMap<String, String>) -> Result<Self, InvalidMetadata> {
        if notes.keys().any(|name| !(1..=Self::MAX_NAME).contains(&name.len())) {
            return Err(InvalidMetadata::Name);
        }
        let bytes: usize = notes.iter().map(|(name, value)| name.len() + value.len()).sum();
        if bytes > Self::MAX_BYTES { Err(InvalidMetadata::TooLarge) } else { Ok(Self(notes)) }
    }
}

/// The notes cannot be kept.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidMetadata {
    /// A name is empty, or longer than [`Metadata::MAX_NAME`].
    #[error("not a valid name in metadata; expected 1 to 128 bytes")]
    Name,
    /// It is more than [`Metadata::MAX_BYTES`].
    #[error("too much metadata: at most 4 KiB of names and values in all")]
    TooLarge,
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn descriptions_are_bounded_text() {
        let words: Description = "für die\nBuchhaltung".parse().unwrap();
        assert_eq!((words.as_str(), words.as_str().len()), (&*words.to_string(), 20));
        assert!("x".repeat(1024).parse::<Description>().is_ok());
        for bad in ["", "a\0b", "\u{1b}[31m", &"x".repeat(1025)] {
            assert_eq!(bad.parse::<Description>(), Err(InvalidDescription), "{bad:?}");
        }
    }

    #[test]
    fn external_ids_are_tokens() {
        for good in ["42", "crm:acme/7", &"x".repeat(200)] {
            let id: ExternalId = good.parse().unwrap();
            assert_eq!((id.as_str(), &*id.to_string()), (good, good));
        }
        for bad in ["", "a b", "ä", "a\n", &"x".repeat(201)] {
            assert_eq!(bad.parse::<ExternalId>(), Err(InvalidExternalId), "{bad:?}");
        }
    }

    #[test]
    fn metadata_is_at_most_4_kib_however_it_comes_in() {
        assert!(Metadata::new([("name", "x".repeat(4092))]).is_ok());
        let two = [("a", "x".repeat(4000)), ("b", "x".repeat(95))];
        assert_eq!(Metadata::new(two), Err(InvalidMetadata::TooLarge));
        assert_eq!(Metadata::new([("", "x")]), Err(InvalidMetadata::Name));
        assert_eq!(Metadata::new([("x".repeat(129), "")]), Err(InvalidMetadata::Name));
        let json = format!(r#"{{"name":"{}"}}"#, "x".repeat(4093));
        let error = serde_json::from_str::<Metadata>(&json).unwrap_err();
        assert!(error.to_string().contains("4 KiB"), "{error}");
    }

    #[test]
    fn metadata_comes_back_as_it_was_given() {
        let notes = Metadata::new([("b", "2"), ("a", ""), ("b", "ü\0")]).unwrap();
        let json = serde_json::to_string(&notes).unwrap();
        assert_eq!(json, "{\"a\":\"\",\"b\":\"ü\\u0000\"}");
        assert_eq!(serde_json::from_str::<Metadata>(&json).unwrap(), notes);
    }

    #[test]
    fn notes_are_found_by_name_and_listed_in_its_order() {
        let notes = Metadata::new([("b", "2"), ("a", "1")]).unwrap();
        assert_eq!((notes.get("b"), notes.get("c")), (Some("2"), None));
        assert_eq!(notes.iter().collect::<Vec<_>>(), [("a", "1"), ("b", "2")]);
        assert!(Metadata::default().is_empty() && !notes.is_empty());
    }

    proptest! {
        #[test]
        fn what_owners_say_is_bounded_and_harmless_or_refused(
            text in prop_oneof![".*", "(?s).{0,300}", "[a-z]{190,210}"],
        ) {
            if let Ok(description) = text.parse::<Description>() {
                prop_assert_eq!(description.as_str(), &text);
                prop_assert!((1..=Description::MAX_LEN).contains(&text.len()));
                let harmful = |c: char| c.is_control() && c != '\n' && c != '\r';
                prop_assert!(!text.chars().any(harmful));
            }
            if let Ok(id) = text.parse::<ExternalId>() {
                prop_assert_eq!(id.as_str(), &text);
                prop_assert!(text.bytes().all(|byte| byte.is_ascii_graphic()));
            }
            if let Ok(notes) = Metadata::new([(text.clone(), text.clone())]) {
                prop_assert!((1..=Metadata::MAX_NAME).contains(&text.len()));
                prop_assert_eq!(notes.get(&text), Some(text.as_str()));
            }
        }
    }
}
