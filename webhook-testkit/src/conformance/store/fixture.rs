//! Fixture of a case: a fresh store, and shortcuts for the calls that cases make.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use webhook_core::{
    Attempt, Delivery, DeliveryId, DeliveryStatus, Endpoint, EndpointId, EndpointState, Event,
    EventId, Failure, FailureKind, TenantId, Timestamp,
    store::{
        Capability, Claim, ClaimDue, Claimed, DeliveryLog as _, Enqueue, Enqueued, FanOut, Finish,
        Finished, Lease, NewDelivery, Settle, Store, TenantVersion,
    },
};

use super::{super::contract::prepare, StoreHarness};
use crate::SequenceIds;

/// Lease of a claim, unless the case is about leases.
pub(super) const DEFAULT_LEASE: Duration = Duration::from_secs(60);

/// Wait after a failed attempt, unless the case is about waits.
pub(super) const DEFAULT_RETRY_WAIT: Duration = Duration::from_secs(5);

pub(super) use crate::units::SECOND;

pub(super) struct Fixture<H> {
    pub(super) store: Arc<dyn Store>,
    pub(super) ids: SequenceIds,
    harness: H,
}

impl<H: StoreHarness> Fixture<H> {
    pub(super) async fn fresh() -> Self {
        let harness = prepare(H::fresh()).await;
        Self { store: harness.store(), ids: SequenceIds::new(), harness }
    }

    /// Reopens the store.
    pub(super) async fn reopen(&mut self) {
        self.store = self.harness.reopen().await;
    }

    pub(super) async fn advance(&self, by: Duration) {
        self.harness.advance(by).await;
    }

    /// Returns a setting that needs a capability, if the store has it.
    pub(super) fn if_supported<T>(&self, capability: Capability, setting: T) -> Option<T> {
        self.store.supports(capability).then_some(setting)
    }

    /// A new event of the default tenant.
    pub(super) fn event(&self) -> Event {
        self.event_of(&TenantId::default())
    }

    pub(super) fn event_of(&self, tenant: &TenantId) -> Event {
        let event_type = "invoice.paid".parse().unwrap();
        Event::new(self.ids.event(), event_type, some_time(), r#"{"invoice":42}"#)
            .with_tenant(tenant.clone())
    }

    /// A new endpoint of the default tenant, not stored yet.
    pub(super) fn new_endpoint(&self) -> Endpoint {
        let url = "https://billing.example/hooks".parse().unwrap();
        Endpoint::new(self.ids.endpoint(), url).with_created_at(some_time())
    }

    /// An event with this body.
    pub(super) fn event_with_body(&self, body: &[u8]) -> Event {
        Event::new(self.ids.event(), "invoice.paid".parse().unwrap(), some_time(), body.to_vec())
    }

    pub(super) async fn add(&self, endpoint: Endpoint) -> EndpointId {
        let id = endpoint.id;
        self.store.add_endpoint(endpoint).await.expect("a new endpoint is added");
        id
    }

    /// Adds a plain endpoint of the default tenant.
    pub(super) async fn endpoint(&self) -> EndpointId {
        self.add(self.new_endpoint()).await
    }

    /// The endpoint as it is stored.
    pub(super) async fn stored(&self, id: EndpointId) -> Endpoint {
        self.stored_if_any(id).await.expect("the endpoint is there")
    }

    /// The endpoint as it is stored, or `None` if there is no such endpoint.
    pub(super) async fn stored_if_any(&self, id: EndpointId) -> Option<Endpoint> {
        let found = self.store.endpoints(&[id]).await.expect("endpoints can be read");
        let [found]: [_; 1] = found.try_into().expect("there is one answer for each id");
        found.expect("the endpoint can be read")
    }

    pub(super) async fn set_state(&self, id: EndpointId, state: EndpointState) {
        let endpoint = self.stored(id).await.with_state(state);
        self.store.update_endpoint(endpoint).await.expect("an endpoint can be edited");
    }

    pub(super) async fn version(&self) -> TenantVersion {
        self.version_of(&TenantId::default()).await
    }

    pub(super) async fn version_of(&self, tenant: &TenantId) -> TenantVersion {
        self.store.snapshot(tenant).await.expect("a snapshot can be read").version()
    }

    pub(super) async fn enqueue(&self, batch: Vec<Enqueue>) -> Vec<Enqueued> {
        let asked = batch.len();
        let answers = self.store.enqueue(batch).await.expect("events can be enqueued");
        assert_eq!(answers.len(), asked, "there is one answer for each event of a batch");
        answers
    }

    /// An event for these endpoints by the tenant's present version.
    pub(super) async fn routed(&self, event: Event, endpoints: &[EndpointId]) -> Enqueue {
        let version = self.version_of(&event.tenant).await;
        Enqueue::routed(event, FanOut::pending(version, endpoints.iter().copied()))
    }

    /// Stores an event with deliveries to these endpoints.
    pub(super) async fn publish(&self, event: Event, endpoints: &[EndpointId]) {
        let item = self.routed(event, endpoints).await;
        let answers = self.enqueue(vec![item]).await;
        assert_eq!(answers, [Enqueued::Routed(endpoints.len())], "the event is stored and routed");
    }

    /// Stores a new event with a delivery to this endpoint.
    pub(super) async fn pending(&self, endpoint: EndpointId) -> DeliveryId {
        let event = self.event();
        let id = DeliveryId::new(event.id, endpoint);
        self.publish(event, &[endpoint]).await;
        id
    }

    /// Stores this many new events with a delivery to this endpoint.
    pub(super) async fn pendings(&self, endpoint: EndpointId, count: usize) -> Vec<DeliveryId> {
        let mut ids = Vec::new();
        for _ in 0..count {
            ids.push(self.pending(endpoint).await);
        }
        ids
    }

    /// Stores a new event with a delivery to this endpoint that is claimed from the beginning.
    pub(super) async fn leased(&self, endpoint: EndpointId, lease: Duration) -> Lease {
        let event = self.event();
        let delivery = DeliveryId::new(event.id, endpoint);
        let mut fan_out = FanOut::pending(self.version().await, []);
        fan_out.deliveries.push(NewDelivery::leased(endpoint, lease));
        let answers = self.enqueue(vec![Enqueue::routed(event, fan_out)]).await;
        assert_eq!(answers, [Enqueued::Routed(1)], "the event is stored with its delivery");
        Lease { delivery, epoch: webhook_core::store::LeaseEpoch::from_u64(1) }
    }

    pub(super) async fn claim_due(&self, ask: ClaimDue) -> Claimed {
        self.store.claim_due(ask).await.expect("work can be claimed")
    }

    /// Claims everything that is due.
    pub(super) async fn claim(&self) -> Vec<Claim> {
        self.claim_due(ClaimDue::new(100, DEFAULT_LEASE)).await.claims
    }

    /// Claims the one delivery that is due.
    pub(super) async fn claim_one(&self) -> Claim {
        let mut claims = self.claim().await;
        assert_eq!(claims.len(), 1, "exactly one delivery can be claimed");
        claims.pop().unwrap()
    }

    pub(super) async fn assert_nothing_to_claim(&self, why: &str) {
        let claims = self.claim().await;
        let ids: Vec<_> = claims.iter().map(|claim| claim.lease.delivery).collect();
        assert!(ids.is_empty(), "{why}, but claimed: {ids:?}");
    }

    pub(super) async fn finish(&self, item: Finish) -> Finished {
        let answers = self.store.finish(vec![item]).await.expect("attempts can be finished");
        assert_eq!(answers.len(), 1, "there is one answer for each finish of a batch");
        answers[0]
    }

    pub(super) async fn release(&self, lease: Lease) -> Finished {
        let answers = self.store.release(vec![lease]).await.expect("claims can be released");
        assert_eq!(answers.len(), 1, "there is one answer for each lease of a batch");
        answers[0]
    }

    pub(super) async fn remove(&self, id: EndpointId) {
        let removed = self.store.remove_endpoint(&TenantId::default(), id).await;
        assert!(removed.expect("an endpoint can be removed"), "there was an endpoint to remove");
    }

    pub(super) async fn delivery(&self, id: DeliveryId) -> Delivery {
        let found = self.store.delivery(id).await.expect("a delivery can be read");
        found.expect("the delivery is on record")
    }

    pub(super) async fn status(&self, id: DeliveryId) -> DeliveryStatus {
        self.delivery(id).await.status
    }

    pub(super) async fn attempts(&self, id: DeliveryId) -> Vec<Attempt> {
        self.store.attempts(id).await.expect("attempts can be read")
    }

    pub(super) async fn attempt_numbers(&self, id: DeliveryId) -> Vec<u32> {
        self.attempts(id).await.iter().map(|attempt| attempt.number).collect()
    }

    pub(super) async fn stored_event(&self, id: EventId) -> Arc<Event> {
        let found = self.store.event(id).await.expect("an event can be read");
        found.expect("the event is stored")
    }
}

/// A time that is neither zero nor the store's present one, with odd milliseconds.
pub(super) const fn some_time() -> Timestamp {
    Timestamp::from_unix_millis(1_700_000_000_123)
}

/// The record of an attempt that was answered 200.
pub(super) fn accepted(number: u32) -> Attempt {
    let took = Duration::from_millis(37);
    Attempt::from_parts(number, some_time(), took, Some(200), None, Bytes::from_static(b"ok"))
}

/// The record of an attempt that got no answer.
pub(super) fn refused(number: u32) -> Attempt {
    let failure = Failure::new(FailureKind::Connect, "could not connect");
    Attempt::from_parts(number, some_time(), Duration::ZERO, None, Some(failure), Bytes::new())
}

/// The claim's attempt was accepted.
pub(super) fn success(claim: &Claim) -> Finish {
    let number = claim.progress.attempt;
    Finish::new(claim.lease, vec![accepted(number)], number, Settle::Success)
        .with_ordered(claim.event.ordering_key.is_some())
}

/// The claim's attempt got no answer; try again.
pub(super) fn retry(claim: &Claim, wait: Duration) -> Finish {
    let number = claim.progress.attempt;
    Finish::new(claim.lease, vec![refused(number)], number, Settle::Retry(wait))
        .with_ordered(claim.event.ordering_key.is_some())
}

/// The claim's attempt got no answer; give up.
pub(super) fn failure(claim: &Claim) -> Finish {
    let number = claim.progress.attempt;
    Finish::new(claim.lease, vec![refused(number)], number, Settle::Failed)
        .with_ordered(claim.event.ordering_key.is_some())
}

/// The deliveries claimed.
pub(super) fn deliveries(claims: &[Claim]) -> Vec<DeliveryId> {
    claims.iter().map(|claim| claim.lease.delivery).collect()
}

/// The deliveries claimed, in the order of their ids.
pub(super) fn sorted(claims: &[Claim]) -> Vec<DeliveryId> {
    let mut ids = deliveries(claims);
    ids.sort_unstable();
    ids
}
