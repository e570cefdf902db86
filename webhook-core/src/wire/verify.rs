//! Verification, for receivers: is this request ours, and is it fresh?

use std::time::Duration;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use http::{HeaderMap, HeaderName};

use crate::{
    model::{secret::Secret, signing::Profile, time::Timestamp},
    port::Signer,
    wire::signature::{
        WEBHOOK_ID, WEBHOOK_SIGNATURE, WEBHOOK_TIMESTAMP, X_SIGNATURE, X_SIGNATURE_256,
        signed_prefix,
    },
};

/// Verifies requests under one or several secrets.
///
/// A `whsec_` secret verifies the profile `standard`, which covers id, time and body; any other
/// secret verifies `body-hmac`, which covers the body alone. A request never chooses the weaker of
/// the two by leaving headers out.
///
/// A receiver should also remember each `webhook-id` for a few minutes: a delivery may arrive twice.
#[derive(Clone, Debug)]
pub struct Verifier {
    secrets: Vec<Secret>,
    profile: Profile,
    tolerance: Duration,
}

impl Verifier {
    /// How far the time of a request may lie from the receiver's, in either direction.
    pub const TOLERANCE: Duration = Duration::from_secs(300);

    /// Signatures looked at in one header; more would be an attempt to keep us busy.
    const MAX_SIGNATURES: usize = 32;

    /// A verifier for one secret, with the profile that the secret serves best.
    pub fn new(secret: Secret) -> Self {
        let profile = if secret.is_standard() { Profile::Standard } else { Profile::BodyHmac };
        Self { secrets: vec![secret], profile, tolerance: Self::TOLERANCE }
    }

    /// Accepts another secret as well, while a key is being rotated.
    #[must_use]
    pub fn or(mut self, secret: Secret) -> Self {
        self.secrets.push(secret);
        self
    }

    /// Verifies this profile instead of the secret's best.
    #[must_use]
    pub const fn profile(mut self, profile: Profile) -> Self {
        self.profile = profile;
        self
    }

    /// Sets how far the time of a request may lie from the receiver's.
    #[must_use]
    pub const fn tolerance(mut self, tolerance: Duration) -> Self {
        self.tolerance = tolerance;
        self
    }

    /// Checks a request as it arrived: `body` must be the raw bytes, before any parsing.
    ///
    /// # Errors
    ///
    /// [`VerifyError`] says why the request must not be trusted.
    pub fn verify(
        &self,
        signer: &dyn Signer,
        headers: &HeaderMap,
        body: &[u8],
        now: Timestamp,
    ) -> Result<(), VerifyError> {
        match self.profile {
            Profile::Standard => self.verify_standard(signer, headers, body, now),
            Profile::BodyHmac => self.verify_body(signer, headers, body),
        }
    }

    fn verify_standard(
        &self,
        signer: &dyn Signer,
        headers: &HeaderMap,
        body: &[u8],
        now: Timestamp,
    ) -> Result<(), VerifyError> {
        let id = text(headers, &WEBHOOK_ID)?;
        let timestamp = parse_timestamp(text(headers, &WEBHOOK_TIMESTAMP)?)?;
        let signatures = text(headers, &WEBHOOK_SIGNATURE)?;
        if now.as_unix_secs().abs_diff(timestamp) > self.tolerance.as_secs() {
            return Err(VerifyError::Stale);
        }
        let prefix = signed_prefix(id, timestamp);
        let content = [prefix.as_bytes(), body];
        let tags = signatures.split(' ').take(Self::MAX_SIGNATURES);
        let mut tags = tags.filter_map(|entry| STANDARD.decode(entry.strip_prefix("v1,")?).ok());
        let keys: Vec<_> = self.secrets.iter().filter_map(Secret::standard_key).collect();
        let genuine =
            tags.any(|tag| keys.iter().any(|key| signer.verify_hmac_sha256(key, &content, &tag)));
        if genuine { Ok(()) } else { Err(VerifyError::Mismatch) }
    }

    fn verify_body(
        &self,
        signer: &dyn Signer,
        headers: &HeaderMap,
        body: &[u8],
    ) -> Result<(), VerifyError> {
        let signature = text(headers, &X_SIGNATURE_256).or_else(|_| text(headers, &X_SIGNATURE))?;
        let genuine = self
            .secrets
            .iter()
            .any(|secret| verify_body_signature(signer, body, signature, secret));
        if genuine { Ok(()) } else { Err(VerifyError::Mismatch) }
    }
}

/// Whether `signature` (hexadecimal, with or without `sha256=` before it) is the one of `body` in
/// the profile `body-hmac`.
pub fn verify_body_signature(
    signer: &dyn Signer,
    body: &[u8],
    signature: &str,
    secret: &Secret,
) -> bool {
    let hex = signature.strip_prefix("sha256=").unwrap_or(signature);
    decode_hex(hex)
        .is_some_and(|tag| signer.verify_hmac_sha256(secret.reveal().as_bytes(), &[body], &tag))
}

fn decode_hex(hex: &str) -> Option<Vec<u8>> {
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let pairs = hex.as_bytes().chunks(2);
    pairs
        .map(
            |pair| {
                if let [high, low] = pair { Some(digit(*high)? << 4 | digit(*low)?) } else { None }
            },
        )
        .collect()
}

fn text<'h>(headers: &'h HeaderMap, name: &HeaderName) -> Result<&'h str, VerifyError> {
    let value = headers.get(name).ok_or_else(|| VerifyError::Missing(name.clone()))?;
    value.to_str().map_err(|_| VerifyError::Mismatch)
}

fn parse_timestamp(text: &str) -> Result<i64, VerifyError> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|_| digits).ok_or(VerifyError::Timestamp)
}

/// A request must not be trusted.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum VerifyError {
    /// A header that the profile needs is not there.
    #[error("header {0} is missing")]
    Missing(HeaderName),
    /// The timestamp is not a whole number of seconds.
    #[error("header webhook-timestamp is not a whole number of seconds")]
    Timestamp,
    /// The request was signed too long ago, or in the future: a replay, or a wrong clock.
    #[error("signed too long ago or in the future; a replay, or a clock is wrong")]
    Stale,
    /// No signature fits: another secret, or the body was changed on its way.
    #[error("no signature matches; another secret, or the body was changed before verification")]
    Mismatch,
}
