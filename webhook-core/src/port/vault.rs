//! Encryption of what is secret before it is stored.

use std::{error::Error, fmt};

use zeroize::Zeroizing;

/// Seals secrets for the store and opens them again.
///
/// A store with a vault keeps signing keys, headers and the like sealed, each column of an endpoint
/// by itself.
///
/// # Contract
///
/// - **Authenticated encryption.** A sealed text that was changed does not open.
/// - **Bound to its place.** `context` says which column of which endpoint it is; a sealed text that
///   was moved elsewhere does not open.
/// - **Fresh each time.** Two seals of one text differ.
/// - **Recognisable.** A sealed text begins with [`SEALED`] and is visible ASCII.
/// - **Former keys open.** What was sealed under a former key opens as long as the vault has it.
/// - **Silent.** Neither key nor plain text shows in `Debug`, `Display`, errors or a log.
///
/// Prove an implementation with
/// [`vault_conformance!`](https://docs.rs/webhook-testkit/latest/webhook_testkit/macro.vault_conformance.html).
pub trait SecretVault: fmt::Debug + Send + Sync + 'static {
    /// Seals `plain` for the place that `context` names, with the current key.
    ///
    /// # Errors
    ///
    /// [`VaultError`] when it cannot be sealed now. Nothing is then stored.
    fn seal(&self, plain: &[u8], context: &[u8]) -> Result<String, VaultError>;

    /// Opens what was sealed for the same place, with whichever of its keys.
    ///
    /// # Errors
    ///
    /// [`VaultError`] when it cannot be opened. What it belongs to then waits.
    fn open(&self, sealed: &str, context: &[u8]) -> Result<Zeroizing<Vec<u8>>, VaultError>;

    /// Whether a sealed text names the current key, so that sealing it anew would change nothing.
    fn is_current(&self, sealed: &str) -> bool;
}

/// What every sealed text begins with; no JSON does.
pub const SEALED: &str = "sealed:";

/// A secret could not be sealed or opened.
#[derive(Debug, thiserror::Error)]
#[error("{kind}")]
pub struct VaultError {
    kind: VaultErrorKind,
    source: Option<Box<dyn Error + Send + Sync>>,
}

impl VaultError {
    /// An error without a reason of its own.
    pub const fn new(kind: VaultErrorKind) -> Self {
        Self { kind, source: None }
    }

    /// Adds the reason. It must repeat neither key nor text.
    pub fn because(kind: VaultErrorKind, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self { kind, source: Some(source.into()) }
    }

    /// What it was.
    pub const fn kind(&self) -> VaultErrorKind {
        self.kind
    }
}

/// Why a secret could not be sealed or opened.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum VaultErrorKind {
    /// The vault lacks the key that it was sealed with. Somebody has to add it.
    #[error("the vault has no such key")]
    NoKey,
    /// It was not sealed by such a vault, or for another place, or was changed since.
    #[error("the text was not sealed here, or was changed")]
    Changed,
    /// The operating system has no randomness to give.
    #[error("there is no randomness to seal with")]
    NoRandomness,
    /// Anything else, such as a key service that does not answer.
    #[error("the vault failed")]
    Other,
}
