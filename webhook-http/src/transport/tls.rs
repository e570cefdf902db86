//! TLS: rustls on ring, given to each client and never to the whole process.

use std::{io, net::IpAddr, sync::Arc};

use rustls::{
    ClientConfig, RootCertStore,
    crypto::ring,
    pki_types::{InvalidDnsNameError, ServerName},
};
use tokio::net::TcpStream;
use tokio_rustls::{TlsConnector, client::TlsStream};
use url::Host;
use webhook_core::{TlsFailure, TransportError, TransportErrorKind};

use super::error::handshake_error;

/// A client that trusts `roots`, speaks TLS 1.2 and 1.3, and offers HTTP/1.1 alone.
pub(super) fn connector(roots: RootCertStore) -> Result<TlsConnector, rustls::Error> {
    let provider = Arc::new(ring::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(TlsConnector::from(Arc::new(config)))
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
