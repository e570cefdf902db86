//! Signing profiles: what is signed, and which headers carry it.
//!
//! A profile is pure formatting around one primitive, the MAC of the [`Signer`] port. Every attempt
//! is signed anew with the time of that attempt, over exactly the bytes that are sent.
//!
//! | profile | signed content | headers |
//! |---|---|---|
//! | `standard` ([Standard Webhooks](https://www.standardwebhooks.com) v1) | `{id}.{timestamp}.{body}` | `webhook-signature: v1,<base64> ...` |
//! | `body-hmac` | the body | `x-signature: <hex>`, `x-signature-256: sha256=<hex>` |

use std::{
    fmt::{self, Write as _},
    str::FromStr,
    time::Duration,
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use http::{HeaderMap, HeaderName, HeaderValue};

use crate::{
    model::{exchange::SignerError, secret::Secret, text::serde_as_text, time::Timestamp},
    port::Signer,
};

/// `webhook-id`: the event's id, the receiver's idempotency key.
pub const WEBHOOK_ID: HeaderName = HeaderName::from_static("webhook-id");
/// `webhook-timestamp`: Unix seconds of the attempt.
pub const WEBHOOK_TIMESTAMP: HeaderName = HeaderName::from_static("webhook-timestamp");
/// `webhook-signature`: the signatures of the profile `standard`, separated by blanks, in one line.
pub const WEBHOOK_SIGNATURE: HeaderName = HeaderName::from_static("webhook-signature");
/// `x-signature`: lower-case hexadecimal HMAC-SHA256 of the body.
pub const X_SIGNATURE: HeaderName = HeaderName::from_static("x-signature");
/// `x-signature-256`: `sha256=` and the same.
pub const X_SIGNATURE_256: HeaderName = HeaderName::from_static("x-signature-256");

/// A named way to sign.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
#[non_exhaustive]
pub enum Profile {
    /// Standard Webhooks v1: HMAC-SHA256 of id, timestamp and body under the decoded key.
    Standard,
    /// HMAC-SHA256 of the body under the secret's whole text, in hexadecimal.
    BodyHmac,
}

impl Profile {
    /// The profiles an endpoint signs with unless told otherwise, as far as its secret serves them.
    pub const DEFAULT: [Self; 2] = [Self::Standard, Self::BodyHmac];

    /// The profile's name in settings.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Standard => "standard",
            Self::BodyHmac => "body-hmac",
        }
    }
}

impl fmt::Display for Profile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Profile {
    type Err = InvalidSigning;

    fn from_str(name: &str) -> Result<Self, InvalidSigning> {
        Self::DEFAULT
            .into_iter()
            .find(|profile| profile.as_str() == name)
            .ok_or(InvalidSigning::UnknownProfile)
    }
}

serde_as_text!(Profile);

/// A secret, and until when it signs.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct SigningKey {
    /// The secret.
    pub secret: Secret,
    /// When it stops signing; never, when absent.
    pub expires_at: Option<Timestamp>,
}

impl SigningKey {
    /// A key that does not expire.
    pub const fn new(secret: Secret) -> Self {
        Self { secret, expires_at: None }
    }

    /// Sets when it stops signing.
    #[must_use]
    pub const fn with_expiry(mut self, at: Option<Timestamp>) -> Self {
        self.expires_at = at;
        self
    }

    fn is_active(&self, now: Timestamp) -> bool {
        self.expires_at.is_none_or(|at| now < at)
    }
}

/// What an endpoint signs with: its keys, the current one first, and its profiles.
///
/// Always consistent: a key without the `whsec_` prefix never meets the profile `standard`.
#[derive(Clone, Debug, Default)]
pub struct Signing {
    keys: Vec<SigningKey>,
    profiles: Vec<Profile>,
}

impl Signing {
    /// The most keys that an endpoint may have: each makes a signature, and a header has to end.
    pub const MAX_KEYS: usize = 5;

    /// How long former keys go on signing after a rotation, unless told otherwise: a day to bring the
    /// new secret to every receiver.
    pub const OVERLAP: Duration = Duration::from_secs(24 * 60 * 60);

    /// The longest such time: a secret that is replaced should end some day.
    pub const MAX_OVERLAP: Duration = Duration::from_secs(7 * 24 * 60 * 60);

    /// No secret, no signature headers.
    pub const fn unsigned() -> Self {
        Self { keys: Vec::new(), profiles: Vec::new() }
    }

    /// Signs with `secret` in every default profile that it serves: both for a `whsec_` secret,
    /// `body-hmac` alone for any other.
    pub fn with_secret(secret: Secret) -> Self {
        let profiles =
            Profile::DEFAULT.into_iter().filter(|&profile| serves(&secret, profile)).collect();
        Self { keys: vec![SigningKey::new(secret)], profiles }
    }

    /// Signs with `keys` in exactly `profiles`.
    ///
    /// # Errors
    ///
    /// [`InvalidSigning`] when a key cannot sign in one of the profiles, keys have no profile or profiles
    /// no key, or there are more than [`MAX_KEYS`](Self::MAX_KEYS).
    pub fn new(keys: Vec<SigningKey>, profiles: Vec<Profile>) -> Result<Self, InvalidSigning> {
        if keys.is_empty() && !profiles.is_empty() {
            return Err(InvalidSigning::NoSecret);
        }
        if profiles.is_empty() && !keys.is_empty() {
            return Err(InvalidSigning::NoProfile);
        }
        if keys.len() > Self::MAX_KEYS {
            return Err(InvalidSigning::TooManyKeys);
        }
        let served =
            |key: &SigningKey| profiles.iter().all(|&profile| serves(&key.secret, profile));
        if keys.iter().all(served) {
            Ok(Self { keys, profiles })
        } else {
            Err(InvalidSigning::NeedsPrefix)
        }
    }

    /// The same with `secret` as the current key. The keys of before sign beside it for `overlap`, or
    /// until they end if that is sooner; those that have ended are let go. With an overlap of zero
    /// `secret` is the only key from now on.
    ///
    /// In the profile `standard` all of them sign at once, so that a receiver may know any. The headers
    /// of `body-hmac` hold one signature, which the new key makes from now on.
    ///
    /// ```
    /// use webhook_core::{Secret, Signing, Timestamp};
    ///
    /// let (old, new): (Secret, Secret) = (
    ///     "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw".parse()?,
    ///     "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD".parse()?,
    /// );
    /// let now = Timestamp::from_unix_secs(1_700_000_000);
    /// let signing = Signing::with_secret(old).rotated(new, now, Signing::OVERLAP)?;
    /// assert_eq!(signing.keys().len(), 2);
    /// assert_eq!(signing.keys()[1].expires_at, Some(now.after(Signing::OVERLAP)));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`InvalidSigning`] when the secret cannot sign in one of the profiles, the overlap is longer
    /// than [`MAX_OVERLAP`](Self::MAX_OVERLAP), or [`MAX_KEYS`](Self::MAX_KEYS) sign already.
    pub fn rotated(
        &self,
        secret: Secret,
        now: Timestamp,
        overlap: Duration,
    ) -> Result<Self, InvalidSigning> {
        if overlap > Self::MAX_OVERLAP {
            return Err(InvalidSigning::LongOverlap);
        }
        if self.keys.is_empty() {
            return Ok(Self::with_secret(secret));
        }
        let end = now.after(overlap);
        let former = self.keys.iter().cloned().map(|mut key| {
            key.expires_at = Some(key.expires_at.map_or(end, |at| at.min(end)));
            key
        });
        let former = former.filter(|key| key.is_active(now));
        let keys = [SigningKey::new(secret)].into_iter().chain(former).collect();
        Self::new(keys, self.profiles.clone())
    }

    /// The keys, the current one first.
    pub fn keys(&self) -> &[SigningKey] {
        &self.keys
    }

    /// The profiles, in the order they were named.
    pub fn profiles(&self) -> &[Profile] {
        &self.profiles
    }

    /// Adds the signature headers of every profile to `headers`, made with every active key.
    ///
    /// # Errors
    ///
    /// [`SignerError`] when the signer cannot sign, or every key has expired; nothing is sent
    /// unsigned then.
    pub fn sign(
        &self,
        signer: &dyn Signer,
        message: &Message<'_>,
        headers: &mut HeaderMap,
    ) -> Result<(), SignerError> {
        let is_active = |key: &SigningKey| key.is_active(message.timestamp);
        if !self.keys.is_empty() && !self.keys.iter().any(is_active) {
            return Err(SignerError::new("every signing key of this endpoint has expired"));
        }
        for profile in &self.profiles {
            let active = self.keys.iter().filter(|key| is_active(key)).map(|key| &key.secret);
            match profile {
                Profile::Standard => sign_standard(signer, active, message, headers)?,
                Profile::BodyHmac => sign_body(signer, active, message.body, headers)?,
            }
        }
        Ok(())
    }
}

fn serves(secret: &Secret, profile: Profile) -> bool {
    match profile {
        Profile::Standard => secret.is_standard(),
        Profile::BodyHmac => true,
    }
}

/// What a signature is made over.
#[derive(Clone, Copy)]
#[non_exhaustive]
pub struct Message<'a> {
    /// The value of `webhook-id`.
    pub id: &'a str,
    /// The time of this attempt.
    pub timestamp: Timestamp,
    /// The body, byte for byte.
    pub body: &'a [u8],
}

impl<'a> Message<'a> {
    /// A message of these parts.
    pub const fn new(id: &'a str, timestamp: Timestamp, body: &'a [u8]) -> Self {
        Self { id, timestamp, body }
    }
}

impl fmt::Debug for Message<'_> {
    /// Not the body: it is the customer's.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Message")
            .field("id", &self.id)
            .field("timestamp", &self.timestamp)
            .field("body_bytes", &self.body.len())
            .finish()
    }
}

/// The signature of one message under one secret in the profile `standard`: `v1,<base64>`.
///
/// # Errors
///
/// [`SignerError`] when the secret has no `whsec_` prefix or the signer cannot sign.
pub fn standard_signature(
    signer: &dyn Signer,
    secret: &Secret,
    message: &Message<'_>,
) -> Result<String, SignerError> {
    let mut signature = String::with_capacity(STANDARD_SIGNATURE_LEN);
    push_standard(signer, secret, message, &mut signature)?;
    Ok(signature)
}

/// Bytes of `v1,` and the base64 of 32 bytes.
const STANDARD_SIGNATURE_LEN: usize = 3 + 44;

fn push_standard(
    signer: &dyn Signer,
    secret: &Secret,
    message: &Message<'_>,
    to: &mut String,
) -> Result<(), SignerError> {
    let key = secret
        .standard_key()
        .ok_or_else(|| SignerError::new("the profile standard needs a whsec_ secret"))?;
    let prefix = signed_prefix(message.id, message.timestamp.as_unix_secs());
    let mac = signer.hmac_sha256(key, &[prefix.as_bytes(), message.body])?;
    to.push_str("v1,");
    STANDARD.encode_string(mac, to);
    Ok(())
}

/// The signature of a body under one secret in the profile `body-hmac`: lower-case hexadecimal.
///
/// # Errors
///
/// [`SignerError`] when the signer cannot sign.
pub fn body_signature(
    signer: &dyn Signer,
    secret: &Secret,
    body: &[u8],
) -> Result<String, SignerError> {
    let mut hex = String::with_capacity(HEX_LEN);
    push_hex(&signer.hmac_sha256(secret.reveal().as_bytes(), &[body])?, &mut hex);
    Ok(hex)
}

/// Hexadecimal digits of 32 bytes.
const HEX_LEN: usize = 64;

/// By hand: formatting each byte costs as much as signing a short body.
fn push_hex(mac: &[u8; 32], to: &mut String) {
    /// How much further `a` is than what comes behind `9`.
    const GAP: u8 = b'a' - b'9' - 1;
    // Without a branch, so that many are made at once.
    let digit = |half: u8| b'0' + half + u8::from(half > 9) * GAP;
    let mut digits = [0; HEX_LEN];
    for (pair, byte) in digits.as_chunks_mut().0.iter_mut().zip(mac) {
        *pair = [digit(byte >> 4), digit(byte & 15)];
    }
    to.push_str(std::str::from_utf8(&digits).unwrap_or_default());
}

/// What stands before the body in the content that the profile `standard` signs.
pub(crate) fn signed_prefix(id: &str, unix_secs: i64) -> String {
    /// Of the longest number, and two dots.
    const REST: usize = 20 + 2;
    let mut prefix = String::with_capacity(id.len() + REST);
    // A string takes whatever is written.
    let _ = write!(prefix, "{id}.{unix_secs}.");
    prefix
}

fn sign_standard<'s>(
    signer: &dyn Signer,
    secrets: impl Iterator<Item = &'s Secret>,
    message: &Message<'_>,
    headers: &mut HeaderMap,
) -> Result<(), SignerError> {
    // One line: receivers read only the first header of this name.
    let mut signatures = String::with_capacity(STANDARD_SIGNATURE_LEN);
    for secret in secrets {
        if !signatures.is_empty() {
            signatures.push(' ');
        }
        push_standard(signer, secret, message, &mut signatures)?;
    }
    if signatures.is_empty() { Ok(()) } else { put(headers, WEBHOOK_SIGNATURE, signatures) }
}

fn sign_body<'s>(
    signer: &dyn Signer,
    mut secrets: impl Iterator<Item = &'s Secret>,
    body: &[u8],
    headers: &mut HeaderMap,
) -> Result<(), SignerError> {
    // These headers hold one signature, so the current key makes it.
    let Some(secret) = secrets.next() else { return Ok(()) };
    let hex = body_signature(signer, secret, body)?;
    put(headers, X_SIGNATURE_256, ["sha256=", &hex].concat())?;
    put(headers, X_SIGNATURE, hex)
}

fn put(headers: &mut HeaderMap, name: HeaderName, value: String) -> Result<(), SignerError> {
    let value = HeaderValue::try_from(value).map_err(SignerError::new)?;
    headers.insert(name, value);
    Ok(())
}

/// Keys and profiles do not fit together.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidSigning {
    /// `standard` was asked for with a secret that cannot serve it.
    #[error(
        "the profile standard needs a secret that starts with whsec_; use body-hmac, or another secret"
    )]
    NeedsPrefix,
    /// Profiles without a secret.
    #[error("a signing profile needs a secret")]
    NoSecret,
    /// A secret without a profile to sign with.
    #[error(
        "a secret needs a signing profile; name standard or body-hmac, or leave out the secret"
    )]
    NoProfile,
    /// More keys than may sign at once.
    #[error(
        "five secrets sign for this endpoint already; wait until one of them ends, or rotate with an overlap of 0s"
    )]
    TooManyKeys,
    /// Former keys would sign for too long.
    #[error("former secrets can sign for at most 7 days more; choose a shorter overlap")]
    LongOverlap,
    /// No profile has this name.
    #[error("unknown signing profile; expected standard or body-hmac")]
    UnknownProfile,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn profiles_have_stable_names() {
        for (profile, name) in [(Profile::Standard, "standard"), (Profile::BodyHmac, "body-hmac")] {
            assert_eq!(profile.to_string(), name);
            assert_eq!(name.parse(), Ok(profile));
        }
        assert_eq!("none".parse::<Profile>(), Err(InvalidSigning::UnknownProfile));
    }

    #[test]
    fn no_body_shows_in_debug() {
        let shown = format!("{:?}", Message::new("id", Timestamp::default(), b"c4nary"));
        assert!(shown.contains("body_bytes: 6") && !shown.contains("c4nary"), "{shown}");
    }
}
