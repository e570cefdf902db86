//! A vault without cryptography.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use webhook_core::store::{SEALED, SecretVault, VaultError, VaultErrorKind};
use zeroize::Zeroizing;

use crate::signer::fnv1a;

/// Seals in a way that anybody can open: **never for production**.
///
/// A sealed text is `sealed:plain:KEY:NUMBER:CHECK:TEXT`, with the text in hexadecimal. The check
/// covers the key's name, number, place and text, so that a wrong key, a moved or a changed text
/// shows in a test.
///
/// ```
/// use webhook_core::store::SecretVault;
/// use webhook_testkit::PlainVault;
///
/// let sealed = PlainVault::new("new").seal(b"text", b"place")?;
/// assert!(sealed.starts_with("sealed:plain:new:"));
/// assert!(PlainVault::new("other").open(&sealed, b"place").is_err());
/// # Ok::<(), webhook_core::store::VaultError>(())
/// ```
#[derive(Clone, Debug)]
pub struct PlainVault {
    current: &'static str,
    former: Vec<&'static str>,
    sealed: Arc<AtomicU64>,
}

impl PlainVault {
    const VERSION: &str = "plain:";

    /// A vault whose key has this name.
    pub fn new(current: &'static str) -> Self {
        Self { current, former: Vec::new(), sealed: Arc::default() }
    }

    /// Adds a key that opens what was sealed with it.
    #[must_use]
    pub fn with_former(mut self, key: &'static str) -> Self {
        self.former.push(key);
        self
    }
}

fn check(key: &str, number: &str, plain: &[u8], context: &[u8]) -> String {
    let parts = [key.as_bytes(), number.as_bytes(), context, plain];
    let length = parts.map(|part| part.len().to_le_bytes());
    let bytes = length.iter().flatten().chain(parts.into_iter().flatten());
    format!("{:016x}", fnv1a(bytes))
}

/// Key, number, check and text of a sealed text.
fn parts(sealed: &str) -> Option<[&str; 4]> {
    let rest = sealed.strip_prefix(SEALED)?.strip_prefix(PlainVault::VERSION)?;
    rest.split(':').collect::<Vec<_>>().try_into().ok()
}

/// The bytes of two lower-case digits each.
fn bytes(text: &str) -> Option<Vec<u8>> {
    let lower = text.bytes().all(|digit| matches!(digit, b'0'..=b'9' | b'a'..=b'f'));
    let pairs = text.as_bytes().chunks(2).map(std::str::from_utf8);
    let byte = |pair: &str| u8::from_str_radix(pair, 16).ok();
    let read = || pairs.map(|pair| byte(pair.ok()?)).collect();
    if lower && text.len().is_multiple_of(2) { read() } else { None }
}

impl SecretVault for PlainVault {
    fn seal(&self, plain: &[u8], context: &[u8]) -> Result<String, VaultError> {
        let number = self.sealed.fetch_add(1, Ordering::Relaxed).to_string();
        let check = check(self.current, &number, plain, context);
        let text: String = plain.iter().map(|byte| format!("{byte:02x}")).collect();
        Ok(format!("{SEALED}{}{}:{number}:{check}:{text}", Self::VERSION, self.current))
    }

    fn open(&self, sealed: &str, context: &[u8]) -> Result<Zeroizing<Vec<u8>>, VaultError> {
        let changed = || VaultError::new(VaultErrorKind::Changed);
        let [key, number, checked, text] = parts(sealed).ok_or_else(changed)?;
        if key != self.current && !self.former.contains(&key) {
            return Err(VaultError::new(VaultErrorKind::NoKey));
        }
        let plain = bytes(text).ok_or_else(changed)?;
        let fits = check(key, number, &plain, context) == checked;
        if fits { Ok(Zeroizing::new(plain)) } else { Err(changed()) }
    }

    fn is_current(&self, sealed: &str) -> bool {
        parts(sealed).is_some_and(|[key, ..]| key == self.current)
    }
}

#[cfg(test)]
mod tests {
    use super::PlainVault;

    crate::vault_conformance!(
        PlainVault::new("a"),
        PlainVault::new("b").with_former("a"),
        PlainVault::new("b"),
    );
}
