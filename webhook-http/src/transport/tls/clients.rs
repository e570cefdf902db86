//! One client for each way to secure connections.

use std::{
    borrow::Cow,
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use ring::digest::{Context, SHA256, SHA256_OUTPUT_LEN};
use rustls::{ClientConfig, RootCertStore};
use tokio_rustls::TlsConnector;
use webhook_core::{
    EndpointTls,
    transport::{TransportError, TransportErrorKind},
};

use super::{
    TlsVersion, config,
    material::{InvalidTlsMaterial, TlsMaterial},
};

/// Hash of an [`EndpointTls`], from which its contents cannot be recovered.
type TlsDigest = [u8; SHA256_OUTPUT_LEN];

/// TLS client for all endpoints with the same identity and roots.
#[derive(Clone)]
pub(in crate::transport) struct TlsClient {
    pub(in crate::transport) connector: TlsConnector,
    label: Arc<str>,
}

impl TlsClient {
    fn new(config: ClientConfig, label: String) -> Self {
        Self { connector: TlsConnector::from(Arc::new(config)), label: label.into() }
    }

    /// Part of the pool key next to the origin; empty for the common client.
    pub(in crate::transport) fn label(&self) -> &str {
        &self.label
    }
}

/// TLS clients of one transport.
pub(in crate::transport) struct TlsClients {
    roots: Arc<RootCertStore>,
    min_version: TlsVersion,
    common: TlsClient,
    cache: Mutex<ClientCache>,
}

impl TlsClients {
    pub(in crate::transport) fn new(
        roots: Arc<RootCertStore>,
        min_version: TlsVersion,
    ) -> Result<Self, rustls::Error> {
        let common = config(min_version, TlsMaterial::common(Arc::clone(&roots)))?;
        Ok(Self {
            roots,
            min_version,
            common: TlsClient::new(common, String::new()),
            cache: Mutex::default(),
        })
    }

    /// Returns the client for `tls`, and builds it if the cache has none.
    pub(in crate::transport) fn client(
        &self,
        tls: Option<&EndpointTls>,
    ) -> Result<Cow<'_, TlsClient>, TransportError> {
        let Some(tls) = tls.filter(|tls| !tls.is_empty()) else {
            return Ok(Cow::Borrowed(&self.common));
        };
        let digest = digest(tls);
        if let Some(client) = self.lock_cache().get(&digest) {
            return Ok(Cow::Owned(client));
        }
        let config = TlsMaterial::of(tls, &self.roots)
            .and_then(|material| Ok(config(self.min_version, material)?))
            .map_err(unusable)?;
        let label = digest.iter().map(|byte| format!("{byte:02x}")).collect();
        Ok(Cow::Owned(self.lock_cache().add(digest, TlsClient::new(config, label))))
    }

    /// Returns the certificates and keys of a client for `tls`.
    #[cfg(feature = "check")]
    pub(in crate::transport) fn material(
        &self,
        tls: &EndpointTls,
    ) -> Result<TlsMaterial, TransportError> {
        self.client(Some(tls))?;
        TlsMaterial::of(tls, &self.roots).map_err(unusable)
    }

    #[cfg(feature = "check")]
    pub(in crate::transport) const fn min_version(&self) -> TlsVersion {
        self.min_version
    }

    fn lock_cache(&self) -> std::sync::MutexGuard<'_, ClientCache> {
        // A panic elsewhere leaves the clients as they were: every change is one step.
        self.cache.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn unusable(error: InvalidTlsMaterial) -> TransportError {
    TransportError::because(TransportErrorKind::Local, error)
}

/// Each part by its length and its bytes, so that none runs into the next.
fn digest(tls: &EndpointTls) -> TlsDigest {
    let certificates = tls.identity().map(|identity| identity.certificates_pem());
    let key = tls.identity().map(|identity| identity.reveal_key_pem());
    let mut context = Context::new(&SHA256);
    for part in [certificates, key, tls.roots_pem()] {
        // No text is that long, so that none is not the empty one.
        let len = part.map_or(u64::MAX, |text| text.len() as u64);
        context.update(&len.to_be_bytes());
        context.update(part.unwrap_or_default().as_bytes());
    }
    let mut digest = TlsDigest::default();
    for (to, byte) in digest.iter_mut().zip(context.finish().as_ref()) {
        *to = *byte;
    }
    digest
}

/// The most recently used clients.
#[derive(Default)]
struct ClientCache {
    clients: HashMap<TlsDigest, (TlsClient, u64)>,
    /// Counts uses.
    uses: u64,
}

impl ClientCache {
    /// Clients in the cache: some hundred kilobytes. With more endpoints, clients are rebuilt at
    /// times.
    const MAX_CLIENTS: usize = 256;

    fn get(&mut self, digest: &TlsDigest) -> Option<TlsClient> {
        self.uses += 1;
        let (client, used) = self.clients.get_mut(digest)?;
        *used = self.uses;
        Some(client.clone())
    }

    /// Stores a client and returns the stored one: the first, if two were built at the same time.
    fn add(&mut self, digest: TlsDigest, client: TlsClient) -> TlsClient {
        if let Some(kept) = self.get(&digest) {
            return kept;
        }
        if self.clients.len() >= Self::MAX_CLIENTS {
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
        let clients = super::super::clients_without_roots();
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
        let clients = super::super::clients_without_roots();
        let (certificate, key) = pair();
        let way = |n: usize| identity(&format!("{certificate}\n{n}\n"), &key);
        let first = clients.client(Some(&way(0))).unwrap();
        for n in 0..ClientCache::MAX_CLIENTS * 2 {
            let again = clients.client(Some(&way(0))).unwrap();
            assert!(Arc::ptr_eq(first.connector.config(), again.connector.config()), "{n}");
            clients.client(Some(&way(n))).unwrap();
            assert!(clients.lock_cache().clients.len() <= ClientCache::MAX_CLIENTS);
        }
    }

    #[test]
    fn what_cannot_be_used_is_told_without_a_byte_of_it() {
        let clients = super::super::clients_without_roots();
        let ((certificate, key), (other, _)) = (pair(), pair());
        let block = |name: &str, body: &str| {
            format!("-----BEGIN {name}-----\n{body}\n-----END {name}-----\n")
        };
        let (no_certificate, no_key) = (block("CERTIFICATE", "c4na"), block("PRIVATE KEY", "c4na"));
        let torn = "-----BEGIN PRIVATE KEY-----\nc4na";
        let roots = |pem: &str| EndpointTls::new().with_roots_pem(pem).unwrap();
        let table = [
            (identity(&other, &key), InvalidTlsMaterial::Mismatch),
            (identity(&no_certificate, &key), InvalidTlsMaterial::Certificate),
            (identity(&certificate, &no_key), InvalidTlsMaterial::KeyKind),
            (identity(&certificate, torn), InvalidTlsMaterial::Key),
            (
                identity(&format!("{certificate}{}", &certificate[..60]), &key),
                InvalidTlsMaterial::Certificate,
            ),
            (roots(&no_certificate), InvalidTlsMaterial::Roots),
            (roots("-----BEGIN CERTIFICATE-----\nc4na"), InvalidTlsMaterial::Roots),
        ];
        for (tls, expected) in table {
            let Err(error) = clients.client(Some(&tls)) else { panic!("{expected:?}") };
            assert_eq!(error.kind(), TransportErrorKind::Local);
            let reason = error.source().unwrap().downcast_ref::<InvalidTlsMaterial>().unwrap();
            assert_eq!(*reason, expected);
            assert!(reason.source().is_none() && !format!("{error:?}").contains("c4na"));
        }
    }
}
