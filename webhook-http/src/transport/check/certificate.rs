//! A handshake that remembers the certificate, whatever becomes of it.

use std::{
    net::IpAddr,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use rustls::{
    DigitallySignedStruct, Error, SignatureScheme,
    client::{
        WebPkiServerVerifier,
        danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    },
    crypto::ring,
    pki_types::{CertificateDer, ServerName, UnixTime},
};
use tokio::{io::AsyncReadExt as _, net::TcpStream, time::timeout};
use tokio_rustls::{TlsConnector, client::TlsStream};
use url::Host;
use webhook_core::{
    Timestamp,
    transport::{TlsFailure, TransportError, TransportErrorKind},
};
use x509_parser::{
    extensions::GeneralName,
    prelude::{FromDer as _, X509Certificate},
};

use super::report::CheckedCertificate;
use crate::transport::{
    error::handshake_error,
    tls::{self, TlsMaterial, TlsVersion},
};

/// Certificate of the receiver; empty if it has sent none.
#[derive(Clone, Debug, Default)]
pub(super) struct SeenCertificate(Arc<Mutex<Option<Vec<u8>>>>);

impl SeenCertificate {
    fn keep(&self, certificate: &CertificateDer<'_>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(certificate.to_vec());
    }

    pub(super) fn take(&self) -> Option<Vec<u8>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

/// Performs the handshake of the transport and closes the connection. Returns the protocol version.
pub(super) async fn handshake(
    min_version: TlsVersion,
    material: TlsMaterial,
    seen: &SeenCertificate,
    host: Host<&str>,
    stream: TcpStream,
) -> Result<&'static str, TransportError> {
    let other = |error| TransportError::because(TransportErrorKind::Tls(TlsFailure::Other), error);
    let provider = Arc::new(ring::default_provider());
    let trusted = WebPkiServerVerifier::builder_with_provider(material.roots.clone(), provider);
    let trusted = trusted.build().map_err(|_| other("no root certificates on this machine"))?;
    let verifier = Arc::new(RecordingVerifier { trusted, seen: seen.clone() });
    let config = tls::builder(min_version)
        .map(|builder| builder.dangerous().with_custom_certificate_verifier(verifier))
        .and_then(|builder| tls::finish(builder, material))
        .map_err(|_| other("TLS cannot be set up"))?;
    let connector = TlsConnector::from(Arc::new(config));
    let mut secured = tls::secure(&connector, host, stream).await?;
    read_client_alert(&mut secured).await?;
    Ok(match secured.get_ref().1.protocol_version() {
        Some(rustls::ProtocolVersion::TLSv1_2) => "TLS 1.2",
        Some(rustls::ProtocolVersion::TLSv1_3) => "TLS 1.3",
        _ => "TLS",
    })
}

/// Reads an alert about the client certificate, which TLS 1.3 sends after the handshake.
async fn read_client_alert(secured: &mut TlsStream<TcpStream>) -> Result<(), TransportError> {
    const ALERT_WAIT: Duration = Duration::from_millis(200);
    let Ok(Err(error)) = timeout(ALERT_WAIT, secured.read_u8()).await else { return Ok(()) };
    let error = handshake_error(error);
    match error.kind() {
        TransportErrorKind::Tls(
            TlsFailure::ClientCertificateRequired | TlsFailure::ClientCertificateRefused,
        ) => Err(error),
        _ => Ok(()),
    }
}

/// Verifies like `trusted`, and records the certificate.
#[derive(Debug)]
struct RecordingVerifier {
    trusted: Arc<WebPkiServerVerifier>,
    seen: SeenCertificate,
}

impl ServerCertVerifier for RecordingVerifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        self.seen.keep(end_entity);
        self.trusted.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.trusted.verify_tls12_signature(message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.trusted.verify_tls13_signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.trusted.supported_verify_schemes()
    }
}

/// Reads a certificate, if it is one.
pub(super) fn read(der: &[u8], now: Timestamp) -> Option<CheckedCertificate> {
    const SECONDS_PER_DAY: i64 = 24 * 60 * 60;
    let (_, certificate) = X509Certificate::from_der(der).ok()?;
    let names = certificate.subject_alternative_name().ok().flatten();
    let names = names.map(|names| &names.value.general_names).into_iter().flatten();
    let validity = certificate.validity();
    let not_after = Timestamp::from_unix_secs(validity.not_after.timestamp());
    let left = not_after.as_unix_secs().saturating_sub(now.as_unix_secs());
    Some(CheckedCertificate {
        subject: certificate.subject().to_string(),
        issuer: certificate.issuer().to_string(),
        names: names.filter_map(name).collect(),
        not_before: Timestamp::from_unix_secs(validity.not_before.timestamp()),
        not_after,
        days_left: left.div_euclid(SECONDS_PER_DAY),
    })
}

fn name(name: &GeneralName<'_>) -> Option<String> {
    match name {
        GeneralName::DNSName(name) => Some((*name).to_owned()),
        GeneralName::IPAddress(bytes) => {
            let v4 = <[u8; 4]>::try_from(*bytes).map(IpAddr::from);
            v4.or_else(|_| <[u8; 16]>::try_from(*bytes).map(IpAddr::from))
                .ok()
                .map(|ip| ip.to_string())
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_certificate_is_not_read() {
        for bytes in [&[][..], &[0x30], &[0x30, 0x84, 0xff, 0xff, 0xff, 0xff], b"hello"] {
            assert_eq!(read(bytes, Timestamp::default()), None, "{bytes:?}");
        }
    }
}
