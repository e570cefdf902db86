//! The one cryptographic primitive, and randomness for new secrets.

use std::fmt;

use crate::model::exchange::SignerError;

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
}
