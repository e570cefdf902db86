//! TLS: whom we trust, and why we do not.

use std::sync::Arc;

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, date_time_ymd,
};
use rustls::{
    ServerConfig, SupportedProtocolVersion,
    pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer},
    version::{TLS12, TLS13},
};
use tokio_rustls::TlsAcceptor;
use webhook_core::{Response, TlsFailure, Transport, TransportError, TransportErrorKind};
use webhook_http::{HttpTransport, HttpTransportBuilder};

use crate::{
    exchange::{OK, request},
    peer::{Caller, Peer},
};

/// A certificate authority of our own.
pub(crate) struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    pub(crate) fn new(name: &str) -> Self {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Self(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    pub(crate) fn trusting(&self) -> HttpTransportBuilder {
        HttpTransport::builder()
            .dangerous_allow_private_addresses()
            .root_certificates_pem(self.0.pem())
    }

    pub(crate) fn trusted_by(&self) -> HttpTransport {
        self.trusting().build().unwrap()
    }

    /// A server whose certificate is for `name`, changed by `adjust`.
    pub(crate) fn server(
        &self,
        name: &str,
        adjust: impl FnOnce(&mut CertificateParams),
    ) -> ServerConfig {
        let (certificate, key) = self.certificate(name, adjust);
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(VERSIONS)
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], key)
            .unwrap()
    }

    fn certificate(
        &self,
        name: &str,
        adjust: impl FnOnce(&mut CertificateParams),
    ) -> (rcgen::Certificate, PrivateKeyDer<'static>) {
        let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        adjust(&mut params);
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.0).unwrap();
        (certificate, PrivatePkcs8KeyDer::from(key.serialize_der()).into())
    }

    /// A server that talks to none but holders of a certificate of ours.
    pub(crate) fn wanting_client_certificates(
        &self,
        versions: &[&'static SupportedProtocolVersion],
    ) -> ServerConfig {
        let (certificate, key) = self.certificate("127.0.0.1", |_| ());
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut roots = rustls::RootCertStore::empty();
        roots.add(self.0.der().clone()).unwrap();
        let verifier = rustls::server::WebPkiClientVerifier::builder_with_provider(
            Arc::new(roots),
            Arc::clone(&provider),
        );
        ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(versions)
            .unwrap()
            .with_client_cert_verifier(verifier.build().unwrap())
            .with_single_cert(vec![certificate.der().clone()], key)
            .unwrap()
    }
}

pub(crate) const VERSIONS: &[&SupportedProtocolVersion] = &[&TLS12, &TLS13];

/// One exchange with `server` at `https://{host}`.
async fn exchange(
    transport: &HttpTransport,
    server: ServerConfig,
    host: &str,
) -> Result<Response, TransportError> {
    let peer = Peer::bind().await;
    let url = format!("https://{host}:{}/", peer.port()).parse().unwrap();
    let receiver = async {
        let accepted = TlsAcceptor::from(Arc::new(server)).accept(peer.accept().await.0).await;
        let mut caller = Caller(accepted.ok()?);
        caller.request().await;
        caller.write(OK).await;
        Some(caller)
    };
    tokio::join!(transport.send(request(url)), receiver).0
}

async fn failure(transport: &HttpTransport, server: ServerConfig, host: &str) -> TlsFailure {
    let error = exchange(transport, server, host).await.unwrap_err();
    match error.kind() {
        TransportErrorKind::Tls(failure) => failure,
        kind => panic!("{kind:?}: {error:?}"),
    }
}

#[tokio::test]
async fn a_certificate_of_an_added_root_is_trusted() {
    let authority = Authority::new("ours");
    let transport = authority.trusted_by();
    for host in ["127.0.0.1", "localhost"] {
        let mut server = authority.server(host, |_| ());
        // We offer nothing but HTTP/1.1, so that a receiver which prefers HTTP/2 still agrees.
        server.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        assert_eq!(exchange(&transport, server, host).await.unwrap().body, "ok");
    }
}

#[tokio::test]
async fn each_reason_to_refuse_a_certificate_has_its_name() {
    let authority = Authority::new("ours");
    let transport = authority.trusted_by();
    let expired = authority.server("127.0.0.1", |params| {
        params.not_before = date_time_ymd(2020, 1, 1);
        params.not_after = date_time_ymd(2021, 1, 1);
    });
    let future = authority.server("127.0.0.1", |params| {
        params.not_before = date_time_ymd(4000, 1, 1);
    });
    let other = authority.server("billing.example", |_| ());
    let stranger = Authority::new("a stranger").server("127.0.0.1", |_| ());
    let table = [
        (expired, TlsFailure::Expired),
        (future, TlsFailure::NotYetValid),
        (other, TlsFailure::NameMismatch),
        (stranger, TlsFailure::UnknownIssuer),
    ];
    for (server, expected) in table {
        assert_eq!(failure(&transport, server, "127.0.0.1").await, expected);
    }
}

#[tokio::test]
async fn a_receiver_that_speaks_only_http_2_has_nothing_in_common_with_us() {
    let authority = Authority::new("ours");
    let mut server = authority.server("127.0.0.1", |_| ());
    server.alpn_protocols = vec![b"h2".to_vec()];
    assert_eq!(failure(&authority.trusted_by(), server, "127.0.0.1").await, TlsFailure::Other);
}

#[tokio::test]
async fn a_receiver_that_wants_a_client_certificate_says_so() {
    let authority = Authority::new("ours");
    for version in VERSIONS {
        let server = authority.wanting_client_certificates(&[version]);
        let reason = failure(&authority.trusted_by(), server, "127.0.0.1").await;
        assert_eq!(reason, TlsFailure::ClientCertificateRequired, "{version:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_handshake_that_never_ends_uses_up_the_deadline() {
    let peer = Peer::bind().await;
    let url = format!("https://127.0.0.1:{}/", peer.port()).parse().unwrap();
    let transport = Authority::new("ours").trusted_by();
    let (error, _caller) = tokio::join!(transport.send(request(url)), peer.accept());
    let expected = TransportErrorKind::Timeout(webhook_core::Phase::Tls);
    assert_eq!(error.unwrap_err().kind(), expected);
}
