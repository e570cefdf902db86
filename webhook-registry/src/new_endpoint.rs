//! Endpoints as somebody registers them: text in, an endpoint or a clear error out.

mod invalid_endpoint;
mod text_or;

use std::time::Duration;

use webhook_core::{
    ClientIdentity, CustomHeaders, Description, Endpoint, EndpointId, EndpointTls, EndpointUrl,
    EventFilter, ExternalId, Metadata, OrderPolicy, Profile, RateLimit, RetryPolicy, Secret,
    Signing, SigningKey, TenantId, Timeout, Timestamp, error::InvalidTls,
};

pub use invalid_endpoint::InvalidEndpoint;
pub use text_or::TextOr;

/// An endpoint to register.
///
/// Everything is text until [`Webhooks::add_endpoint`](crate::Webhooks::add_endpoint) reads it, so
/// that one `?` is enough for a whole chain. Values that are parsed already are taken as they are.
///
/// ```
/// use std::time::Duration;
/// use webhook_registry::NewEndpoint;
///
/// let endpoint = NewEndpoint::new("https://billing.example/hooks")
///     .events(["invoice.*"])
///     .header("Authorization", "Bearer t0ken")
///     .timeout(Duration::from_secs(10))
///     .retry("5s,5m,30m");
/// ```
#[derive(Clone, Debug, Default)]
pub struct NewEndpoint {
    url: EnteredUrl,
    tenant: TenantId,
    filters: Option<Vec<TextOr<EventFilter>>>,
    secret: SecretChoice,
    profiles: Vec<TextOr<Profile>>,
    headers: Vec<(String, Redacted<String>)>,
    identity: Option<(String, Redacted<String>)>,
    roots: Option<String>,
    timeout: Option<Duration>,
    retry: Option<TextOr<RetryPolicy>>,
    max_in_flight: Option<u32>,
    rate: Option<TextOr<RateLimit>>,
    order: Option<OrderPolicy>,
    description: Option<TextOr<Description>>,
    external_id: Option<TextOr<ExternalId>>,
    metadata: Vec<(String, String)>,
}

#[derive(Clone, Debug, Default)]
enum SecretChoice {
    #[default]
    Generate,
    Given(Redacted<TextOr<Secret>>),
    None,
}

/// A value that `Debug` does not show.
#[derive(Clone)]
struct Redacted<T>(T);

impl<T> std::fmt::Debug for Redacted<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("redacted")
    }
}

/// A URL as it was entered: it may contain a password, and its query a token.
#[derive(Clone)]
struct EnteredUrl(TextOr<EndpointUrl>);

impl Default for EnteredUrl {
    fn default() -> Self {
        Self("".into())
    }
}

impl std::fmt::Debug for EnteredUrl {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.0.read() {
            Ok(url) => write!(f, "{url}"),
            Err(error) => write!(f, "{error}"),
        }
    }
}

impl NewEndpoint {
    /// An endpoint at `url` that wants every event, with a new secret.
    pub fn new(url: impl Into<TextOr<EndpointUrl>>) -> Self {
        Self { url: EnteredUrl(url.into()), ..Self::default() }
    }

    /// Sets whose it is.
    #[must_use]
    pub fn tenant(mut self, tenant: TenantId) -> Self {
        self.tenant = tenant;
        self
    }

    /// Sets the event filters, such as `invoice.paid` or `invoice.*`; at least one.
    #[must_use]
    pub fn events<F: Into<TextOr<EventFilter>>>(
        mut self,
        filters: impl IntoIterator<Item = F>,
    ) -> Self {
        self.filters = Some(filters.into_iter().map(Into::into).collect());
        self
    }

    /// Sets the secret; without one, a `whsec_` secret is made.
    #[must_use]
    pub fn secret(mut self, secret: impl Into<TextOr<Secret>>) -> Self {
        self.secret = SecretChoice::Given(Redacted(secret.into()));
        self
    }

    /// Sends unsigned.
    #[must_use]
    pub fn unsigned(mut self) -> Self {
        self.secret = SecretChoice::None;
        self
    }

    /// Sets the signing profiles; without any, all that the secret serves.
    #[must_use]
    pub fn profiles<P: Into<TextOr<Profile>>>(
        mut self,
        profiles: impl IntoIterator<Item = P>,
    ) -> Self {
        self.profiles = profiles.into_iter().map(Into::into).collect();
        self
    }

    /// Adds a header to every request.
    #[must_use]
    pub fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.headers.push((name.into(), Redacted(value.into())));
        self
    }

    /// Sets the client certificate that its requests carry (mTLS): the certificate and those that
    /// lead to its root, and the private key, both PEM.
    #[must_use]
    pub fn client_certificate(
        mut self,
        certificates_pem: impl Into<String>,
        key_pem: impl Into<String>,
    ) -> Self {
        self.identity = Some((certificates_pem.into(), Redacted(key_pem.into())));
        self
    }

    /// Sets whom to trust at this endpoint, in place of the roots that the transport trusts: PEM.
    #[must_use]
    pub fn root_certificates(mut self, pem: impl Into<String>) -> Self {
        self.roots = Some(pem.into());
        self
    }

    /// Sets the deadline of one attempt, 1 ms to 30 s; by default 30 s.
    #[must_use]
    pub const fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// Sets the retry policy, such as `5s,5m,30m`; by default ten attempts in three days.
    #[must_use]
    pub fn retry(mut self, policy: impl Into<TextOr<RetryPolicy>>) -> Self {
        self.retry = Some(policy.into());
        self
    }

    /// Sets how many attempts may be in flight at once, in each worker process; by default 16.
    #[must_use]
    pub const fn max_in_flight(mut self, max: u32) -> Self {
        self.max_in_flight = Some(max);
        self
    }

    /// Says what it is for; at most 1 KiB.
    #[must_use]
    pub fn description(mut self, text: impl Into<TextOr<Description>>) -> Self {
        self.description = Some(text.into());
        self
    }

    /// Sets its name in its owner's own records; need not be unique.
    #[must_use]
    pub fn external_id(mut self, id: impl Into<TextOr<ExternalId>>) -> Self {
        self.external_id = Some(id.into());
        self
    }

    /// Adds a note; names and values together may have 4 KiB.
    #[must_use]
    pub fn metadata(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.metadata.push((name.into(), value.into()));
        self
    }

    /// Sets how many attempts may start a second, all worker processes together, such as `10/s` or
    /// `10/s burst 50`; by default without a limit.
    #[must_use]
    pub fn rate(mut self, limit: impl Into<TextOr<RateLimit>>) -> Self {
        self.rate = Some(limit.into());
        self
    }

    /// Has it get the events of one ordering key one at a time, in the order in which they were
    /// published, and says what happens to the later ones when one is given up. Without it, all at
    /// once.
    #[must_use]
    pub const fn order(mut self, policy: OrderPolicy) -> Self {
        self.order = Some(policy);
        self
    }

    /// Whether a secret has to be made for it.
    pub(crate) const fn wants_new_secret(&self) -> bool {
        matches!(self.secret, SecretChoice::Generate)
    }

    /// Reads all of it. `generated` is the secret to use where none was given.
    pub(crate) fn read(
        &self,
        id: EndpointId,
        now: Timestamp,
        generated: Option<Secret>,
    ) -> Result<Endpoint, InvalidEndpoint> {
        let endpoint = Endpoint::new(id, self.url.0.read()?)
            .with_tenant(self.tenant.clone())
            .with_filters(self.read_filters()?)
            .with_signing(self.read_signing(generated)?)
            .with_headers(self.read_headers()?)
            .with_tls(self.read_tls()?)
            .with_timeout(self.timeout.map(Timeout::new).transpose()?.unwrap_or_default())
            .with_max_in_flight(self.max_in_flight.unwrap_or(Endpoint::MAX_IN_FLIGHT))
            .with_rate(self.rate.as_ref().map(TextOr::read).transpose()?)
            .with_order(self.order)
            .with_description(self.description.as_ref().map(TextOr::read).transpose()?)
            .with_external_id(self.external_id.as_ref().map(TextOr::read).transpose()?)
            .with_metadata(Metadata::new(self.metadata.iter().cloned())?)
            .with_created_at(now);
        match &self.retry {
            Some(policy) => Ok(endpoint.with_retry(policy.read()?)),
            None => Ok(endpoint),
        }
    }

    fn read_filters(&self) -> Result<Vec<EventFilter>, InvalidEndpoint> {
        let Some(wanted) = &self.filters else { return Ok(vec![EventFilter::any()]) };
        let mut filters = Vec::with_capacity(wanted.len());
        for filter in wanted {
            let filter = match filter {
                TextOr::Value(filter) => filter.clone(),
                TextOr::Text(text) => {
                    text.parse().map_err(|error| InvalidEndpoint::Filter(text.clone(), error))?
                }
            };
            if !filters.contains(&filter) {
                filters.push(filter);
            }
        }
        if filters.is_empty() { Err(InvalidEndpoint::NoFilter) } else { Ok(filters) }
    }

    fn read_signing(&self, generated: Option<Secret>) -> Result<Signing, InvalidEndpoint> {
        let secret = match &self.secret {
            SecretChoice::Generate => generated,
            SecretChoice::Given(secret) => Some(secret.0.read()?),
            SecretChoice::None => None,
        };
        let profiles =
            self.profiles.iter().map(TextOr::read).collect::<Result<Vec<Profile>, _>>()?;
        Ok(match secret {
            Some(secret) if profiles.is_empty() => Signing::with_secret(secret),
            secret => Signing::new(secret.map(SigningKey::new).into_iter().collect(), profiles)?,
        })
    }

    fn read_tls(&self) -> Result<Option<EndpointTls>, InvalidTls> {
        let mut tls = EndpointTls::new();
        if let Some((certificates, key)) = &self.identity {
            tls = tls.with_identity(ClientIdentity::from_pem(certificates, &*key.0)?);
        }
        if let Some(pem) = &self.roots {
            tls = tls.with_roots_pem(pem)?;
        }
        Ok(Some(tls))
    }

    fn read_headers(&self) -> Result<CustomHeaders, InvalidEndpoint> {
        let pairs = self.headers.iter().map(|(name, value)| (name.as_str(), value.0.as_str()));
        Ok(CustomHeaders::new(pairs)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use uuid::Uuid;
    use webhook_core::error::{InvalidMetadata, InvalidSigning};

    fn read(endpoint: &NewEndpoint) -> Result<Endpoint, InvalidEndpoint> {
        endpoint.read(EndpointId::from_uuid(Uuid::nil()), Timestamp::default(), None)
    }

    fn at(url: &str) -> NewEndpoint {
        NewEndpoint::new(url).unsigned()
    }

    #[test]
    fn each_mistake_has_its_own_error() {
        let good = || at("https://a.example/");
        assert!(read(&good()).is_ok());
        assert!(matches!(read(&at("a.example")), Err(InvalidEndpoint::Url(_))));
        assert!(matches!(read(&good().events(["a..b"])), Err(InvalidEndpoint::Filter(..))));
        assert_eq!(read(&good().events([""; 0])).unwrap_err(), InvalidEndpoint::NoFilter);
        assert!(matches!(read(&good().secret("whsec_%")), Err(InvalidEndpoint::Secret(_))));
        assert!(matches!(read(&good().profiles(["v9"])), Err(InvalidEndpoint::Signing(_))));
        assert!(matches!(read(&good().profiles(["standard"])), Err(InvalidEndpoint::Signing(_))));
        let plain = good().secret("plain").profiles(["standard"]);
        assert_eq!(
            read(&plain).unwrap_err(),
            InvalidEndpoint::Signing(InvalidSigning::NeedsPrefix)
        );
        assert!(matches!(read(&good().header("Host", "x")), Err(InvalidEndpoint::Header(_))));
        assert!(matches!(
            read(&good().timeout(Duration::from_secs(31))),
            Err(InvalidEndpoint::Timeout(_))
        ));
        let description = read(&good().description("a\0b"));
        assert!(matches!(description, Err(InvalidEndpoint::Description(_))));
        assert!(matches!(read(&good().external_id("")), Err(InvalidEndpoint::ExternalId(_))));
        let too_large = read(&good().metadata("a", "x".repeat(4096)));
        assert_eq!(too_large.unwrap_err(), InvalidEndpoint::Metadata(InvalidMetadata::TooLarge));
        assert!(matches!(read(&good().retry("soon")), Err(InvalidEndpoint::Retry(_))));
        assert!(matches!(read(&good().rate("fast")), Err(InvalidEndpoint::Rate(_))));
    }

    #[test]
    fn parsed_values_make_the_same_endpoint_as_their_text() {
        let secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
        let text = NewEndpoint::new("https://a.example/?t=1")
            .events(["invoice.*"])
            .secret(secret)
            .profiles(["standard"])
            .retry("5s,5m jitter 7%")
            .rate("10/s burst 50")
            .description("billing")
            .external_id("a-1");
        let parsed = NewEndpoint::new("https://a.example/?t=1".parse::<EndpointUrl>().unwrap())
            .events(["invoice.*".parse::<EventFilter>().unwrap()])
            .secret(secret.parse::<Secret>().unwrap())
            .profiles([Profile::Standard])
            .retry("5s,5m jitter 7%".parse::<RetryPolicy>().unwrap())
            .rate("10/s burst 50".parse::<RateLimit>().unwrap())
            .description("billing".parse::<Description>().unwrap())
            .external_id("a-1".parse::<ExternalId>().unwrap());
        let (text, parsed) = (read(&text).unwrap(), read(&parsed).unwrap());
        assert_eq!(format!("{text:?}"), format!("{parsed:?}"));
        assert_eq!(text.signing.profiles(), parsed.signing.profiles());
        assert_eq!((text.url, text.rate, text.retry), (parsed.url, parsed.rate, parsed.retry));
        assert_eq!(text.description, parsed.description);
        assert_eq!((text.external_id, text.filters), (parsed.external_id, parsed.filters));
    }

    #[test]
    fn a_plain_secret_shrinks_the_default_profiles() {
        let profiles = |secret: &str| {
            read(&at("https://a.example/").secret(secret)).unwrap().signing.profiles().to_vec()
        };
        assert_eq!(profiles("plain"), [Profile::BodyHmac]);
        assert_eq!(
            profiles("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"),
            [Profile::Standard, Profile::BodyHmac]
        );
    }

    #[test]
    fn nothing_secret_shows() {
        for url in ["https://a.example/?t=canary-3", "https://u:canary-4@a.example/", "canary-5"] {
            let endpoint = at(url).secret("canary-1").header("x-a", "canary-2");
            assert!(!format!("{endpoint:?}").contains("canary"), "{endpoint:?}");
        }
        assert!(format!("{:?}", at("https://a.example/hooks")).contains("https://a.example/hooks"));
    }
}
