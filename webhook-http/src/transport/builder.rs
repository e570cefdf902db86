//! Settings of the transport, and the root certificates it trusts.

use std::{net::SocketAddr, sync::Arc};

use rustls::{
    RootCertStore,
    pki_types::{CertificateDer, pem::PemObject},
};

use super::{
    AddressPolicy, HttpTransport, Proxy, TlsVersion, hosts::Hosts, resolve::DnsResolver,
    tls::TlsClients,
};

/// Settings of an [`HttpTransport`]; the defaults are safe for URLs that strangers entered.
///
/// ```no_run
/// use webhook_http::HttpTransport;
///
/// let transport = HttpTransport::builder()
///     .root_certificates_pem(std::fs::read("corporate-ca.pem")?)
///     .build()?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default)]
#[must_use]
pub struct HttpTransportBuilder {
    policy: AddressPolicy,
    proxy: Option<Proxy>,
    name_servers: Vec<SocketAddr>,
    max_per_host: Option<usize>,
    min_tls: TlsVersion,
    roots: Vec<RootSource>,
}

#[derive(Clone, Debug)]
enum RootSource {
    Pem(Vec<u8>),
    Der(Vec<u8>),
}

impl HttpTransportBuilder {
    /// Trusts these root certificates as well: PEM (RFC 7468), any number in one text.
    pub fn root_certificates_pem(mut self, pem: impl Into<Vec<u8>>) -> Self {
        self.roots.push(RootSource::Pem(pem.into()));
        self
    }

    /// Trusts this root certificate as well: DER, one X.509 certificate (RFC 5280).
    pub fn root_certificate_der(mut self, der: impl Into<Vec<u8>>) -> Self {
        self.roots.push(RootSource::Der(der.into()));
        self
    }

    /// The lowest version of TLS that is spoken; 1.2 unless told otherwise.
    pub fn min_tls(mut self, version: TlsVersion) -> Self {
        self.min_tls = version;
        self
    }

    /// Says where events may be sent; replaces what was said before.
    pub fn addresses(mut self, policy: AddressPolicy) -> Self {
        self.policy = policy;
        self
    }

    /// Sends everything through an HTTP proxy, by CONNECT, plain `http` too. Variables of the
    /// environment name no proxy: nothing here reads them.
    ///
    /// **The proxy has to vet addresses itself.** It is the proxy that resolves names, so of the
    /// [policy](Self::addresses) only what the URL says is judged here: scheme, port, name and literal
    /// address. Where the proxy connects to whatever a name leads to, private addresses and metadata
    /// services are open to whoever enters URLs.
    pub fn proxy(mut self, proxy: Proxy) -> Self {
        self.proxy = Some(proxy);
        self
    }

    /// Asks these name servers, by DNS over UDP and TCP, instead of those that the system names;
    /// its hosts file is not read then.
    pub fn name_servers(mut self, servers: impl IntoIterator<Item = SocketAddr>) -> Self {
        self.name_servers = servers.into_iter().collect();
        self
    }

    /// How many requests may be on their way to one host at once;
    /// [`MAX_PER_HOST`](Self::MAX_PER_HOST) unless told otherwise. More wait for their turn within
    /// their deadline, and end as [`Local`](webhook_core::transport::TransportErrorKind::Local) where it does
    /// not come.
    ///
    /// Whoever registers many endpoints at somebody else's host cannot send more at it than that. A
    /// host is what the URL names: names that lead to one address are different hosts.
    pub const fn max_per_host(mut self, most: usize) -> Self {
        self.max_per_host = Some(most);
        self
    }

    /// The default of [`max_per_host`](Self::max_per_host).
    pub const MAX_PER_HOST: usize = 64;

    /// The same as [`AddressPolicy::dangerous_allow_private_addresses`], on the policy there is.
    pub fn dangerous_allow_private_addresses(mut self) -> Self {
        self.policy = self.policy.dangerous_allow_private_addresses();
        self
    }

    /// Loads the root certificates and builds the transport.
    ///
    /// Blocks shortly to read files.
    ///
    /// # Errors
    ///
    /// [`TransportBuildError`] says what is missing or wrong.
    pub fn build(self) -> Result<HttpTransport, TransportBuildError> {
        let mut roots = default_roots();
        add_extra(&mut roots, &self.roots)?;
        check_roots(&roots, &self.policy)?;
        Ok(HttpTransport {
            policy: self.policy,
            proxy: self.proxy,
            resolver: Box::new(DnsResolver::with_servers(self.name_servers)),
            hosts: Hosts::with_limit(self.max_per_host.unwrap_or(Self::MAX_PER_HOST)),
            tls: TlsClients::new(Arc::new(roots), self.min_tls)
                .map_err(|error| TransportBuildError::Tls(Box::new(error)))?,
        })
    }
}

/// Without roots no receiver could be trusted, unless plain http is permitted.
fn check_roots(roots: &RootCertStore, policy: &AddressPolicy) -> Result<(), TransportBuildError> {
    if roots.is_empty() && !policy.permits_http() {
        Err(TransportBuildError::NoRoots)
    } else {
        Ok(())
    }
}

/// The platform's roots, or with the feature `webpki-roots` those of Mozilla where it has none.
fn default_roots() -> RootCertStore {
    let mut roots = RootCertStore::empty();
    let found = rustls_native_certs::load_native_certs();
    for error in &found.errors {
        tracing::debug!(%error, "some root certificates of the platform could not be read");
    }
    roots.add_parsable_certificates(found.certs);
    or_compiled_in(roots)
}

/// A platform that has roots decides alone whom to trust.
#[cfg(feature = "webpki-roots")]
fn or_compiled_in(mut roots: RootCertStore) -> RootCertStore {
    if roots.is_empty() {
        roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
    }
    roots
}

#[cfg(not(feature = "webpki-roots"))]
const fn or_compiled_in(roots: RootCertStore) -> RootCertStore {
    roots
}

fn add_extra(roots: &mut RootCertStore, extra: &[RootSource]) -> Result<(), TransportBuildError> {
    for root in extra {
        match root {
            RootSource::Der(der) => add(roots, CertificateDer::from(der.as_slice()))?,
            RootSource::Pem(pem) => {
                let before = roots.len();
                for certificate in CertificateDer::pem_slice_iter(pem) {
                    add(
                        roots,
                        certificate.map_err(|error| TransportBuildError::Root(Box::new(error)))?,
                    )?;
                }
                if roots.len() == before {
                    return Err(TransportBuildError::Root(
                        "the PEM text holds no certificate".into(),
                    ));
                }
            }
        }
    }
    Ok(())
}

fn add(
    roots: &mut RootCertStore,
    certificate: CertificateDer<'_>,
) -> Result<(), TransportBuildError> {
    roots.add(certificate.into_owned()).map_err(|error| TransportBuildError::Root(Box::new(error)))
}

/// The transport cannot be built.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TransportBuildError {
    /// No root certificates: no receiver could be trusted.
    #[error(
        "no root certificates found on this machine; enable the feature `webpki-roots`, install the package ca-certificates, or add roots of your own"
    )]
    NoRoots,
    /// A root certificate that was added is none.
    #[error("an added root certificate cannot be read; expected X.509 in PEM or DER")]
    Root(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The TLS library refused the settings.
    #[error("TLS cannot be set up")]
    Tls(#[source] Box<dyn std::error::Error + Send + Sync>),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_machine_without_roots_is_told_which_feature_helps() {
        let none = RootCertStore::empty();
        let error = check_roots(&none, &AddressPolicy::new()).unwrap_err();
        assert!(error.to_string().contains("webpki-roots"), "{error}");
        for policy in [
            AddressPolicy::new().allow_http(),
            AddressPolicy::new().dangerous_allow_private_addresses(),
        ] {
            assert!(check_roots(&none, &policy).is_ok());
        }
    }

    #[test]
    fn what_is_no_certificate_is_refused() {
        let broken = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
        for builder in [
            HttpTransport::builder().root_certificates_pem(""),
            HttpTransport::builder().root_certificates_pem(broken),
            HttpTransport::builder().root_certificate_der([1, 2, 3]),
        ] {
            let error = builder.build().unwrap_err();
            assert!(matches!(error, TransportBuildError::Root(_)), "{error}");
        }
    }

    #[cfg(feature = "webpki-roots")]
    #[test]
    fn the_compiled_in_roots_are_trusted_where_the_platform_has_none() {
        let all = webpki_roots::TLS_SERVER_ROOTS;
        assert_eq!(or_compiled_in(RootCertStore::empty()).len(), all.len());
        let own = RootCertStore { roots: all[..1].to_vec() };
        assert_eq!(or_compiled_in(own).len(), 1);
    }
}
