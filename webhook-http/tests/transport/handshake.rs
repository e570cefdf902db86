//! TLS: whom we trust, and why we do not.

use std::sync::Arc;

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, date_time_ymd,
};
use rustls::{
    ServerConfig, SupportedProtocolVersion,
    pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer},
    version::{TLS12, TLS13},
};
use tokio_rustls::TlsAcceptor;
use webhook_core::{
    ClientIdentity, EndpointTls,
    transport::{Request, Response, TlsFailure, Transport, TransportError, TransportErrorKind},
};
use webhook_http::{HttpTransport, HttpTransportBuilder, TlsVersion};

use crate::{
    exchange::{OK_RESPONSE, request},
    peer::{Peer, PeerConnection},
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

    /// A server for 127.0.0.1 that speaks these versions alone.
    fn speaking(&self, versions: &[&'static SupportedProtocolVersion]) -> ServerConfig {
        let (certificate, key) = self.certificate("127.0.0.1", |_| ());
        ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_protocol_versions(versions)
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], key)
            .unwrap()
    }

    /// A server whose certificate leads here by so many others.
    fn behind(&self, intermediates: usize) -> ServerConfig {
        let mut chain = Vec::new();
        let issuer = |n: usize| {
            let mut params = CertificateParams::default();
            params.distinguished_name.push(DnType::CommonName, format!("intermediate {n}"));
            params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
            params
        };
        let first = CertifiedIssuer::signed_by(issuer(0), KeyPair::generate().unwrap(), &self.0);
        let mut last = first.unwrap();
        for n in 1..intermediates {
            chain.insert(0, last.der().clone());
            let key = KeyPair::generate().unwrap();
            last = CertifiedIssuer::signed_by(issuer(n), key, &last).unwrap();
        }
        chain.insert(0, last.der().clone());
        let key = KeyPair::generate().unwrap();
        let certificate = params("127.0.0.1").signed_by(&key, &last).unwrap();
        chain.insert(0, certificate.der().clone());
        serving(chain, &key)
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
            .with_protocol_versions(TLS_VERSIONS)
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], key)
            .unwrap()
    }

    pub(crate) fn certificate(
        &self,
        name: &str,
        adjust: impl FnOnce(&mut CertificateParams),
    ) -> (rcgen::Certificate, PrivateKeyDer<'static>) {
        let mut params = params(name);
        adjust(&mut params);
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.0).unwrap();
        (certificate, PrivatePkcs8KeyDer::from(key.serialize_der()).into())
    }

    pub(crate) fn pem(&self) -> String {
        self.0.pem()
    }

    /// Who we are, as certified by this authority.
    pub(crate) fn identity(&self, name: &str) -> (ClientIdentity, CertificateDer<'static>) {
        let (params, key) = (params(name), KeyPair::generate().unwrap());
        let certificate = params.signed_by(&key, &self.0).unwrap();
        let identity = ClientIdentity::from_pem(certificate.pem(), key.serialize_pem());
        (identity.unwrap(), certificate.der().clone())
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

fn params(name: &str) -> CertificateParams {
    CertificateParams::new(vec![name.to_owned()]).unwrap()
}

pub(crate) const TLS_VERSIONS: &[&SupportedProtocolVersion] = &[&TLS12, &TLS13];

/// One exchange with `server` at `https://{host}`.
async fn exchange(
    transport: &HttpTransport,
    server: ServerConfig,
    host: &str,
) -> Result<Response, TransportError> {
    exchange_as(transport, server, host, None).await
}

/// The same, for an endpoint that has this of its own.
async fn exchange_as(
    transport: &HttpTransport,
    server: ServerConfig,
    host: &str,
    tls: Option<EndpointTls>,
) -> Result<Response, TransportError> {
    let peer = Peer::bind().await;
    let url = format!("https://{host}:{}/", peer.port()).parse().unwrap();
    let receiver = async {
        let accepted = TlsAcceptor::from(Arc::new(server)).accept(peer.accept().await.0).await;
        let mut caller = PeerConnection(accepted.ok()?);
        caller.request().await;
        caller.write(OK_RESPONSE).await;
        Some(caller)
    };
    let request = Request::with_tls(request(url), tls.map(Arc::new));
    tokio::join!(transport.send(request), receiver).0
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
    assert_eq!(
        failure(&authority.trusted_by(), server, "127.0.0.1").await,
        TlsFailure::NoCommonProtocol
    );
}

#[tokio::test]
async fn a_receiver_that_wants_a_client_certificate_says_so() {
    let authority = Authority::new("ours");
    for version in TLS_VERSIONS {
        let server = authority.wanting_client_certificates(&[version]);
        let reason = failure(&authority.trusted_by(), server, "127.0.0.1").await;
        assert_eq!(reason, TlsFailure::ClientCertificateRequired, "{version:?}");
    }
}

#[tokio::test]
async fn a_client_certificate_is_shown_to_whom_asks_for_it() {
    let authority = Authority::new("ours");
    let (identity, _) = authority.identity("us.example");
    let (stranger, _) = Authority::new("a stranger").identity("us.example");
    let transport = authority.trusted_by();
    for version in TLS_VERSIONS {
        let server = || authority.wanting_client_certificates(&[version]);
        let tls = EndpointTls::new().with_identity(identity.clone());
        assert!(transport.accepts_tls(&tls).is_ok());
        let answer = exchange_as(&transport, server(), "127.0.0.1", Some(tls)).await;
        assert_eq!(answer.unwrap().body, "ok");
        let tls = EndpointTls::new().with_identity(stranger.clone());
        let error = exchange_as(&transport, server(), "127.0.0.1", Some(tls)).await.unwrap_err();
        let expected = TransportErrorKind::Tls(TlsFailure::ClientCertificateRefused);
        assert_eq!(error.kind(), expected, "{version:?}");
    }
}

#[tokio::test]
async fn roots_of_an_endpoint_take_the_place_of_all_others() {
    let (ours, theirs) = (Authority::new("ours"), Authority::new("theirs"));
    let transport = ours.trusted_by();
    let own = || Some(EndpointTls::new().with_roots_pem(theirs.pem()).unwrap());
    let server = |authority: &Authority| authority.server("127.0.0.1", |_| ());
    let answer = exchange_as(&transport, server(&theirs), "127.0.0.1", own()).await;
    assert_eq!(answer.unwrap().body, "ok");
    let error = exchange_as(&transport, server(&ours), "127.0.0.1", own()).await.unwrap_err();
    assert_eq!(error.kind(), TransportErrorKind::Tls(TlsFailure::UnknownIssuer));
    assert_eq!(failure(&transport, server(&theirs), "127.0.0.1").await, TlsFailure::UnknownIssuer);
}

#[tokio::test]
async fn a_receiver_below_the_lowest_version_has_nothing_in_common_with_us() {
    let authority = Authority::new("ours");
    let strict = authority.trusting().min_tls(TlsVersion::V1_3).build().unwrap();
    for (version, spoken) in [(&TLS12, false), (&TLS13, true)] {
        let server = authority.speaking(&[version]);
        let result = exchange(&strict, server, "127.0.0.1").await;
        let kind = result.map_err(|error| error.kind()).map(|answer| answer.body);
        let expected = TransportErrorKind::Tls(TlsFailure::NoCommonCipher);
        assert_eq!(kind, if spoken { Ok("ok".into()) } else { Err(expected) });
    }
}

/// What is no certificate of ours to trust, whatever it looks like.
#[tokio::test]
async fn self_signed_nameless_and_overlong_chains_are_refused() {
    let authority = Authority::new("ours");
    let transport = authority.trusted_by();
    let alone = |is_ca| {
        let (mut params, key) = (params("127.0.0.1"), KeyPair::generate().unwrap());
        params.is_ca = is_ca;
        let certificate = params.self_signed(&key).unwrap();
        serving(vec![certificate.der().clone()], &key)
    };
    let ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let nameless = authority.server("127.0.0.1", |params| {
        params.subject_alt_names.clear();
        params.distinguished_name.push(DnType::CommonName, "127.0.0.1");
    });
    let table = [
        (alone(IsCa::NoCa), TlsFailure::UnknownIssuer),
        // As openssl makes them unless told otherwise.
        (alone(ca), TlsFailure::UnknownIssuer),
        (nameless, TlsFailure::NameMismatch),
        (authority.behind(12), TlsFailure::Other),
    ];
    for (at, (server, expected)) in table.into_iter().enumerate() {
        assert_eq!(failure(&transport, server, "127.0.0.1").await, expected, "{at}");
    }
    let short = exchange(&transport, authority.behind(3), "127.0.0.1").await;
    assert_eq!(short.unwrap().body, "ok");
}

fn serving(chain: Vec<CertificateDer<'static>>, key: &KeyPair) -> ServerConfig {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(TLS_VERSIONS)
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(chain, PrivatePkcs8KeyDer::from(key.serialize_der()).into())
        .unwrap()
}

/// Receivers that answer a greeting with bytes of their own, and what support gets to read.
#[tokio::test]
async fn each_way_not_to_speak_tls_has_its_name() {
    let alert = |code: u8| vec![21, 3, 3, 0, 2, 2, code];
    // A greeting of TLS 1.1, with a cipher of its time.
    let old = [&[22, 3, 2, 0, 42, 2, 0, 0, 38, 3, 2][..], &[7; 32], &[0, 0, 0x2f, 0]].concat();
    let table = [
        (b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec(), TlsFailure::NotTls),
        (b"220 mail.example ESMTP\r\n".to_vec(), TlsFailure::NotTls),
        (vec![0xff; 64], TlsFailure::NotTls),
        (old, TlsFailure::NoCommonCipher),
        (alert(70), TlsFailure::NoCommonCipher),
        (alert(40), TlsFailure::NoCommonCipher),
        (alert(71), TlsFailure::NoCommonCipher),
        (alert(120), TlsFailure::NoCommonProtocol),
        (alert(116), TlsFailure::ClientCertificateRequired),
        (alert(42), TlsFailure::ClientCertificateRefused),
        (alert(48), TlsFailure::ClientCertificateRefused),
        (alert(80), TlsFailure::Other),
        (Vec::new(), TlsFailure::Other),
    ];
    let transport = Authority::new("ours").trusted_by();
    for (bytes, expected) in table {
        let peer = Peer::bind().await;
        let url = format!("https://127.0.0.1:{}/", peer.port()).parse().unwrap();
        let receiver = async {
            let mut caller = peer.accept().await;
            let mut greeting = [0; 5];
            tokio::io::AsyncReadExt::read_exact(&mut caller.0, &mut greeting).await.unwrap();
            caller.write(&bytes).await;
            tokio::io::AsyncWriteExt::shutdown(&mut caller.0).await.unwrap();
            caller
        };
        let (result, _caller) = tokio::join!(transport.send(request(url)), receiver);
        let kind = result.unwrap_err().kind();
        assert_eq!(kind, TransportErrorKind::Tls(expected), "{bytes:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_handshake_that_never_ends_uses_up_the_deadline() {
    let peer = Peer::bind().await;
    let url = format!("https://127.0.0.1:{}/", peer.port()).parse().unwrap();
    let transport = Authority::new("ours").trusted_by();
    let (error, _caller) = tokio::join!(transport.send(request(url)), peer.accept());
    let expected = TransportErrorKind::Timeout(webhook_core::transport::Phase::Tls);
    assert_eq!(error.unwrap_err().kind(), expected);
}
