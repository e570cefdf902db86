//! Endpoints: where one consumer listens, and how it wants to be called.

use std::{sync::Arc, time::Duration};

use crate::model::{
    endpoint_state::EndpointState,
    event::{Event, EventType},
    filter::EventFilter,
    header::CustomHeaders,
    health::Health,
    id::{EndpointId, Revision, TenantId},
    metadata::{Description, ExternalId, Metadata},
    order::OrderPolicy,
    rate::RateLimit,
    retry::RetryPolicy,
    signing::Signing,
    time::Timestamp,
    tls::EndpointTls,
    url::EndpointUrl,
};

/// Where one consumer listens.
///
/// ```
/// use webhook_core::{Endpoint, EndpointId, Signing};
///
/// let id = EndpointId::from_uuid(uuid::Uuid::nil());
/// let endpoint = Endpoint::new(id, "https://billing.example/hooks".parse()?)
///     .with_filters(["invoice.*".parse()?])
///     .with_signing(Signing::with_secret("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw".parse()?));
/// assert!(endpoint.wants(&"invoice.paid".parse()?));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Endpoint {
    /// Identifies it.
    pub id: EndpointId,
    /// Whose it is.
    pub tenant: TenantId,
    /// Where to post to.
    pub url: EndpointUrl,
    /// Which types it wants; any of them is enough.
    pub filters: Vec<EventFilter>,
    /// What its requests are signed with.
    pub signing: Signing,
    /// What its requests carry besides.
    pub headers: CustomHeaders,
    /// What secures its connections, where that is not what secures all others.
    pub tls: Option<Arc<EndpointTls>>,
    /// The deadline of one attempt, from name look-up to the last byte.
    pub timeout: Timeout,
    /// When to try again.
    pub retry: RetryPolicy,
    /// Attempts in flight at once, in each worker process.
    pub max_in_flight: u32,
    /// Attempts that may start a second, all worker processes together.
    pub rate: Option<RateLimit>,
    /// What it is for, in its owner's words.
    pub description: Option<Description>,
    /// Its name in its owner's own records.
    pub external_id: Option<ExternalId>,
    /// What else its owner has noted.
    pub metadata: Metadata,
    /// Whether it gets the events of one ordering key one at a time, in the order in which they were
    /// published, and what happens to the later ones when one is given up. Without it, all at once.
    pub order: Option<OrderPolicy>,
    /// Whether it gets anything at present.
    pub state: EndpointState,
    /// How often it was edited: an edit must name the one it was made from.
    pub revision: Revision,
    /// When it was registered.
    pub created_at: Timestamp,
    /// How it was when this was read, as its attempts tell. No setting: what an edit says of it is
    /// not stored.
    pub health: Health,
}

impl Endpoint {
    /// Attempts in flight at once: enough to keep a healthy receiver busy, too few to drown one.
    pub const MAX_IN_FLIGHT: u32 = 16;

    /// An active, unsigned endpoint of the default tenant that wants every type.
    pub fn new(id: EndpointId, url: EndpointUrl) -> Self {
        Self {
            id,
            tenant: TenantId::default(),
            url,
            filters: vec![EventFilter::any()],
            signing: Signing::unsigned(),
            headers: CustomHeaders::default(),
            tls: None,
            timeout: Timeout::default(),
            retry: RetryPolicy::durable(),
            max_in_flight: Self::MAX_IN_FLIGHT,
            rate: None,
            description: None,
            external_id: None,
            metadata: Metadata::default(),
            order: None,
            state: EndpointState::Active,
            revision: Revision::default(),
            created_at: Timestamp::default(),
            health: Health::HEALTHY,
        }
    }

    /// Whether one of its filters matches.
    pub fn wants(&self, event_type: &EventType) -> bool {
        self.filters.iter().any(|filter| filter.matches(event_type))
    }

    /// Whether its delivery of `event` stands in a line: the event has an ordering key, and it asks for
    /// order.
    pub const fn keeps_order_of(&self, event: &Event) -> bool {
        self.order.is_some() && event.ordering_key.is_some()
    }

    /// Sets whose it is.
    #[must_use]
    pub fn with_tenant(mut self, tenant: TenantId) -> Self {
        self.tenant = tenant;
        self
    }

    /// Sets which types it wants.
    #[must_use]
    pub fn with_filters(mut self, filters: impl IntoIterator<Item = EventFilter>) -> Self {
        self.filters = filters.into_iter().collect();
        self
    }

    /// Sets what its requests are signed with.
    #[must_use]
    pub fn with_signing(mut self, signing: Signing) -> Self {
        self.signing = signing;
        self
    }

    /// Sets what its requests carry besides.
    #[must_use]
    pub fn with_headers(mut self, headers: CustomHeaders) -> Self {
        self.headers = headers;
        self
    }

    /// Sets what secures its connections; what says nothing is as absent.
    #[must_use]
    pub fn with_tls(mut self, tls: Option<EndpointTls>) -> Self {
        self.tls = tls.filter(|tls| !tls.is_empty()).map(Arc::new);
        self
    }

    /// Sets the deadline of one attempt.
    #[must_use]
    pub const fn with_timeout(mut self, timeout: Timeout) -> Self {
        self.timeout = timeout;
        self
    }

    /// Sets when to try again.
    #[must_use]
    pub fn with_retry(mut self, retry: RetryPolicy) -> Self {
        self.retry = retry;
        self
    }

    /// Sets how many attempts may be in flight at once, in each worker process; at least 1.
    #[must_use]
    pub const fn with_max_in_flight(mut self, max: u32) -> Self {
        self.max_in_flight = if max == 0 { 1 } else { max };
        self
    }

    /// Sets how many attempts may start a second, all worker processes together.
    #[must_use]
    pub const fn with_rate(mut self, rate: Option<RateLimit>) -> Self {
        self.rate = rate;
        self
    }

    /// Sets what it is for, in its owner's words.
    #[must_use]
    pub fn with_description(mut self, description: Option<Description>) -> Self {
        self.description = description;
        self
    }

    /// Sets its name in its owner's own records.
    #[must_use]
    pub fn with_external_id(mut self, id: Option<ExternalId>) -> Self {
        self.external_id = id;
        self
    }

    /// Sets what else its owner has noted.
    #[must_use]
    pub fn with_metadata(mut self, metadata: Metadata) -> Self {
        self.metadata = metadata;
        self
    }

    /// Sets whether it gets the events of one ordering key in order.
    #[must_use]
    pub const fn with_order(mut self, order: Option<OrderPolicy>) -> Self {
        self.order = order;
        self
    }

    /// Sets whether it gets anything.
    #[must_use]
    pub const fn with_state(mut self, state: EndpointState) -> Self {
        self.state = state;
        self
    }

    /// Sets how often it was edited.
    #[must_use]
    pub const fn with_revision(mut self, revision: Revision) -> Self {
        self.revision = revision;
        self
    }

    /// Sets how it is.
    #[must_use]
    pub const fn with_health(mut self, health: Health) -> Self {
        self.health = health;
        self
    }

    /// Whether what is known of its health still holds after an edit that makes it `edited`. What goes
    /// to another place, or is switched on again, begins anew.
    pub fn keeps_health(&self, edited: &Self) -> bool {
        self.url == edited.url && (self.state == edited.state || !edited.state.is_active())
    }

    /// Sets when it was registered.
    #[must_use]
    pub const fn with_created_at(mut self, at: Timestamp) -> Self {
        self.created_at = at;
        self
    }
}

/// The deadline of one attempt of a durable delivery: 1 ms to 30 s, by default 30 s.
///
/// Bounded, because a worker's lease has to outlive it.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Timeout(Duration);

impl Timeout {
    /// The longest deadline.
    pub const MAX: Self = Self(Duration::from_secs(30));

    /// Takes a deadline.
    ///
    /// # Errors
    ///
    /// [`InvalidTimeout`] when it is below 1 ms or above 30 s.
    pub fn new(timeout: Duration) -> Result<Self, InvalidTimeout> {
        let valid = timeout >= Duration::from_millis(1) && timeout <= Self::MAX.0;
        if valid { Ok(Self(timeout)) } else { Err(InvalidTimeout) }
    }

    /// The deadline.
    pub const fn as_duration(self) -> Duration {
        self.0
    }
}

impl Default for Timeout {
    fn default() -> Self {
        Self::MAX
    }
}

/// The duration is no deadline of an attempt.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("not a valid timeout; expected 1ms to 30s")]
pub struct InvalidTimeout;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timeouts_are_bounded() {
        assert!(Timeout::new(Duration::ZERO).is_err());
        assert!(Timeout::new(Duration::from_millis(1)).is_ok());
        assert!(Timeout::new(Duration::from_secs(30)).is_ok());
        assert!(Timeout::new(Duration::from_millis(30_001)).is_err());
    }
}
