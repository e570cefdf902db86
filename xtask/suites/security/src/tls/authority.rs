//! Certificates: good ones, and those of the cases.

use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use rustls::{
    RootCertStore, ServerConfig, SupportedProtocolVersion,
    crypto::{CryptoProvider, ring},
    pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer},
    server::{ClientHello, ResolvesServerCert, WebPkiClientVerifier, danger::ClientCertVerifier},
    sign::CertifiedKey,
};
use webhook_core::ClientIdentity;
use webhook_http::HttpTransport;

use super::HERE;

/// A certificate authority.
pub(crate) struct Authority(CertifiedIssuer<'static, KeyPair>);

/// What a receiver shows: its certificates, its own first, and that it has the key.
pub(crate) struct Shown {
    chain: Vec<CertificateDer<'static>>,
    key: KeyPair,
}

impl Authority {
    pub(crate) fn new(name: &str) -> Self {
        Self(CertifiedIssuer::self_signed(of_authority(name), new_key()).unwrap())
    }

    /// A transport that trusts it, and that may speak to this machine.
    pub(crate) fn trusted_by(&self) -> HttpTransport {
        let builder = HttpTransport::builder().root_certificates_pem(self.0.pem());
        builder.dangerous_allow_private_addresses().build().unwrap()
    }

    /// A certificate for `name`, changed by `adjust`.
    pub(crate) fn certificate(
        &self,
        name: &str,
        adjust: impl FnOnce(&mut CertificateParams),
    ) -> Shown {
        let (mut params, key) = (of_host(name), new_key());
        adjust(&mut params);
        let certificate = params.signed_by(&key, &self.0).unwrap();
        Shown { chain: vec![certificate.der().clone()], key }
    }

    /// A certificate that names `host` where nobody looks any more.
    pub(crate) fn nameless(&self, host: &str) -> Shown {
        self.certificate(host, |params| {
            params.subject_alt_names.clear();
            params.distinguished_name.push(DnType::CommonName, host);
        })
    }

    /// A certificate for `name` that leads here by so many others.
    pub(crate) fn behind(&self, others: usize, name: &str) -> Shown {
        let params = |n: usize| of_authority(&format!("between {n}"));
        let mut last = CertifiedIssuer::signed_by(params(0), new_key(), &self.0).unwrap();
        let mut chain = vec![last.der().clone()];
        for n in 1..others {
            last = CertifiedIssuer::signed_by(params(n), new_key(), &last).unwrap();
            chain.insert(0, last.der().clone());
        }
        let key = new_key();
        chain.insert(0, of_host(name).signed_by(&key, &last).unwrap().der().clone());
        Shown { chain, key }
    }

    /// Who we are, as certified here.
    pub(crate) fn identity(&self, name: &str) -> (ClientIdentity, Shown) {
        let (params, key) = (of_host(name), new_key());
        let certificate = params.signed_by(&key, &self.0).unwrap();
        let identity = ClientIdentity::from_pem(certificate.pem(), key.serialize_pem()).unwrap();
        (identity, Shown { chain: vec![certificate.der().clone()], key })
    }

    /// A server that talks to none but holders of a certificate of ours.
    pub(crate) fn wanting_certificates(
        &self,
        version: &'static SupportedProtocolVersion,
    ) -> Arc<ServerConfig> {
        let mut roots = RootCertStore::empty();
        roots.add(self.0.der().clone()).unwrap();
        let verifier =
            WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider()).build();
        self.certificate(HERE, |_| ()).server_on(provider(), &[version], verifier.unwrap())
    }
}

impl Shown {
    /// The same receiver, with nothing to show.
    pub(crate) fn without_certificates(self) -> Self {
        Self { chain: Vec::new(), key: self.key }
    }

    pub(crate) fn certificates(&self) -> Vec<CertificateDer<'static>> {
        self.chain.clone()
    }

    pub(crate) fn key(&self) -> PrivateKeyDer<'static> {
        PrivatePkcs8KeyDer::from(self.key.serialize_der()).into()
    }

    /// A server that shows it.
    pub(crate) fn server(
        &self,
        versions: &[&'static SupportedProtocolVersion],
    ) -> Arc<ServerConfig> {
        self.server_on(provider(), versions, WebPkiClientVerifier::no_client_auth())
    }

    /// The same by the means of `provider`, asking clients for certificates that `clients` judges.
    pub(crate) fn server_on(
        &self,
        provider: Arc<CryptoProvider>,
        versions: &[&'static SupportedProtocolVersion],
        clients: Arc<dyn ClientCertVerifier>,
    ) -> Arc<ServerConfig> {
        let builder = ServerConfig::builder_with_provider(provider);
        let builder = builder.with_protocol_versions(versions).unwrap();
        let builder = builder.with_client_cert_verifier(clients);
        builder.with_cert_resolver(Arc::new(self.always())).into()
    }

    /// Whatever the chain is: a builder that takes certificates refuses an empty one.
    fn always(&self) -> Always {
        let key = ring::sign::any_supported_type(&self.key()).unwrap();
        Always(Arc::new(CertifiedKey::new(self.chain.clone(), key)))
    }

    /// Whether `text` has a line of the key, in the form that keys have in files, or says that it is one.
    pub(crate) fn is_told_in(&self, text: &str) -> bool {
        let pem = self.key.serialize_pem();
        let mut lines = pem.lines().filter(|line| line.len() > 16);
        text.contains("PRIVATE KEY") || lines.any(|line| text.contains(&line[..16]))
    }
}

#[derive(Debug)]
struct Always(Arc<CertifiedKey>);

impl ResolvesServerCert for Always {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.0))
    }
}

/// A certificate for `name` that nobody else has signed.
pub(crate) fn self_signed(name: &str, is_authority: bool) -> Shown {
    let (mut params, key) = (of_host(name), new_key());
    if is_authority {
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    }
    let certificate = params.self_signed(&key).unwrap();
    Shown { chain: vec![certificate.der().clone()], key }
}

pub(crate) fn provider() -> Arc<CryptoProvider> {
    Arc::new(ring::default_provider())
}

fn of_host(name: &str) -> CertificateParams {
    CertificateParams::new(vec![name.to_owned()]).unwrap()
}

fn of_authority(name: &str) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params
}

fn new_key() -> KeyPair {
    KeyPair::generate().unwrap()
}
