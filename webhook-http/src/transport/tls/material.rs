//! Certificates and keys, from text to what TLS works with.

use std::sync::Arc;

use rustls::{
    RootCertStore,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
};
use webhook_core::{ClientIdentity, EndpointTls};

/// Trusted roots and identity of a TLS client.
pub(in crate::transport) struct TlsMaterial {
    pub(in crate::transport) roots: Arc<RootCertStore>,
    /// The certificate, those that lead to its root, and the private key.
    pub(super) identity: Option<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>)>,
}

impl TlsMaterial {
    /// Creates the material for endpoints without their own.
    pub(super) const fn common(roots: Arc<RootCertStore>) -> Self {
        Self { roots, identity: None }
    }

    /// Reads the material of `tls`; `roots` replaces missing roots.
    pub(super) fn of(
        tls: &EndpointTls,
        roots: &Arc<RootCertStore>,
    ) -> Result<Self, InvalidTlsMaterial> {
        let roots = match tls.roots_pem() {
            Some(pem) => Arc::new(own_roots(pem)?),
            None => Arc::clone(roots),
        };
        Ok(Self { roots, identity: tls.identity().map(read_identity).transpose()? })
    }
}

fn own_roots(pem: &str) -> Result<RootCertStore, InvalidTlsMaterial> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates(pem).ok_or(InvalidTlsMaterial::Roots)? {
        roots.add(certificate).map_err(|_| InvalidTlsMaterial::Roots)?;
    }
    Ok(roots)
}

fn read_identity(
    identity: &ClientIdentity,
) -> Result<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>), InvalidTlsMaterial> {
    let chain = certificates(identity.certificates_pem()).ok_or(InvalidTlsMaterial::Certificate)?;
    let key = PrivateKeyDer::from_pem_slice(identity.reveal_key_pem().as_bytes());
    Ok((chain, key.map_err(|_| InvalidTlsMaterial::Key)?))
}

/// All certificates of a text, if there is one and each is whole.
fn certificates(pem: &str) -> Option<Vec<CertificateDer<'static>>> {
    let read: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem.as_bytes()).collect();
    read.ok().filter(|certificates| !certificates.is_empty())
}

/// The certificates or keys of an endpoint cannot be used. The error has no source: those of the
/// libraries repeat lines of the text, possibly of a key.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub(super) enum InvalidTlsMaterial {
    #[error("the roots cannot be read; expected X.509 certificates in PEM")]
    Roots,
    #[error("the client certificate cannot be read; expected X.509 in PEM, its own one first")]
    Certificate,
    #[error(
        "the private key cannot be read; expected PEM: PKCS #8, PKCS #1 or SEC 1, not encrypted"
    )]
    Key,
    #[error(
        "the private key is of a kind that is not supported; use ECDSA on P-256, Ed25519 or RSA"
    )]
    KeyKind,
    #[error("the private key does not belong to the client certificate")]
    Mismatch,
}

impl From<rustls::Error> for InvalidTlsMaterial {
    /// For errors of building a client from material that was read.
    fn from(error: rustls::Error) -> Self {
        match error {
            rustls::Error::InconsistentKeys(_) => Self::Mismatch,
            rustls::Error::InvalidCertificate(_) => Self::Certificate,
            _ => Self::KeyKind,
        }
    }
}
