//! HMAC-SHA256 on ring, for senders and for receivers.

use std::time::SystemTime;

use http::HeaderMap;
use ring::{
    hmac,
    rand::{SecureRandom, SystemRandom},
};
use webhook_core::{
    Secret, Timestamp,
    signing::{Signer, SignerError, Verifier, VerifyError, verify_body_signature},
};

/// The [`Signer`] port on [ring](https://docs.rs/ring): HMAC-SHA256 (RFC 2104, FIPS 180-4) and the
/// randomness of the operating system.
///
/// A key is expanded for each call and not kept. ring does not wipe its expanded keys, so traces of
/// a secret may remain on the stack for a while.
#[derive(Clone, Copy, Debug, Default)]
pub struct RingSigner;

impl Signer for RingSigner {
    fn hmac_sha256(&self, key: &[u8], content: &[&[u8]]) -> Result<[u8; 32], SignerError> {
        let mut context = hmac::Context::with_key(&hmac::Key::new(hmac::HMAC_SHA256, key));
        for part in content {
            context.update(part);
        }
        context.sign().as_ref().try_into().map_err(SignerError::new)
    }

    fn verify_hmac_sha256(&self, key: &[u8], content: &[&[u8]], tag: &[u8]) -> bool {
        // ring compares a tag with the code of one slice. The code of the parts is therefore
        // compared under a second code, which tells an attacker nothing by its timing.
        let Ok(expected) = self.hmac_sha256(key, content) else { return false };
        let blind = hmac::Key::new(hmac::HMAC_SHA256, key);
        let blinded = hmac::sign(&blind, tag);
        tag.len() == expected.len() && hmac::verify(&blind, &expected, blinded.as_ref()).is_ok()
    }

    fn fill_random(&self, bytes: &mut [u8]) -> Result<(), SignerError> {
        SystemRandom::new()
            .fill(bytes)
            .map_err(|_| SignerError::new("the operating system has no randomness to give"))
    }
}

/// Checks a request as it arrived, at the present time: `body` must be its raw bytes, before any
/// parsing.
///
/// # Errors
///
/// [`VerifyError`] says why the request must not be trusted.
///
/// ```
/// use webhook_core::{Secret, signing::{Verifier, VerifyError, WEBHOOK_ID}};
/// use webhook_http::verify;
///
/// let secret: Secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw".parse()?;
/// let unsigned = verify(&Verifier::new(secret), &http::HeaderMap::new(), b"{}");
/// assert_eq!(unsigned, Err(VerifyError::Missing(WEBHOOK_ID)));
/// # Ok::<(), webhook_core::error::InvalidSecret>(())
/// ```
pub fn verify(verifier: &Verifier, headers: &HeaderMap, body: &[u8]) -> Result<(), VerifyError> {
    verifier.verify(&RingSigner, headers, body, Timestamp::from(SystemTime::now()))
}

/// Whether `signature`, the value of `x-signature` or `x-signature-256`, is the one of `body` under
/// `secret`; takes the same time wherever the two differ.
///
/// It covers the body alone, neither its age nor its id: prefer [`verify`] with a `whsec_` secret.
///
/// ```
/// use webhook_http::verify_signature;
///
/// let secret = "It's a Secret to Everybody".parse()?;
/// let signature = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17";
/// assert!(verify_signature(b"Hello, World!", signature, &secret));
/// assert!(!verify_signature(b"Hello, world!", signature, &secret));
/// # Ok::<(), webhook_core::error::InvalidSecret>(())
/// ```
pub fn verify_signature(body: &[u8], signature: &str, secret: &Secret) -> bool {
    verify_body_signature(&RingSigner, body, signature, secret)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn content_is_the_concatenation_of_its_parts() {
        let whole = RingSigner.hmac_sha256(b"key", &[b"abcd"]).unwrap();
        for parts in [&[b"ab".as_slice(), b"cd"][..], &[b"", b"abcd"], &[b"a", b"b", b"c", b"d"]] {
            assert_eq!(RingSigner.hmac_sha256(b"key", parts).unwrap(), whole);
            assert!(RingSigner.verify_hmac_sha256(b"key", parts, &whole));
        }
    }

    #[test]
    fn only_the_whole_tag_verifies() {
        let content: &[&[u8]] = &[b"abcd"];
        let tag = RingSigner.hmac_sha256(b"key", content).unwrap();
        let longer = [&tag[..], b"\0"].concat();
        for wrong in [&[][..], &tag[..8], &tag[..31], &longer] {
            assert!(!RingSigner.verify_hmac_sha256(b"key", content, wrong), "{}", wrong.len());
        }
        for at in 0..tag.len() {
            let mut changed = tag;
            changed[at] ^= 1;
            assert!(!RingSigner.verify_hmac_sha256(b"key", content, &changed), "byte {at}");
        }
        assert!(!RingSigner.verify_hmac_sha256(b"other", content, &tag));
    }

    #[test]
    fn randomness_differs_from_call_to_call() {
        let [mut first, mut second] = [[0; 32]; 2];
        RingSigner.fill_random(&mut first).unwrap();
        RingSigner.fill_random(&mut second).unwrap();
        assert_ne!(first, second);
    }
}
