//! The key of a vault.

use std::{fmt, str::FromStr};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use ring::{
    digest,
    rand::{SecureRandom as _, SystemRandom},
};
use webhook_core::store::{VaultError, VaultErrorKind};
use zeroize::Zeroizing;

/// A key of 256 bits, wiped from memory when dropped; as text the standard base64 of its 32 bytes.
///
/// It has no `Display`, and its `Debug` is redacted.
///
/// ```
/// use webhook_http::VaultKey;
///
/// let key = VaultKey::generate()?;
/// let read: VaultKey = key.reveal().parse()?;
/// assert_eq!(format!("{read:?}"), "VaultKey(redacted)");
/// assert!("too short".parse::<VaultKey>().is_err());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct VaultKey(Zeroizing<[u8; Self::KEY_BYTES]>);

impl VaultKey {
    /// Length of a key.
    const KEY_BYTES: usize = 32;

    /// Makes a new key from the randomness of the operating system.
    ///
    /// # Errors
    ///
    /// [`VaultError`] when there is none.
    pub fn generate() -> Result<Self, VaultError> {
        let mut key = Zeroizing::new([0; Self::KEY_BYTES]);
        let filled = SystemRandom::new().fill(key.as_mut());
        filled.map_err(|_| VaultError::new(VaultErrorKind::NoRandomness))?;
        Ok(Self(key))
    }

    /// The key as text, for the file that keeps it.
    pub fn reveal(&self) -> Zeroizing<String> {
        Zeroizing::new(STANDARD.encode(self.0.as_slice()))
    }

    pub(super) fn bytes(&self) -> &[u8] {
        self.0.as_slice()
    }

    /// What names it in sealed texts: the beginning of a hash, which tells nothing of the key.
    pub(super) fn id(&self) -> String {
        let mut context = digest::Context::new(&digest::SHA256);
        context.update(b"webhook vault key id");
        context.update(self.bytes());
        context.finish().as_ref().iter().take(6).map(|byte| format!("{byte:02x}")).collect()
    }
}

impl fmt::Debug for VaultKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("VaultKey(redacted)")
    }
}

impl FromStr for VaultKey {
    type Err = InvalidVaultKey;

    fn from_str(text: &str) -> Result<Self, InvalidVaultKey> {
        let decoded = STANDARD.decode(text).map(Zeroizing::new).map_err(|_| InvalidVaultKey)?;
        let mut key = Zeroizing::new([0; Self::KEY_BYTES]);
        if decoded.len() != key.len() {
            return Err(InvalidVaultKey);
        }
        key.copy_from_slice(&decoded);
        Ok(Self(key))
    }
}

/// The text is no key of a vault. The message never repeats it.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error(
    "not a valid vault key: expected the standard base64 of 32 bytes, as `webhook vault keygen` prints it"
)]
pub struct InvalidVaultKey;
