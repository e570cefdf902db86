//! TLS: rustls on ring, given to each client and never to the whole process.
//!
//! Endpoints with an identity or roots of their own have a client each, made when first needed: a
//! client keeps the sessions it may resume, and a session resumed for another would speak in the
//! name of the first.

mod clients;
mod material;

use std::{io, net::IpAddr, sync::Arc};

use rustls::{
    ClientConfig, ConfigBuilder, SupportedProtocolVersion,
    client::{Resumption, WantsClientCert},
    crypto::ring,
    pki_types::{InvalidDnsNameError, ServerName},
    version::{TLS12, TLS13},
};
use tokio::net::TcpStream;
use tokio_rustls::{TlsConnector, client::TlsStream};
use url::Host;
use webhook_core::transport::{TlsFailure, TransportError, TransportErrorKind};

pub(super) use clients::{TlsClient, TlsClients};
pub(super) use material::TlsMaterial;

use super::error::handshake_error;

/// A version of TLS.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
#[non_exhaustive]
pub enum TlsVersion {
    /// TLS 1.2 (RFC 5246), with ciphers that keep past traffic secret.
    #[default]
    V1_2,
    /// TLS 1.3 (RFC 8446).
    V1_3,
}

impl TlsVersion {
    /// This version and those after it.
    fn and_later(self) -> &'static [&'static SupportedProtocolVersion] {
        static SUPPORTED_VERSIONS: [&SupportedProtocolVersion; 2] = [&TLS13, &TLS12];
        match self {
            Self::V1_2 => &SUPPORTED_VERSIONS,
            Self::V1_3 => SUPPORTED_VERSIONS.split_at(1).0,
        }
    }
}

/// Builds the settings of a client that trusts `material.roots`, speaks `min_version` and later,
/// and offers HTTP/1.1 only.
fn config(min_version: TlsVersion, material: TlsMaterial) -> Result<ClientConfig, rustls::Error> {
    let roots = Arc::clone(&material.roots);
    finish(builder(min_version)?.with_root_certificates(roots), material)
}

type Builder<State> = ConfigBuilder<ClientConfig, State>;

/// The beginning of every client.
pub(super) fn builder(
    min_version: TlsVersion,
) -> Result<Builder<rustls::WantsVerifier>, rustls::Error> {
    let provider = Arc::new(ring::default_provider());
    ClientConfig::builder_with_provider(provider).with_protocol_versions(min_version.and_later())
}

/// The end of every client: who we are, which protocol we speak, and a store for its sessions.
pub(super) fn finish(
    builder: Builder<WantsClientCert>,
    material: TlsMaterial,
) -> Result<ClientConfig, rustls::Error> {
    /// Receivers whose sessions a client keeps for resumption.
    const MAX_SESSIONS: usize = 256;
    let mut config = match material.identity {
        Some((certificates, key)) => builder.with_client_auth_cert(certificates, key)?,
        None => builder.with_no_client_auth(),
    };
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    config.resumption = Resumption::in_memory_sessions(MAX_SESSIONS);
    Ok(config)
}

/// Agrees on a secure connection with the holder of a certificate for `host`.
pub(super) async fn secure(
    connector: &TlsConnector,
    host: Host<&str>,
    stream: TcpStream,
) -> Result<TlsStream<TcpStream>, TransportError> {
    let name = server_name(host).map_err(|error| {
        TransportError::because(TransportErrorKind::Tls(TlsFailure::Other), error)
    })?;
    connector.connect(name, stream).await.map_err(closed_early).map_err(handshake_error)
}

/// Certificates name hosts without the final dot.
pub(super) fn server_name(host: Host<&str>) -> Result<ServerName<'static>, InvalidDnsNameError> {
    Ok(match host {
        Host::Ipv4(address) => ServerName::IpAddress(IpAddr::V4(address).into()),
        Host::Ipv6(address) => ServerName::IpAddress(IpAddr::V6(address).into()),
        Host::Domain(name) => {
            let name = name.strip_suffix('.').unwrap_or(name);
            ServerName::try_from(name.to_owned())?
        }
    })
}

/// Says where the connection ended, which the bare error does not.
fn closed_early(error: io::Error) -> io::Error {
    match error.kind() {
        io::ErrorKind::UnexpectedEof => {
            io::Error::new(error.kind(), "closed by the receiver during the TLS handshake")
        }
        _ => error,
    }
}

/// Clients that trust no certificate.
#[cfg(test)]
pub(super) fn clients_without_roots() -> TlsClients {
    TlsClients::new(Arc::new(rustls::RootCertStore::empty()), TlsVersion::default()).unwrap()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_asked_for_has_no_final_dot() {
        let name = server_name(Host::Domain("billing.example.")).unwrap();
        assert_eq!(name.to_str(), "billing.example");
        let name = server_name(Host::Ipv6("::1".parse().unwrap())).unwrap();
        assert_eq!(name.to_str(), "::1");
    }
}
