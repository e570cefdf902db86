//! A look at an endpoint, step by step: would a request get there? Nothing is posted.
//!
//! The check takes the steps of [`send`](webhook_core::transport::Transport::send) up to the secured
//! connection, with the same guard: a refused address is never dialled. In addition, each step
//! reports its findings, and a certificate is read even if it is not trusted.

mod certificate;
mod report;

use std::{
    error::Error,
    net::{IpAddr, SocketAddr},
    time::Duration,
};

use tokio::{
    net::TcpStream,
    time::{Instant, timeout_at},
};
use url::Host;
use webhook_core::{
    EndpointTls, EndpointUrl, Timestamp,
    transport::{Phase, TlsFailure, TransportError, TransportErrorKind},
};

pub use report::{CheckedAddress, CheckedCertificate, CheckedStep, EndpointCheck, StepResult};

use super::{HttpTransport, Proxy, connect, deadline, error::within};
use certificate::SeenCertificate;

/// Days before the end of a certificate from which the report advises to renew it.
const EXPIRY_WARNING_DAYS: i64 = 14;

impl HttpTransport {
    /// Looks whether `url` could be posted to, and says at each step what it has found. All of it
    /// takes at most `timeout`; `now` is what the certificate's end is reckoned from.
    ///
    /// Never fails: what fails is in the report.
    ///
    /// ```no_run
    /// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
    /// use std::time::{Duration, SystemTime};
    /// use webhook_http::HttpTransport;
    ///
    /// let transport = HttpTransport::new()?;
    /// let now = SystemTime::now().into();
    /// let check = transport.check("https://billing.example/hooks", Duration::from_secs(10), now).await;
    /// println!("{check}");
    /// # Ok(())
    /// # }
    /// ```
    pub async fn check(&self, url: &str, timeout: Duration, now: Timestamp) -> EndpointCheck {
        self.check_with_tls(url, &EndpointTls::new(), timeout, now).await
    }

    /// The same for an endpoint with an identity or roots of its own.
    pub async fn check_with_tls(
        &self,
        url: &str,
        tls: &EndpointTls,
        timeout: Duration,
        now: Timestamp,
    ) -> EndpointCheck {
        let mut check = CheckRun {
            transport: self,
            tls,
            deadline: deadline(timeout),
            now,
            report: EndpointCheck::new(),
        };
        // A failed step is in the report already.
        let _ = check.run(url).await;
        check.report
    }
}

/// A failed step, which is in the report.
struct StepFailed;

struct CheckRun<'a> {
    transport: &'a HttpTransport,
    tls: &'a EndpointTls,
    deadline: Instant,
    now: Timestamp,
    report: EndpointCheck,
}

impl CheckRun<'_> {
    async fn run(&mut self, url: &str) -> Result<(), StepFailed> {
        let url = self.parse(url)?;
        self.admit(&url)?;
        let stream = match &self.transport.proxy {
            None => {
                let found = self.look_up(&url).await?;
                self.vet(&url, &found)?;
                self.dial(&url, &connect::order(found, url.port())).await?
            }
            Some(proxy) => self.tunnel(proxy, &url).await?,
        };
        if url.is_https() {
            return self.secure(&url, stream).await;
        }
        self.report.skipped("tls", "plain http: whoever is on the way can read and change it");
        self.report.skipped("certificate", "none without TLS");
        Ok(())
    }

    fn parse(&mut self, url: &str) -> Result<EndpointUrl, StepFailed> {
        match url.parse::<EndpointUrl>() {
            Ok(url) => {
                self.report.url = Some(url.to_string());
                self.report.ok("url", format!("host {}, port {}", url.host(), url.port()));
                Ok(url)
            }
            Err(error) => Err(self.failed_step("url", error.to_string(), "correct the URL")),
        }
    }

    fn admit(&mut self, url: &EndpointUrl) -> Result<(), StepFailed> {
        self.transport
            .policy
            .judge(url)
            .map_err(|refused| self.failed_step("policy", refused.rule(), refused.advice()))?;
        self.report.ok("policy", "scheme, port and host are permitted");
        Ok(())
    }

    async fn look_up(&mut self, url: &EndpointUrl) -> Result<Vec<IpAddr>, StepFailed> {
        let name = match url.host() {
            Host::Ipv4(literal) => return Ok(self.literal(literal.into())),
            Host::Ipv6(literal) => return Ok(self.literal(literal.into())),
            Host::Domain(name) => name,
        };
        let looked_up = self.transport.resolver.resolve(name);
        match within(self.deadline, Phase::Resolve, looked_up).await {
            Ok(found) if found.is_empty() => Err(self.failed_step(
                "name",
                "the name has no addresses",
                "check the name, and its records of type A and AAAA",
            )),
            Ok(found) => {
                self.report
                    .ok("name", format!("{} found", count_of(found.len(), "address", "addresses")));
                Ok(found)
            }
            Err(error) => Err(self.failed_step(
                "name",
                with_causes(&error),
                "check the name, and the name servers of this machine",
            )),
        }
    }

    fn literal(&mut self, address: IpAddr) -> Vec<IpAddr> {
        self.report.skipped("name", "the URL says the address itself");
        vec![address]
    }

    /// Every address is judged, and shown with its verdict; one that is refused refuses them all.
    fn vet(&mut self, url: &EndpointUrl, found: &[IpAddr]) -> Result<(), StepFailed> {
        let policy = &self.transport.policy;
        let judge = |address: &IpAddr| CheckedAddress {
            address: *address,
            refused: policy
                .judge_address(url, *address)
                .err()
                .map(|refused| refused.rule().into_owned()),
        };
        self.report.addresses = found.iter().map(judge).collect();
        let refusal = |one: &CheckedAddress| {
            let rule = one.refused.as_ref()?;
            Some(format!("{}: {rule}; nothing was dialled", one.address))
        };
        let Some(refused) = self.report.addresses.iter().find_map(refusal) else {
            self.report.ok("addresses", "all of them may be dialled");
            return Ok(());
        };
        let advice =
            "let the name lead to public addresses alone: one refused address refuses them all";
        Err(self.failed_step("addresses", refused, advice))
    }

    async fn dial(
        &mut self,
        url: &EndpointUrl,
        addresses: &[SocketAddr],
    ) -> Result<TcpStream, StepFailed> {
        let begun = Instant::now();
        let dialled = connect::dial(addresses, self.deadline).await;
        let judged = |stream| self.transport.judge_ends(url, &stream).map(|()| stream);
        match dialled.and_then(judged) {
            Ok(stream) => {
                let peer =
                    stream.peer_addr().map_or_else(|_| String::new(), |peer| format!(" to {peer}"));
                self.report.ok(
                    "connect",
                    format!("connected{peer} in {} ms", begun.elapsed().as_millis()),
                );
                Ok(stream)
            }
            Err(error) => {
                let advice =
                    "check that the receiver runs, and that its firewall lets this machine in";
                Err(self.failed_step("connect", with_causes(&error), advice))
            }
        }
    }

    async fn tunnel(&mut self, proxy: &Proxy, url: &EndpointUrl) -> Result<TcpStream, StepFailed> {
        self.report.skipped("name", "the proxy looks it up");
        self.report.skipped("addresses", "the proxy has to vet them");
        let begun = Instant::now();
        match self.transport.tunnel(proxy, url, self.deadline).await {
            Ok(stream) => {
                let took = begun.elapsed().as_millis();
                self.report.ok("connect", format!("connected through {proxy} in {took} ms"));
                Ok(stream)
            }
            Err(error) => {
                let advice = "check that the proxy runs, and that it lets this machine through";
                Err(self.failed_step(
                    "connect",
                    format!("through {proxy}: {}", with_causes(&error)),
                    advice,
                ))
            }
        }
    }

    async fn secure(&mut self, url: &EndpointUrl, stream: TcpStream) -> Result<(), StepFailed> {
        let seen = SeenCertificate::default();
        let clients = &self.transport.tls;
        let material = match clients.material(self.tls) {
            Ok(material) => material,
            Err(error) => {
                return Err(self.failed_step(
                    "tls",
                    with_causes(&error),
                    "correct it, then try again",
                ));
            }
        };
        let secured =
            certificate::handshake(clients.min_version(), material, &seen, url.host(), stream);
        // Not `within`: a handshake that never ends has a report, too.
        let secured = timeout_at(self.deadline, secured).await;
        let secured = secured
            .unwrap_or_else(|_| Err(TransportError::new(TransportErrorKind::Timeout(Phase::Tls))));
        match &secured {
            Ok(protocol) => {
                self.report.ok("tls", format!("{protocol}, by a certificate that is trusted"));
            }
            Err(error) => self.report.failed("tls", with_causes(error), advice_of(error.kind())),
        }
        self.read_certificate(&seen);
        secured.map(drop).map_err(|_| StepFailed)
    }

    fn read_certificate(&mut self, seen: &SeenCertificate) {
        let Some(der) = seen.take() else {
            return self.report.skipped("certificate", "none was shown");
        };
        let Some(certificate) = certificate::read(&der, self.now) else {
            let advice = "have the certificate issued anew";
            return self.report.failed("certificate", "it is no X.509 certificate", advice);
        };
        let (found, days) = (certificate.to_string(), certificate.days_left);
        if certificate.not_before > self.now || certificate.not_after < self.now {
            self.report.failed("certificate", found, "renew it, and check the receiver's clock");
        } else {
            let soon = (days < EXPIRY_WARNING_DAYS).then_some("renew it soon");
            self.report.step("certificate", StepResult::Ok, found, soon);
        }
        self.report.certificate = Some(certificate);
    }

    fn failed_step(
        &mut self,
        step: &'static str,
        found: impl Into<String>,
        advice: &'static str,
    ) -> StepFailed {
        self.report.failed(step, found, advice);
        StepFailed
    }
}

/// What to do about a handshake that failed.
const fn advice_of(kind: TransportErrorKind) -> &'static str {
    match kind {
        TransportErrorKind::Tls(TlsFailure::Expired) => "renew the certificate",
        TransportErrorKind::Tls(TlsFailure::NotYetValid) => {
            "check the clocks of the receiver's authority and of this machine"
        }
        TransportErrorKind::Tls(TlsFailure::UnknownIssuer) => {
            "let the receiver send its intermediate certificates too, or use a public authority"
        }
        TransportErrorKind::Tls(TlsFailure::NameMismatch) => {
            "use the name that the certificate is for, or have it issued for this one"
        }
        TransportErrorKind::Tls(TlsFailure::NoCommonCipher) => {
            "let the receiver speak TLS 1.2 or 1.3"
        }
        TransportErrorKind::Tls(TlsFailure::ClientCertificateRequired) => {
            "give the endpoint a client certificate, or let the receiver ask for none: requests are signed"
        }
        TransportErrorKind::Tls(TlsFailure::ClientCertificateRefused) => {
            "let the receiver trust the authority of our client certificate"
        }
        TransportErrorKind::Tls(TlsFailure::NotTls) => {
            "use the port at which the receiver speaks TLS"
        }
        TransportErrorKind::Tls(TlsFailure::NoCommonProtocol) => {
            "let the receiver speak HTTP/1.1 beside HTTP/2"
        }
        TransportErrorKind::Timeout(_) => "check that the receiver speaks TLS at this port",
        _ => "check that the receiver speaks TLS and HTTP/1.1 at this port",
    }
}

/// Text of an error and its causes, without repetitions.
fn with_causes(error: &TransportError) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let cause_text = error.to_string();
        if !text.contains(&cause_text) {
            text = format!("{text}: {cause_text}");
        }
        cause = error.source();
    }
    text
}

fn count_of(count: usize, one: &str, many: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { many })
}
