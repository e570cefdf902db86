//! Dropped calls of the engine and of operators: the result is lost, never half of the work.

use webhook_core::{
    DeliveryId, DeliveryStatus, DisabledReason, EndpointState, EventId, TenantId,
    store::{
        Cancelled, Claim, ClaimDue, DeliveryLog as _, DeliveryOperations as _, DeliveryQuery,
        EndpointDirectory as _, Enqueue, Enqueued, Finished, Redeliver, Redelivered, Route, Routed,
    },
};

use super::{
    Fixture, StoreHarness,
    drop_point::DropPoint,
    fixture::{DEFAULT_LEASE, failure, sorted, success},
};

/// Maximum number of tries for rows that a dropped call may still hold: it takes its lease after
/// the first turn of the clock, or keeps the row until it is written to the disk.
const MAX_CLAIM_TRIES: usize = 1_000;

// Catches in webhook-testkit/src/memory/ports.rs:
// - Ok(self.each(batch, State::enqueue))
// + let events: Vec<_> = batch.iter().map(|item| item.event.clone().into()).collect();
// + events.iter().for_each(|event| self.state().store_event(event, None));
// + tokio::task::yield_now().await;
// + events.iter().for_each(|event| _ = self.state().events.remove(&event.id));
// + Ok(self.each(batch, State::enqueue))
pub async fn a_dropped_enqueue_stores_all_or_nothing<H: StoreHarness>() {
    let fixture = Fixture::<H>::fresh().await;
    let endpoint = fixture.endpoint().await;
    DropPoint::for_each(async |point| {
        let event = fixture.event();
        let id = DeliveryId::new(event.id, endpoint);
        let item = fixture.routed(event, &[endpoint]).await;
        point.drop_call(fixture.store.enqueue(vec![item.clone()])).await;
        if fixture.store.event(id.event).await.unwrap().is_some() {
            assert_eq!(fixture.status(id).await, DeliveryStatus::Pending, "both or none");
        }
        let again = fixture.enqueue(vec![item]).await;
        let stored = [Enqueued::Routed(1), Enqueued::Duplicate(id.event)];
        assert!(stored.contains(&again[0]), "saying it again is safe, but got {again:?}");
        assert_eq!(fixture.claim_one().await.lease.delivery, id, "the event has its delivery");
    })
    .await;
}

// Catches in webhook-testkit/src/memory/ports.rs:
// - Ok(self.state().claim_unrouted(limit, lease, self.now()))
// + let events = std::mem::take(&mut self.state().events);
// + tokio::task::yield_now().await;
// + self.state().events = events;
// + Ok(self.state().claim_unrouted(limit, lease, self.now()))
pub async fn a_dropped_claim_of_unrouted_events_comes_back_after_its_lease<H: StoreHarness>() {
    let fixture = Fixture::<H>::fresh().await;
    DropPoint::for_each(async |point| {
        let event = fixture.event();
        let id = event.id;
        fixture.enqueue(vec![Enqueue::unrouted(event)]).await;
        point.drop_call(fixture.store.claim_unrouted(10, DEFAULT_LEASE)).await;
        assert!(comes_back_unrouted(&fixture, id).await, "it is not lost");
        let route = Route::new(id, fixture.version().await, vec![]);
        assert_eq!(fixture.store.route(vec![route]).await.unwrap(), [Routed::Done], "it is routed");
    })
    .await;
}

async fn comes_back_unrouted<H: StoreHarness>(fixture: &Fixture<H>, id: EventId) -> bool {
    for _ in 0..MAX_CLAIM_TRIES {
        fixture.advance(DEFAULT_LEASE * 2).await;
        let claimed = fixture.store.claim_unrouted(10, DEFAULT_LEASE).await.unwrap();
        if claimed.events.iter().any(|event| event.id == id) {
            return true;
        }
    }
    false
}

// Catches in webhook-testkit/src/memory/ports.rs:
// - Ok(self.each(batch, State::route))
// + let events = std::mem::take(&mut self.state().events);
// + tokio::task::yield_now().await;
// + self.state().events = events;
// + Ok(self.each(batch, State::route))
pub async fn a_dropped_route_stores_all_or_nothing<H: StoreHarness>() {
    let fixture = Fixture::<H>::fresh().await;
    let endpoints = [fixture.endpoint().await, fixture.endpoint().await];
    DropPoint::for_each(async |point| {
        let event = fixture.event();
        let ids = endpoints.map(|endpoint| DeliveryId::new(event.id, endpoint));
        fixture.enqueue(vec![Enqueue::unrouted(event)]).await;
        let route = Route::new(ids[0].event, fixture.version().await, endpoints.to_vec());
        point.drop_call(fixture.store.route(vec![route.clone()])).await;
        if fixture.store.delivery(ids[0]).await.unwrap().is_some() {
            assert_eq!(fixture.status(ids[1]).await, DeliveryStatus::Pending, "both or none");
        }
        let again = fixture.store.route(vec![route]).await.unwrap();
        assert!([Routed::Done, Routed::NotUnrouted].contains(&again[0]), "it is safe: {again:?}");
        assert_eq!(sorted(&fixture.claim().await), ids, "each delivery is there");
    })
    .await;
}

// Catches in webhook-core/src/port/store/state/delivery_state.rs:
// - now.after(lease),
// + now.after(lease * 10_000),
pub async fn a_dropped_claim_comes_back_after_its_lease<H: StoreHarness>() {
    let fixture = Fixture::<H>::fresh().await;
    let id = fixture.pending(fixture.endpoint().await).await;
    DropPoint::for_each(async |point| {
        point.drop_call(fixture.store.claim_due(ClaimDue::new(10, DEFAULT_LEASE))).await;
        let claim = comes_back(&fixture).await.expect("it is not lost");
        assert_eq!(claim.lease.delivery, id, "it can be claimed again");
        let attempts = u64::from(claim.progress.attempt);
        assert!(attempts <= claim.lease.epoch.as_u64(), "a claim counts wholly or not at all");
        fixture.release(claim.lease).await;
    })
    .await;
}

async fn comes_back<H: StoreHarness>(fixture: &Fixture<H>) -> Option<Claim> {
    for _ in 0..MAX_CLAIM_TRIES {
        fixture.advance(DEFAULT_LEASE * 2).await;
        if let Some(claim) = fixture.claim().await.pop() {
            return Some(claim);
        }
    }
    None
}

/// Claims the one delivery that is due.
async fn claim_soon<H: StoreHarness>(fixture: &Fixture<H>) -> Claim {
    for _ in 0..MAX_CLAIM_TRIES {
        if let Some(claim) = fixture.claim().await.pop() {
            return claim;
        }
    }
    panic!("what is due can be claimed");
}

// Catches in webhook-testkit/src/memory/ports.rs:
// - Ok(self.each(batch, State::finish))
// + let rows = std::mem::take(&mut self.state().deliveries);
// + tokio::task::yield_now().await;
// + self.state().deliveries = rows;
// + Ok(self.each(batch, State::finish))
pub async fn a_dropped_finish_writes_all_or_nothing<H: StoreHarness>() {
    let fixture = Fixture::<H>::fresh().await;
    DropPoint::for_each(async |point| {
        let endpoint = fixture.endpoint().await;
        let id = fixture.pending(endpoint).await;
        let claim = fixture.claim_one().await;
        let before = fixture.stored(endpoint).await.revision;
        let finish = failure(&claim).with_disabled_endpoint(Some(DisabledReason::Gone));
        point.drop_call(fixture.store.finish(vec![finish.clone()])).await;
        if fixture.status(id).await == DeliveryStatus::Failed {
            assert_eq!(fixture.attempt_numbers(id).await, [1], "with its attempt");
            assert!(!fixture.stored(endpoint).await.state.is_routed(), "and with the endpoint");
        }
        assert_eq!(fixture.finish(finish).await, Finished::Recorded, "saying it again is safe");
        assert_eq!(fixture.status(id).await, DeliveryStatus::Failed, "it is written");
        assert_eq!(fixture.attempt_numbers(id).await, [1], "the attempt is recorded once");
        let after = fixture.stored(endpoint).await;
        assert_eq!(after.state, EndpointState::Disabled(DisabledReason::Gone), "it is disabled");
        assert_eq!(after.revision, before.next(), "that is one edit");
    })
    .await;
}

// Catches in webhook-testkit/src/memory/ports.rs:
// - Ok(self.each(batch, State::release))
// + let rows = std::mem::take(&mut self.state().deliveries);
// + tokio::task::yield_now().await;
// + self.state().deliveries = rows;
// + Ok(self.each(batch, State::release))
pub async fn a_dropped_release_gives_back_once<H: StoreHarness>() {
    let fixture = Fixture::<H>::fresh().await;
    let id = fixture.pending(fixture.endpoint().await).await;
    DropPoint::for_each(async |point| {
        let claim = claim_soon(&fixture).await;
        point.drop_call(fixture.store.release(vec![claim.lease])).await;
        fixture.release(claim.lease).await;
        let delivery = fixture.delivery(id).await;
        assert_eq!(delivery.status, DeliveryStatus::Pending, "it is given back");
        assert_eq!(delivery.attempts, 0, "with its number, once");
        assert_eq!(delivery.last_attempt_at, None, "and its time");
    })
    .await;
}

// Catches in webhook-testkit/src/memory/ports.rs:
// - Ok(self.state().redeliver_all(&batch, now))
// + let rows = std::mem::take(&mut self.state().deliveries);
// + tokio::task::yield_now().await;
// + self.state().deliveries = rows;
// + Ok(self.state().redeliver_all(&batch, now))
pub async fn a_dropped_redelivery_is_made_once_or_not_at_all<H: StoreHarness>() {
    let fixture = Fixture::<H>::fresh().await;
    let endpoint = fixture.endpoint().await;
    DropPoint::for_each(async |point| {
        let id = fixture.pending(endpoint).await;
        let claim = fixture.claim_one().await;
        fixture.finish(failure(&claim)).await;
        point.drop_call(fixture.store.redeliver(vec![Redeliver::new(id)])).await;
        let again = fixture.redeliver(id).await;
        let pending = Redelivered::Unchanged(DeliveryStatus::Pending);
        assert!([Redelivered::Done, pending].contains(&again), "it is safe, but got {again:?}");
        let claim = claim_soon(&fixture).await;
        let progress = (claim.progress.attempt, claim.progress.budget_from, claim.recorded);
        assert_eq!(progress, (2, 1, 1), "there is a fresh budget");
        assert_eq!(claim.lease.epoch.as_u64(), 3, "the epoch was raised once in between");
    })
    .await;
}

// Catches in webhook-testkit/src/memory/ports.rs:
// - Ok(self.each(batch, State::cancel))
// + let rows = std::mem::take(&mut self.state().deliveries);
// + tokio::task::yield_now().await;
// + self.state().deliveries = rows;
// + Ok(self.each(batch, State::cancel))
pub async fn a_dropped_cancelling_is_safe_to_repeat<H: StoreHarness>() {
    let fixture = Fixture::<H>::fresh().await;
    let endpoint = fixture.endpoint().await;
    DropPoint::for_each(async |point| {
        let id = fixture.pending(endpoint).await;
        point.drop_call(fixture.store.cancel(vec![id])).await;
        let again = fixture.store.cancel(vec![id]).await.unwrap();
        let cancelled = Cancelled::Unchanged(DeliveryStatus::Cancelled);
        assert!([Cancelled::Done, cancelled].contains(&again[0]), "it is safe: {again:?}");
        assert_eq!(fixture.status(id).await, DeliveryStatus::Cancelled, "it is cancelled");
        fixture.assert_nothing_to_claim("a cancelled delivery is never claimed").await;
    })
    .await;
}

// Catches in webhook-testkit/src/memory/ports.rs:
// - Ok(self.state().backlog(self.now()))
// + let rows = std::mem::take(&mut self.state().deliveries);
// + tokio::task::yield_now().await;
// + self.state().deliveries = rows;
// + Ok(self.state().backlog(self.now()))
pub async fn a_dropped_look_changes_nothing<H: StoreHarness>() {
    let fixture = Fixture::<H>::fresh().await;
    let endpoint = fixture.endpoint().await;
    let id = fixture.pending(endpoint).await;
    fixture.finish(success(&fixture.claim_one().await)).await;
    fixture.pending(endpoint).await;
    let (store, tenant) = (&fixture.store, TenantId::default());
    let seen = async || {
        let log = (store.delivery(id).await, store.deliveries(DeliveryQuery::new()).await);
        let endpoints = (store.snapshot(&tenant).await, store.endpoints(&[endpoint]).await);
        let stats = store.endpoint_stats(endpoint, DEFAULT_LEASE).await;
        let rest = (store.event(id.event).await, store.attempts(id).await);
        let listed = store.tenants(None, 100).await;
        format!("{log:?} {endpoints:?} {stats:?} {rest:?} {listed:?} {:?}", store.backlog().await)
    };
    let before = seen().await;
    DropPoint::for_each(async |point| {
        point.drop_call(store.delivery(id)).await;
        point.drop_call(store.deliveries(DeliveryQuery::new())).await;
        point.drop_call(store.snapshot(&tenant)).await;
        point.drop_call(store.endpoints(&[endpoint])).await;
        point.drop_call(store.event(id.event)).await;
        point.drop_call(store.attempts(id)).await;
        point.drop_call(store.endpoint_stats(endpoint, DEFAULT_LEASE)).await;
        point.drop_call(store.tenants(None, 100)).await;
        point.drop_call(store.backlog()).await;
        assert_eq!(seen().await, before, "whoever looks next sees the same");
    })
    .await;
}
