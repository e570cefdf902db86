//! AES-256-GCM on ring, for secrets that are stored.

mod key;

use std::{fmt, sync::Arc};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use ring::{
    aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey},
    rand::{SecureRandom as _, SystemRandom},
};
use webhook_core::store::{SEALED, SecretVault, VaultError, VaultErrorKind};
use zeroize::Zeroizing;

pub use key::{InvalidVaultKey, VaultKey};

/// The [`SecretVault`] port on [ring](https://docs.rs/ring): AES-256-GCM (NIST SP 800-38D) with a
/// random nonce of 96 bits for each seal.
///
/// A sealed text is `sealed:1:KEY:TEXT`: the version of this form, the name of the key, and the
/// standard base64 of nonce, cipher text and tag. The context is the associated data. Random nonces
/// are good for 2^32 seals under one key, far more than anybody edits endpoints; replace the key
/// before.
///
/// ring does not wipe its expanded keys; a vault lives as long as its process, so they do too.
///
/// ```
/// use webhook_core::store::SecretVault;
/// use webhook_http::{RingVault, VaultKey};
///
/// let (old, new) = (VaultKey::generate()?, VaultKey::generate()?);
/// let sealed = RingVault::new(old.clone()).seal(b"secret", b"its place")?;
///
/// let vault = RingVault::new(new).with_former(old);
/// assert_eq!(vault.open(&sealed, b"its place")?.as_slice(), b"secret");
/// assert!(!vault.is_current(&sealed));
/// assert!(vault.open(&sealed, b"another place").is_err());
/// # Ok::<(), webhook_core::store::VaultError>(())
/// ```
#[derive(Clone)]
pub struct RingVault {
    current: Arc<ExpandedKey>,
    former: Vec<Arc<ExpandedKey>>,
}

/// A key that is expanded for the cipher, with its id.
struct ExpandedKey {
    id: String,
    expanded: LessSafeKey,
}

/// Version of the format of sealed texts.
const FORMAT_VERSION: &str = "1";

impl RingVault {
    /// A vault that seals with `current`.
    pub fn new(current: VaultKey) -> Self {
        Self { current: Arc::new(ExpandedKey::of(&current)), former: Vec::new() }
    }

    /// Adds a key that opens what was sealed with it, and seals nothing more.
    #[must_use]
    pub fn with_former(mut self, key: VaultKey) -> Self {
        self.former.push(Arc::new(ExpandedKey::of(&key)));
        self
    }

    fn key(&self, id: &str) -> Option<&ExpandedKey> {
        let mut all = std::iter::once(&self.current).chain(&self.former);
        all.find(|key| key.id == id).map(Arc::as_ref)
    }
}

impl ExpandedKey {
    fn of(key: &VaultKey) -> Self {
        #[expect(clippy::expect_used, reason = "a VaultKey has the length that the cipher wants")]
        let expanded = UnboundKey::new(&AES_256_GCM, key.bytes()).expect("a key of 32 bytes");
        Self { id: key.id(), expanded: LessSafeKey::new(expanded) }
    }

    fn seal(
        &self,
        nonce: [u8; NONCE_LEN],
        plain: &[u8],
        context: &[u8],
    ) -> Result<String, VaultError> {
        // Encrypted where it stands, so that the plain text is in no second place.
        let mut text = Zeroizing::new(Vec::with_capacity(plain.len() + AES_256_GCM.tag_len()));
        text.extend_from_slice(plain);
        let key = &self.expanded;
        let nonce_bytes = nonce;
        let nonce = Nonce::assume_unique_for_key(nonce);
        let sealed = key.seal_in_place_append_tag(nonce, Aad::from(context), &mut *text);
        sealed.map_err(|_| VaultError::because(VaultErrorKind::Other, "it is too long"))?;
        let encoded = STANDARD.encode([&nonce_bytes[..], text.as_slice()].concat());
        Ok(format!("{SEALED}{FORMAT_VERSION}:{}:{encoded}", self.id))
    }

    fn open(&self, encoded: &str, context: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
        let mut bytes = Zeroizing::new(STANDARD.decode(encoded).ok()?);
        let (nonce, text) = bytes.split_at_mut_checked(NONCE_LEN)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).ok()?;
        let plain = self.expanded.open_in_place(nonce, Aad::from(context), text).ok()?;
        Some(Zeroizing::new(plain.to_vec()))
    }
}

/// The name of the key and what it has encrypted.
fn parts(sealed: &str) -> Option<(&str, &str)> {
    sealed.strip_prefix(SEALED)?.strip_prefix(FORMAT_VERSION)?.strip_prefix(':')?.split_once(':')
}

impl SecretVault for RingVault {
    fn seal(&self, plain: &[u8], context: &[u8]) -> Result<String, VaultError> {
        let mut nonce = [0; NONCE_LEN];
        let filled = SystemRandom::new().fill(&mut nonce);
        filled.map_err(|_| VaultError::new(VaultErrorKind::NoRandomness))?;
        self.current.seal(nonce, plain, context)
    }

    fn open(&self, sealed: &str, context: &[u8]) -> Result<Zeroizing<Vec<u8>>, VaultError> {
        let (id, encoded) = parts(sealed).ok_or(VaultError::new(VaultErrorKind::Changed))?;
        let key = self.key(id).ok_or(VaultError::new(VaultErrorKind::NoKey))?;
        key.open(encoded, context).ok_or(VaultError::new(VaultErrorKind::Changed))
    }

    fn is_current(&self, sealed: &str) -> bool {
        parts(sealed).is_some_and(|(id, _)| id == self.current.id)
    }
}

impl fmt::Debug for RingVault {
    /// The names of the keys: they stand in every sealed text.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let former: Vec<_> = self.former.iter().map(|key| &key.id).collect();
        f.debug_struct("RingVault")
            .field("current", &self.current.id)
            .field("former", &former)
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const TEST_KEY: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
    const TEST_CONTEXT: &[u8] = b"endpoint 1 headers";
    const TEST_PLAIN_TEXT: &[u8] = br#"[["authorization","Bearer t0ken"]]"#;
    /// By `AESGCM` of Python's `cryptography` 48.0, which is OpenSSL's.
    const SEALED_BY_OPENSSL: &str = "sealed:1:5a4df1dbdc67:oKGio6SlpqeoqaqrvUNeTDC/atAQDP2ycxOvsFKAe1L31jAJ7i5SthTOGyOPK+TGgnnPVZcfLloPdauyjZM=";

    fn vault() -> RingVault {
        RingVault::new(TEST_KEY.parse().unwrap())
    }

    #[test]
    fn another_implementation_seals_to_the_same_text() {
        let nonce = std::array::from_fn(|at| 0xa0 + u8::try_from(at).unwrap());
        assert_eq!(
            vault().current.seal(nonce, TEST_PLAIN_TEXT, TEST_CONTEXT).unwrap(),
            SEALED_BY_OPENSSL
        );
        assert_eq!(
            vault().open(SEALED_BY_OPENSSL, TEST_CONTEXT).unwrap().as_slice(),
            TEST_PLAIN_TEXT
        );
    }

    #[test]
    fn neither_key_nor_bytes_of_it_show() {
        let key: VaultKey = TEST_KEY.parse().unwrap();
        let shown = format!("{key:?} {:?} {:#?}", vault(), vault().with_former(key.clone()));
        assert!(!shown.contains("AAEC") && !shown.contains("000102"), "{shown}");
        for wrong in
            ["", "AAEC", &TEST_KEY[4..], &format!("{TEST_KEY} "), &format!("AAAA{TEST_KEY}")]
        {
            let error = wrong.parse::<VaultKey>().unwrap_err();
            assert!(wrong.is_empty() || !error.to_string().contains(wrong), "{wrong}");
        }
    }

    #[test]
    fn a_key_that_is_missing_is_told_from_a_text_that_was_changed() {
        let kind =
            |vault: &RingVault, sealed: &str| vault.open(sealed, TEST_CONTEXT).unwrap_err().kind();
        let other = RingVault::new(VaultKey::generate().unwrap());
        assert_eq!(kind(&other, SEALED_BY_OPENSSL), VaultErrorKind::NoKey);
        let cut = SEALED_BY_OPENSSL.rsplit_once(':').unwrap().0;
        for changed in
            ["", "[]", "sealed:", "sealed:2:a:b", cut, &format!("{cut}:"), &format!("{cut}:AAAA")]
        {
            assert_eq!(kind(&vault(), changed), VaultErrorKind::Changed, "{changed}");
        }
    }

    proptest! {
        #[test]
        fn what_is_sealed_opens_in_its_place_alone(
            plain: Vec<u8>, context: Vec<u8>, other: Vec<u8>,
        ) {
            let sealed = vault().seal(&plain, &context).unwrap();
            prop_assert!(sealed.is_ascii() && vault().is_current(&sealed));
            let opened = vault().open(&sealed, &context).unwrap();
            prop_assert_eq!(opened.as_slice(), plain.as_slice());
            prop_assert_ne!(vault().seal(&plain, &context).unwrap(), sealed.clone());
            prop_assert_eq!(vault().open(&sealed, &other).is_ok(), other == context);
        }

        #[test]
        fn one_changed_bit_is_refused(plain: Vec<u8>, at: prop::sample::Index, bit in 0..8u32) {
            let sealed = vault().seal(&plain, TEST_CONTEXT).unwrap();
            let (head, encoded) = sealed.rsplit_once(':').unwrap();
            let mut bytes = STANDARD.decode(encoded).unwrap();
            let at = at.index(bytes.len());
            bytes[at] ^= 1 << bit;
            let changed = format!("{head}:{}", STANDARD.encode(bytes));
            prop_assert!(vault().open(&changed, TEST_CONTEXT).is_err());
        }

        #[test]
        fn no_text_panics(text: String) {
            let _ = vault().open(&text, TEST_CONTEXT);
            let _ = vault().open(&format!("sealed:1:{}:{text}", vault().current.id), TEST_CONTEXT);
        }
    }
}
