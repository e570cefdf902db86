//! What secures an endpoint's connections, where that is not what secures all others.

use std::fmt;

use zeroize::Zeroizing;

/// How connections to one endpoint are secured: who we are there, and whom we trust.
///
/// Both are PEM (RFC 7468), and absent unless set: requests then carry no client certificate, and the
/// receiver's certificate has to lead to a root that the transport trusts. What is inside of the PEM is
/// the transport's to judge: [`Transport::accepts_tls`](crate::transport::Transport::accepts_tls).
///
/// ```
/// use webhook_core::{ClientIdentity, EndpointTls};
///
/// let certificate = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
/// let key = "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n";
/// let tls = EndpointTls::new().with_identity(ClientIdentity::from_pem(certificate, key)?);
/// assert_eq!(format!("{tls:?}"), "EndpointTls { identity: true, roots: false }");
/// # Ok::<(), webhook_core::error::InvalidTls>(())
/// ```
#[derive(Clone, Default)]
pub struct EndpointTls {
    identity: Option<ClientIdentity>,
    roots: Option<String>,
}

impl EndpointTls {
    /// The most bytes of one PEM text.
    pub const MAX_LEN: usize = 16 * 1024;

    /// As all other connections.
    pub const fn new() -> Self {
        Self { identity: None, roots: None }
    }

    /// Sets who we are there: shown to a receiver that asks for a client certificate.
    #[must_use]
    pub fn with_identity(mut self, identity: ClientIdentity) -> Self {
        self.identity = Some(identity);
        self
    }

    /// Sets whom we trust there, in place of the roots that the transport trusts: PEM, any number of
    /// certificates.
    ///
    /// # Errors
    ///
    /// [`InvalidTls`] when the text holds no certificate, or is too long.
    pub fn with_roots_pem(mut self, pem: impl Into<String>) -> Result<Self, InvalidTls> {
        let pem = pem.into();
        check_certificates(&pem)?;
        self.roots = Some(pem);
        Ok(self)
    }

    /// The same without an identity.
    #[must_use]
    pub fn without_identity(mut self) -> Self {
        self.identity = None;
        self
    }

    /// The same without roots of its own.
    #[must_use]
    pub fn without_roots(mut self) -> Self {
        self.roots = None;
        self
    }

    /// Who we are there.
    pub const fn identity(&self) -> Option<&ClientIdentity> {
        self.identity.as_ref()
    }

    /// Whom we trust there, in place of the transport's roots.
    pub fn roots_pem(&self) -> Option<&str> {
        self.roots.as_deref()
    }

    /// Whether nothing is set.
    pub const fn is_empty(&self) -> bool {
        self.identity.is_none() && self.roots.is_none()
    }
}

impl fmt::Debug for EndpointTls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EndpointTls")
            .field("identity", &self.identity.is_some())
            .field("roots", &self.roots.is_some())
            .finish()
    }
}

/// A client certificate with its private key, which is wiped from memory when dropped.
#[derive(Clone)]
pub struct ClientIdentity {
    certificates: String,
    key: Zeroizing<String>,
}

impl ClientIdentity {
    /// Takes a certificate, followed by those that lead to its root, and the private key that belongs
    /// to it: both PEM, the key not encrypted.
    ///
    /// # Errors
    ///
    /// [`InvalidTls`] when a text is not of that kind, or too long.
    pub fn from_pem(
        certificates: impl Into<String>,
        key: impl Into<String>,
    ) -> Result<Self, InvalidTls> {
        let (certificates, key) = (certificates.into(), Zeroizing::new(key.into()));
        check_certificates(&certificates)?;
        if key.len() > EndpointTls::MAX_LEN {
            return Err(InvalidTls::TooLong);
        }
        if key.contains("ENCRYPTED") {
            return Err(InvalidTls::EncryptedKey);
        }
        if !key.contains("PRIVATE KEY-----") {
            return Err(InvalidTls::NoKey);
        }
        Ok(Self { certificates, key })
    }

    /// The certificate, and those that lead to its root.
    pub fn certificates_pem(&self) -> &str {
        &self.certificates
    }

    /// The private key, for storing it and for whoever makes connections.
    pub fn reveal_key_pem(&self) -> &str {
        &self.key
    }
}

impl fmt::Debug for ClientIdentity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ClientIdentity(redacted)")
    }
}

fn check_certificates(pem: &str) -> Result<(), InvalidTls> {
    if pem.len() > EndpointTls::MAX_LEN {
        return Err(InvalidTls::TooLong);
    }
    if pem.contains("PRIVATE KEY-----") {
        return Err(InvalidTls::KeyAmongCertificates);
    }
    if pem.contains("-----BEGIN CERTIFICATE-----") {
        Ok(())
    } else {
        Err(InvalidTls::NoCertificate)
    }
}

/// The texts are no client identity or no roots. The messages never repeat them.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidTls {
    /// Where certificates are expected there are none.
    #[error("not a valid certificate: expected PEM, -----BEGIN CERTIFICATE-----")]
    NoCertificate,
    /// A private key stands where certificates belong, and would be shown as they are.
    #[error("not a valid certificate: the text holds a private key; give the two apart")]
    KeyAmongCertificates,
    /// Where a private key is expected there is none.
    #[error("not a valid private key: expected PEM, -----BEGIN PRIVATE KEY-----")]
    NoKey,
    /// The private key is encrypted.
    #[error("the private key is encrypted; decrypt it first, such as by openssl pkey")]
    EncryptedKey,
    /// A text is longer than [`EndpointTls::MAX_LEN`].
    #[error("certificates and keys may have 16 KiB each; give no more than a receiver needs")]
    TooLong,
}

#[cfg(test)]
mod tests {
    use super::*;

    const CERTIFICATE: &str = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    const PRIVATE_KEY: &str = "-----BEGIN PRIVATE KEY-----\nc4nary\n-----END PRIVATE KEY-----\n";

    #[test]
    fn what_is_no_pem_of_its_kind_is_refused_without_showing_it() {
        let long = format!("{CERTIFICATE}{}", "c4nary".repeat(4000));
        let encrypted = PRIVATE_KEY.replace("PRIVATE", "ENCRYPTED PRIVATE");
        let table = [
            ("c4nary", PRIVATE_KEY, InvalidTls::NoCertificate),
            (PRIVATE_KEY, PRIVATE_KEY, InvalidTls::KeyAmongCertificates),
            (&format!("{CERTIFICATE}{PRIVATE_KEY}"), PRIVATE_KEY, InvalidTls::KeyAmongCertificates),
            (CERTIFICATE, "c4nary", InvalidTls::NoKey),
            (CERTIFICATE, CERTIFICATE, InvalidTls::NoKey),
            (CERTIFICATE, &encrypted, InvalidTls::EncryptedKey),
            (&long, PRIVATE_KEY, InvalidTls::TooLong),
            (CERTIFICATE, &long, InvalidTls::TooLong),
        ];
        for (certificate, key, expected) in table {
            let error = ClientIdentity::from_pem(certificate, key).unwrap_err();
            assert_eq!(error, expected);
            assert!(!error.to_string().contains("c4nary"));
        }
        assert_eq!(EndpointTls::new().with_roots_pem("").unwrap_err(), InvalidTls::NoCertificate);
    }

    #[test]
    fn no_key_shows_in_debug() {
        let identity = ClientIdentity::from_pem(CERTIFICATE, PRIVATE_KEY).unwrap();
        let tls = EndpointTls::new().with_identity(identity.clone());
        assert!(!format!("{identity:?} {tls:?}").contains("c4nary"));
        assert!(!tls.is_empty() && tls.without_identity().is_empty());
    }
}
