//! One client for each way to secure connections.

use std::{
    borrow::Cow,
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use ring::digest::{Context, SHA256, SHA256_OUTPUT_LEN};
use rustls::{ClientConfig, RootCertStore};
use tokio_rustls::TlsConnector;
use webhook_core::{EndpointTls, TransportError, TransportErrorKind};

use super::{
    TlsVersion, config,
    material::{BadMaterial, Material},
};

/// Stands for what an [`EndpointTls`] holds, and tells nothing of it.
type Digest = [u8; SHA256_OUTPUT_LEN];

/// Makes secure connections, for endpoints of one kind.
#[derive(Clone)]
pub(in crate::transport) struct Client {
    pub(in crate::transport) connector: TlsConnector,
    label: Arc<str>,
}

impl Client {
    fn new(config: ClientConfig, label: String) -> Self {
        Self { connector: TlsConnector::from(Arc::new(config)), label: label.into() }
    }

    /// What its connections are kept apart by, beside the origin; empty for the common client.
    pub(in crate::transport) fn label(&self) -> &str {
        &self.label
    }
}

/// The clients of one transport.
pub(in crate::transport) struct Clients {
    roots: Arc<RootCertStore>,
    least: TlsVersion,
    common: Client,
    own: Mutex<Kept>,
}

impl Clients {
    pub(in crate::transport) fn new(
        roots: Arc<RootCertStore>,
        least: TlsVersion,
    ) -> Result<Self, rustls::Error> {
        let common = config(least, Material::common(Arc::clone(&roots)))?;
        Ok(Self { roots, least, common: Client::new(common, String::new()), own: Mutex::default() })
    }

    /// The client for `tls`, made if it is not kept.
    pub(in crate::transport) fn client(
        &self,
        tls: Option<&EndpointTls>,
    ) -> Result<Cow<'_, Client>, TransportError> {
        let Some(tls) = tls.filter(|tls| !tls.is_empty()) else {
            return Ok(Cow::Borrowed(&self.common));
        };
        let digest = digest(tls);
        if let Some(client) = self.kept().get(&digest) {
            return Ok(Cow::Owned(client));
        }
        let config = Material::of(tls, &self.roots)
            .and_then(|material| Ok(config(self.least, material)?))
            .map_err(unusable)?;
        let label = digest.iter().map(|byte| format!("{byte:02x}")).collect();
        Ok(Cow::Owned(self.kept().add(digest, Client::new(config, label))))
    }

    /// What a client for `tls` is made of.
    #[cfg(feature = "check")]
    pub(in crate::transport) fn material(
        &self,
        tls: &EndpointTls,
    ) -> Result<Material, TransportError> {
        self.client(Some(tls))?;
        Material::of(tls, &self.roots).map_err(unusable)
    }

    #[cfg(feature = "check")]
    pub(in crate::transport) const fn least(&self) -> TlsVersion {
        self.least
    }

    fn kept(&self) -> std::sync::MutexGuard<'_, Kept> {
        // A panic elsewhere leaves the clients as they were: every change is one step.
        self.own.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn unusable(error: BadMaterial) -> TransportError {
    TransportError::because(TransportErrorKind::Local, error)
}

/// Each part by its length and its bytes, so that none runs into the next.
fn digest(tls: &EndpointTls) -> Digest {
    let certificates = tls.identity().map(|identity| identity.certificates_pem());
    let key = tls.identity().map(|identity| identity.reveal_key_pem());
    let mut context = Context::new(&SHA256);
    for part in [certificates, key, tls.roots_pem()] {
        // No text is that long, so that none is not the empty one.
        let len = part.map_or(u64::MAX, |text| text.len() as u64);
        context.update(&len.to_be_bytes());
        context.update(part.unwrap_or_default().as_bytes());
    }
    let mut digest = Digest::default();
    for (to, byte) in digest.iter_mut().zip(context.finish().as_ref()) {
        *to = *byte;
    }
    digest
}

/// The clients used last.
#[derive(Default)]
struct Kept {
    clients: HashMap<Digest, (Client, u64)>,
    /// Counts uses.
    uses: u64,
}

impl Kept {
    /// Some hundred kilobytes; more endpoints than that have their client made anew now and then.
    const MAX: usize = 256;

    fn get(&mut self, digest: &Digest) -> Option<Client> {
        self.uses += 1;
        let (client, used) = self.clients.get_mut(digest)?;
        *used = self.uses;
        Some(client.clone())
    }

    /// Keeps a client and hands out the one that is kept: of two made at once it is the first.
    fn add(&mut self, digest: Digest, client: Client) -> Client {
        if let Some(kept) = self.get(&digest) {
            return kept;
        }
        if self.clients.len() >= Self::MAX {
            let oldest = self.clients.iter().min_by_key(|(_, (_, used))| *used);
            let oldest = oldest.map(|(digest, _)| *digest);
            oldest.and_then(|digest| self.clients.remove(&digest));
        }
        self.clients.insert(digest, (client.clone(), self.uses));
        client
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rcgen::{CertificateParams, KeyPair};
    use std::error::Error as _;
    use webhook_core::ClientIdentity;

    fn pair() -> (String, String) {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(vec!["us.example".to_owned()]).unwrap();
        (params.self_signed(&key).unwrap().pem(), key.serialize_pem())
    }

    fn identity(certificate: &str, key: &str) -> EndpointTls {
        EndpointTls::new().with_identity(ClientIdentity::from_pem(certificate, key).unwrap())
    }

    #[test]
    fn each_way_to_secure_connections_has_one_client_and_one_label() {
        let clients = super::super::trusting_nobody();
        let ((certificate, key), (other, others)) = (pair(), pair());
        let ways = [
            None,
            Some(identity(&certificate, &key)),
            Some(identity(&other, &others)),
            Some(EndpointTls::new().with_roots_pem(certificate.as_str()).unwrap()),
            Some(identity(&certificate, &key).with_roots_pem(certificate.as_str()).unwrap()),
            Some(identity(&certificate, &key).with_roots_pem(other.as_str()).unwrap()),
        ];
        let mut labels = std::collections::HashSet::new();
        for tls in &ways {
            let (one, two) = (clients.client(tls.as_ref()), clients.client(tls.as_ref()));
            let (one, two) = (one.unwrap(), two.unwrap());
            assert!(Arc::ptr_eq(one.connector.config(), two.connector.config()));
            assert_eq!(one.label(), two.label());
            assert!(labels.insert(one.label().to_owned()), "{tls:?}");
        }
        assert!(clients.client(Some(&EndpointTls::new())).unwrap().label().is_empty());
    }

    #[test]
    fn the_clients_used_last_are_kept() {
        let clients = super::super::trusting_nobody();
        let (certificate, key) = pair();
        let way = |n: usize| identity(&format!("{certificate}\n{n}\n"), &key);
        let first = clients.client(Some(&way(0))).unwrap();
        for n in 0..Kept::MAX * 2 {
            let again = clients.client(Some(&way(0))).unwrap();
            assert!(Arc::ptr_eq(first.connector.config(), again.connector.config()), "{n}");
            clients.client(Some(&way(n))).unwrap();
            assert!(clients.kept().clients.len() <= Kept::MAX);
        }
    }

    #[test]
    fn what_cannot_be_used_is_told_without_a_byte_of_it() {
        let clients = super::super::trusting_nobody();
        let ((certificate, key), (other, _)) = (pair(), pair());
        let block = |name: &str, body: &str| {
            format!("-----BEGIN {name}-----\n{body}\n-----END {name}-----\n")
        };
        let (no_certificate, no_key) = (block("CERTIFICATE", "c4na"), block("PRIVATE KEY", "c4na"));
        let torn = "-----BEGIN PRIVATE KEY-----\nc4na";
        let roots = |pem: &str| EndpointTls::new().with_roots_pem(pem).unwrap();
        let table = [
            (identity(&other, &key), BadMaterial::Mismatch),
            (identity(&no_certificate, &key), BadMaterial::Certificate),
            (identity(&certificate, &no_key), BadMaterial::KeyKind),
            (identity(&certificate, torn), BadMaterial::Key),
            (
                identity(&format!("{certificate}{}", &certificate[..60]), &key),
                BadMaterial::Certificate,
            ),
            (roots(&no_certificate), BadMaterial::Roots),
            (roots("-----BEGIN CERTIFICATE-----\nc4na"), BadMaterial::Roots),
        ];
        for (tls, expected) in table {
            let Err(error) = clients.client(Some(&tls)) else { panic!("{expected:?}") };
            assert_eq!(error.kind(), TransportErrorKind::Local);
            let reason = error.source().unwrap().downcast_ref::<BadMaterial>().unwrap();
            assert_eq!(*reason, expected);
            assert!(reason.source().is_none() && !format!("{error:?}").contains("c4na"));
        }
    }
}
