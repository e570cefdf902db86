//! Secrets: what signs, and what never shows.

use std::{fmt, str::FromStr};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use zeroize::Zeroizing;

/// A signing secret, wiped from memory when dropped.
///
/// Two kinds of text are secrets:
///
/// - `whsec_` followed by the standard base64 of 24 to 64 bytes, as
///   [Standard Webhooks](https://www.standardwebhooks.com) has it. The profile `standard` signs with
///   the decoded bytes, the profile `body-hmac` with the whole text.
/// - any other text of 1 to 255 visible ASCII characters that does not claim to be another kind of
///   key. It serves `body-hmac` only.
///
/// A secret has no `Display`, its `Debug` is redacted and it cannot be compared: what must be
/// compared is a signature, by the [`Signer`](crate::signing::Signer).
///
/// ```
/// use webhook_core::Secret;
///
/// let secret: Secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw".parse()?;
/// assert_eq!(secret.standard_key().map(|key| key.len()), Some(24));
/// assert_eq!(format!("{secret:?}"), "Secret(redacted)");
/// # Ok::<(), webhook_core::error::InvalidSecret>(())
/// ```
#[derive(Clone)]
pub struct Secret {
    text: Zeroizing<String>,
    /// Decoded once, not for each signature.
    standard_key: Option<Zeroizing<Vec<u8>>>,
}

impl Secret {
    /// What a Standard Webhooks secret starts with.
    pub const PREFIX: &str = "whsec_";

    /// The longest secret, in bytes of text; every store has room for it.
    pub const MAX_LEN: usize = 255;

    /// Creates the `whsec_` secret of a key.
    pub(crate) fn from_standard_key(key: Zeroizing<Vec<u8>>) -> Self {
        let encoded = Zeroizing::new(STANDARD.encode(&*key));
        let text = Zeroizing::new(format!("{}{}", Self::PREFIX, encoded.as_str()));
        Self { text, standard_key: Some(key) }
    }

    /// The text itself, for storing it and for showing it once to its owner.
    pub fn reveal(&self) -> &str {
        &self.text
    }

    /// The key of the profile `standard`; `None` for a secret without the `whsec_` prefix.
    pub fn standard_key(&self) -> Option<&[u8]> {
        self.standard_key.as_deref().map(Vec::as_slice)
    }

    /// Whether the profile `standard` can sign with it.
    pub fn is_standard(&self) -> bool {
        self.standard_key.is_some()
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(redacted)")
    }
}

impl FromStr for Secret {
    type Err = InvalidSecret;

    fn from_str(text: &str) -> Result<Self, InvalidSecret> {
        let standard_key = match text.strip_prefix(Self::PREFIX) {
            Some(encoded) => Some(decode_standard(encoded)?),
            None => {
                check_plain(text)?;
                None
            }
        };
        Ok(Self { text: Zeroizing::new(text.to_owned()), standard_key })
    }
}

/// Whether a text without the prefix is a secret.
fn check_plain(text: &str) -> Result<(), InvalidSecret> {
    if looks_like_another_key(text) {
        return Err(InvalidSecret::WrongKind);
    }
    if text.is_empty() || text.len() > Secret::MAX_LEN {
        return Err(InvalidSecret::Length);
    }
    let is_visible = text.bytes().all(|byte| matches!(byte, b' '..=b'~'));
    if is_visible { Ok(()) } else { Err(InvalidSecret::Characters) }
}

/// Public keys, private Ed25519 keys and misspelt prefixes: refused, so that a mix-up is not
/// signed with as if it were a password.
fn looks_like_another_key(text: &str) -> bool {
    ["whpk_", "whsk_", "hwsec_", "whsec"].iter().any(|prefix| text.starts_with(prefix))
}

fn decode_standard(encoded: &str) -> Result<Zeroizing<Vec<u8>>, InvalidSecret> {
    let key = STANDARD.decode(encoded).map(Zeroizing::new).map_err(|_| InvalidSecret::Encoding)?;
    if (24..=64).contains(&key.len()) { Ok(key) } else { Err(InvalidSecret::KeyLength) }
}

/// The text is no secret. The messages never repeat it.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidSecret {
    /// After `whsec_` there is no standard base64 with padding.
    #[error("not a valid secret: after whsec_ must come standard base64 with padding")]
    Encoding,
    /// The decoded key is too short or too long.
    #[error("not a valid secret: after whsec_ must come the base64 of 24 to 64 bytes")]
    KeyLength,
    /// A public key, a private key or a misspelt prefix.
    #[error("not a valid secret: this is another kind of key; expected whsec_... or plain text")]
    WrongKind,
    /// Empty, or longer than [`Secret::MAX_LEN`].
    #[error("not a valid secret: expected 1 to 255 characters")]
    Length,
    /// Holds something that is not visible ASCII.
    #[error("not a valid secret: expected visible ASCII characters")]
    Characters,
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn secrets_are_checked_at_the_door() {
        let encoded = |len| format!("whsec_{}", STANDARD.encode(vec![7; len]));
        for good in
            ["secret", "w", "It's a Secret", "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD", &encoded(64)]
        {
            assert!(good.parse::<Secret>().is_ok(), "{good}");
        }
        let table = [
            ("", InvalidSecret::Length),
            ("whsec_", InvalidSecret::KeyLength),
            ("whsec_%", InvalidSecret::Encoding),
            ("whsec_wronglength", InvalidSecret::Encoding),
            ("whpk_1SiA4o9hyqTCpIqC5V9HUakiiaeACeqfZTInDBbOir4=", InvalidSecret::WrongKind),
            ("whsk_6Xb", InvalidSecret::WrongKind),
            ("hwsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD", InvalidSecret::WrongKind),
            ("a\nb", InvalidSecret::Characters),
            (&encoded(23), InvalidSecret::KeyLength),
            (&encoded(65), InvalidSecret::KeyLength),
        ];
        for (text, expected) in table {
            assert_eq!(text.parse::<Secret>().unwrap_err(), expected, "{text:?}");
        }
    }

    #[test]
    fn only_a_prefixed_secret_has_a_standard_key() {
        let plain: Secret = "secret".parse().unwrap();
        assert!(plain.standard_key().is_none());
        assert!(!plain.is_standard());
    }

    proptest! {
        #[test]
        fn any_text_is_a_secret_that_never_shows_or_refused_without_being_repeated(
            text in prop_oneof![
                ".*",
                "[A-Za-z0-9]{12,40}",
                "(whsec_|whsk_|whpk_)[A-Za-z0-9+/]{12,90}={0,2}",
                "whsec_([A-Za-z0-9+/]{4}){1,30}",
                "[A-Z]{12}[\r\n\u{0}]",
            ],
        ) {
            match text.parse::<Secret>() {
                Ok(secret) => {
                    prop_assert_eq!(secret.reveal(), &text);
                    prop_assert_eq!(format!("{secret:?}"), "Secret(redacted)");
                    prop_assert!(text.len() <= Secret::MAX_LEN && !text.is_empty());
                    prop_assert!(text.bytes().all(|byte| matches!(byte, b' '..=b'~')));
                    let key = secret.standard_key();
                    prop_assert_eq!(key.is_some(), secret.is_standard());
                    prop_assert!(key.is_none_or(|key| (24..=64).contains(&key.len())));
                }
                Err(error) => {
                    let message = format!("{error} {error:?}");
                    prop_assert!(text.len() < 12 || !message.contains(&text), "{message}");
                }
            }
        }
    }
}
