//! A signer without cryptography.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use webhook_core::signing::{Signer, SignerError};

/// Signs in a way that anybody can forge, and everybody can read: **never for production**.
///
/// Its codes depend on key and content as real ones do, so that a wrong secret or a changed body
/// shows in a test; they begin with `plain-signature-`, so that nobody takes them for real. Clones
/// go on with the same "randomness", which is the same in every run.
///
/// ```
/// use webhook_core::signing::Signer;
/// use webhook_testkit::PlainSigner;
///
/// let tag = PlainSigner::new().hmac_sha256(b"key", &[b"content"])?;
/// assert!(tag.starts_with(b"plain-signature-"));
/// assert!(PlainSigner::new().verify_hmac_sha256(b"key", &[b"con", b"tent"], &tag));
/// # Ok::<(), webhook_core::signing::SignerError>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct PlainSigner {
    filled: Arc<AtomicU64>,
}

impl PlainSigner {
    const PREFIX: &str = "plain-signature-";

    /// A signer whose "randomness" begins anew.
    pub fn new() -> Self {
        Self::default()
    }
}

impl Signer for PlainSigner {
    fn hmac_sha256(&self, key: &[u8], content: &[&[u8]]) -> Result<[u8; 32], SignerError> {
        let content = content.iter().flat_map(|part| part.iter());
        let hash = fnv1a(key.iter().chain(&[0]).chain(content));
        let text = format!("{}{hash:016x}", Self::PREFIX);
        text.as_bytes().try_into().map_err(SignerError::new)
    }

    fn verify_hmac_sha256(&self, key: &[u8], content: &[&[u8]], tag: &[u8]) -> bool {
        self.hmac_sha256(key, content).is_ok_and(|expected| expected == tag)
    }

    fn fill_random(&self, bytes: &mut [u8]) -> Result<(), SignerError> {
        let number = self.filled.fetch_add(1, Ordering::Relaxed) + 1;
        for (at, byte) in bytes.iter_mut().enumerate() {
            let at = at.to_le_bytes();
            [*byte, ..] = fnv1a(number.to_le_bytes().iter().chain(&at)).to_be_bytes();
        }
        Ok(())
    }
}

/// FNV-1a, 64 bits: spreads well enough for tests, and says by its simplicity that it is no more.
pub(crate) fn fnv1a<'b>(bytes: impl Iterator<Item = &'b u8>) -> u64 {
    bytes.fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_key_or_content_gives_another_code() {
        let signer = PlainSigner::new();
        let tag = |key: &[u8], content: &[u8]| signer.hmac_sha256(key, &[content]).unwrap();
        assert_eq!(tag(b"a", b"b"), tag(b"a", b"b"));
        assert_ne!(tag(b"a", b"b"), tag(b"a", b"c"));
        assert_ne!(tag(b"a", b"b"), tag(b"c", b"b"));
        assert!(!signer.verify_hmac_sha256(b"a", &[b"b"], &tag(b"a", b"c")));
        assert!(!signer.verify_hmac_sha256(b"a", &[b"b"], &tag(b"a", b"b")[..31]));
    }

    #[test]
    fn two_keys_differ_in_one_run_and_not_between_runs() {
        let fill = |signer: &PlainSigner| {
            let mut key = [0; 32];
            signer.fill_random(&mut key).unwrap();
            key
        };
        let signer = PlainSigner::new();
        let (first, second) = (fill(&signer), fill(&signer));
        assert_ne!(first, second);
        assert_eq!(fill(&PlainSigner::new()), first);
    }
}
