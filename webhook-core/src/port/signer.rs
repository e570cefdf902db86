//! The one cryptographic primitive, and randomness for new secrets.

use std::fmt;

use zeroize::Zeroizing;

use crate::model::{exchange::SignerError, secret::Secret};

/// Size of a generated key: the output size of SHA-256.
const GENERATED_KEY_BYTES: usize = 32;

/// Computes message authentication codes.
///
/// The signing profiles (which headers, which bytes, which encoding) are the core's; an adapter
/// brings HMAC-SHA256 (RFC 2104, FIPS 180-4) and the randomness of the operating system.
///
/// # Contract
///
/// - `content` is the concatenation of its parts; an adapter need not copy them together.
/// - [`verify_hmac_sha256`](Self::verify_hmac_sha256) takes the same time wherever a tag differs.
/// - Neither key nor content is logged or kept.
pub trait Signer: fmt::Debug + Send + Sync + 'static {
    /// The HMAC-SHA256 of `content` under `key`.
    ///
    /// # Errors
    ///
    /// [`SignerError`] when no code can be made now. The attempt is then not sent, and not counted
    /// against the receiver.
    fn hmac_sha256(&self, key: &[u8], content: &[&[u8]]) -> Result<[u8; 32], SignerError>;

    /// Whether `tag` is the whole HMAC-SHA256 of `content` under `key`.
    fn verify_hmac_sha256(&self, key: &[u8], content: &[&[u8]], tag: &[u8]) -> bool;

    /// Fills `bytes` with randomness fit for keys.
    ///
    /// # Errors
    ///
    /// [`SignerError`] when there is none.
    fn fill_random(&self, bytes: &mut [u8]) -> Result<(), SignerError>;

    /// Generates a `whsec_` secret of 32 random bytes. Adapters keep this implementation.
    ///
    /// # Errors
    ///
    /// [`SignerError`] from [`fill_random`](Self::fill_random).
    fn generate_secret(&self) -> Result<Secret, SignerError> {
        let mut key = Zeroizing::new(vec![0; GENERATED_KEY_BYTES]);
        self.fill_random(&mut key)?;
        Ok(Secret::from_standard_key(key))
    }
}
