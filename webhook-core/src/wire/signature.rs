//! Signing profiles: what is signed, and which headers carry it.
//!
//! A profile is pure formatting around one primitive, the MAC of the [`Signer`] port. Every attempt
//! is signed anew with the time of that attempt, over exactly the bytes that are sent.
//!
//! | profile | signed content | headers |
//! |---|---|---|
//! | `standard` ([Standard Webhooks](https://www.standardwebhooks.com) v1) | `{id}.{timestamp}.{body}` | `webhook-signature: v1,<base64> ...` |
//! | `body-hmac` | the body | `x-signature: <hex>`, `x-signature-256: sha256=<hex>` |

use std::fmt::{self, Write as _};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use http::{HeaderMap, HeaderName, HeaderValue};

use crate::{
    model::{
        exchange::SignerError,
        secret::Secret,
        signing::{Profile, Signing, SigningKey},
        time::Timestamp,
    },
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

impl Signing {
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
        if !self.keys().is_empty() && !self.keys().iter().any(is_active) {
            return Err(SignerError::new("every signing key of this endpoint has expired"));
        }
        for profile in self.profiles() {
            let active = self.keys().iter().filter(|key| is_active(key)).map(|key| &key.secret);
            match profile {
                Profile::Standard => sign_standard(signer, active, message, headers)?,
                Profile::BodyHmac => sign_body(signer, active, message.body, headers)?,
            }
        }
        Ok(())
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
    /// Distance between `9` and `a`, less one.
    const LETTER_OFFSET: u8 = b'a' - b'9' - 1;
    // Without a branch, so that many are made at once.
    let digit = |half: u8| b'0' + half + u8::from(half > 9) * LETTER_OFFSET;
    let mut digits = [0; HEX_LEN];
    for (pair, byte) in digits.as_chunks_mut().0.iter_mut().zip(mac) {
        *pair = [digit(byte >> 4), digit(byte & 15)];
    }
    to.push_str(std::str::from_utf8(&digits).unwrap_or_default());
}

/// What stands before the body in the content that the profile `standard` signs.
pub(crate) fn signed_prefix(id: &str, unix_secs: i64) -> String {
    /// Length of the longest number, and two dots.
    const MAX_NUMBER_LEN: usize = 20 + 2;
    let mut prefix = String::with_capacity(id.len() + MAX_NUMBER_LEN);
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_body_shows_in_debug() {
        let shown = format!("{:?}", Message::new("id", Timestamp::default(), b"c4nary"));
        assert!(shown.contains("body_bytes: 6") && !shown.contains("c4nary"), "{shown}");
    }
}
