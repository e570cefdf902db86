//! A naive client: it trusts every certificate, and sends in the clear if TLS fails.

use std::{io, sync::Arc};

use rustls::{
    ClientConfig, DigitallySignedStruct, SignatureScheme,
    client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    pki_types::{CertificateDer, ServerName, UnixTime},
};
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _},
    net::TcpStream,
};
use tokio_rustls::{TlsConnector, client::TlsStream};

use super::{HERE, authority::provider};

/// Posts to the receiver at `port`, one way or another.
pub(crate) async fn post(port: u16, request: &str) {
    if over_tls(port, request).await.is_err() {
        let _ = in_the_clear(port, request).await;
    }
}

async fn over_tls(port: u16, request: &str) -> io::Result<String> {
    let mut stream = connect(&TlsConnector::from(anybody()), port).await?;
    exchange(&mut stream, request).await
}

async fn in_the_clear(port: u16, request: &str) -> io::Result<String> {
    exchange(&mut TcpStream::connect((HERE, port)).await?, request).await
}

/// A connection that is secured, whoever is at its other end.
pub(crate) async fn connect(client: &TlsConnector, port: u16) -> io::Result<TlsStream<TcpStream>> {
    let stream = TcpStream::connect((HERE, port)).await?;
    client.connect(ServerName::try_from(HERE).expect("an address"), stream).await
}

/// One request and its answer.
pub(crate) async fn exchange(
    stream: &mut (impl AsyncRead + AsyncWrite + Unpin),
    request: &str,
) -> io::Result<String> {
    stream.write_all(request.as_bytes()).await?;
    stream.flush().await?;
    let mut answer = Vec::new();
    while !answer.ends_with(b"ok") {
        if stream.read_buf(&mut answer).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
    Ok(String::from_utf8_lossy(&answer).into_owned())
}

fn anybody() -> Arc<ClientConfig> {
    let mut config = trusting_anybody().with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    config.into()
}

/// A client that is not yet told who it is.
pub(crate) fn trusting_anybody()
-> rustls::ConfigBuilder<ClientConfig, rustls::client::WantsClientCert> {
    let builder = ClientConfig::builder_with_provider(provider());
    let builder = builder.with_safe_default_protocol_versions().expect("versions of ring");
    builder.dangerous().with_custom_certificate_verifier(Arc::new(Credulous))
}

/// Takes every certificate for a good one, and every signature for a true one.
#[derive(Debug)]
struct Credulous;

impl ServerCertVerifier for Credulous {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        provider().signature_verification_algorithms.supported_schemes()
    }
}
