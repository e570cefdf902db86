//! The headers of a request, signed by ring with nothing around it.

use std::time::{SystemTime, UNIX_EPOCH};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use http::{HeaderMap, HeaderValue, header};
use ring::hmac;

use crate::Failure;

/// The secret of the receiver, as Standard Webhooks has it; the text as a whole is the key of the other
/// profile.
pub(super) const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

/// Signs as the library does: over id, time and body, and over the body alone.
pub(super) struct Signed {
    standard: hmac::Key,
    plain: hmac::Key,
}

impl Signed {
    pub(super) fn new() -> Result<Self, Failure> {
        let key = STANDARD.decode(SECRET.trim_start_matches("whsec_"))?;
        Ok(Self {
            standard: hmac::Key::new(hmac::HMAC_SHA256, &key),
            plain: hmac::Key::new(hmac::HMAC_SHA256, SECRET.as_bytes()),
        })
    }

    /// The headers of one attempt, those of the library.
    pub(super) fn headers(&self, body: &[u8]) -> Result<HeaderMap, Failure> {
        let id = uuid::Uuid::now_v7().simple().to_string();
        let seconds = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs().to_string();
        let mut context = hmac::Context::with_key(&self.standard);
        for part in [id.as_bytes(), b".", seconds.as_bytes(), b".", body] {
            context.update(part);
        }
        let standard = format!("v1,{}", STANDARD.encode(context.sign()));
        let plain = hex(hmac::sign(&self.plain, body).as_ref());
        let mut headers = HeaderMap::with_capacity(12);
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert(header::USER_AGENT, HeaderValue::from_static("webhook/0.1"));
        headers.insert("x-event-type", HeaderValue::from_static("invoice.paid"));
        headers.insert("webhook-id", HeaderValue::try_from(id)?);
        headers.insert("webhook-timestamp", HeaderValue::try_from(seconds.as_str())?);
        headers.insert("x-timestamp", HeaderValue::try_from(seconds)?);
        headers.insert("webhook-signature", HeaderValue::try_from(standard)?);
        headers.insert("x-signature-256", HeaderValue::try_from(format!("sha256={plain}"))?);
        headers.insert("x-signature", HeaderValue::try_from(plain)?);
        Ok(headers)
    }
}

fn hex(bytes: &[u8]) -> String {
    const DIGITS: [char; 16] =
        ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'a', 'b', 'c', 'd', 'e', 'f'];
    let digit = |half: u8| DIGITS.get(usize::from(half)).copied().unwrap_or('0');
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}
