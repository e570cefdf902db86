//! Certificates and keys, from text to what TLS works with.

use std::sync::Arc;

use rustls::{
    RootCertStore,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
};
use webhook_core::{ClientIdentity, EndpointTls};

/// Whom a client trusts, and who it is.
pub(in crate::transport) struct Material {
    pub(in crate::transport) roots: Arc<RootCertStore>,
    /// The certificate, those that lead to its root, and the private key.
    pub(super) identity: Option<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>)>,
}

impl Material {
    /// For all endpoints that have nothing of their own.
    pub(super) const fn common(roots: Arc<RootCertStore>) -> Self {
        Self { roots, identity: None }
    }

    /// What `tls` says, and `roots` where it names none.
    pub(super) fn of(tls: &EndpointTls, roots: &Arc<RootCertStore>) -> Result<Self, BadMaterial> {
        let roots = match tls.roots_pem() {
            Some(pem) => Arc::new(own_roots(pem)?),
            None => Arc::clone(roots),
        };
        Ok(Self { roots, identity: tls.identity().map(read_identity).transpose()? })
    }
}

fn own_roots(pem: &str) -> Result<RootCertStore, BadMaterial> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates(pem).ok_or(BadMaterial::Roots)? {
        roots.add(certificate).map_err(|_| BadMaterial::Roots)?;
    }
    Ok(roots)
}

fn read_identity(
    identity: &ClientIdentity,
) -> Result<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>), BadMaterial> {
    let chain = certificates(identity.certificates_pem()).ok_or(BadMaterial::Certificate)?;
    let key = PrivateKeyDer::from_pem_slice(identity.reveal_key_pem().as_bytes());
    Ok((chain, key.map_err(|_| BadMaterial::Key)?))
}

/// All certificates of a text, if there is one and each is whole.
fn certificates(pem: &str) -> Option<Vec<CertificateDer<'static>>> {
    let read: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem.as_bytes()).collect();
    read.ok().filter(|certificates| !certificates.is_empty())
}

/// What an endpoint brings for TLS cannot be used. There is no source: those of the libraries repeat
/// lines of the text, and one of them may be of a key.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub(super) enum BadMaterial {
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

impl From<rustls::Error> for BadMaterial {
    /// Only of making a client out of material that was read.
    fn from(error: rustls::Error) -> Self {
        match error {
            rustls::Error::InconsistentKeys(_) => Self::Mismatch,
            rustls::Error::InvalidCertificate(_) => Self::Certificate,
            _ => Self::KeyKind,
        }
    }
}
