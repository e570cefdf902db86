//! Events that are stored first and routed later.

use std::collections::BTreeSet;

use webhook_core::{
    DeliveryId, EventId,
    store::{Enqueue, Route, Routed, UnroutedEvent},
};

use super::{
    Fixture, StoreHarness,
    fixture::{DEFAULT_LEASE, SECOND},
};

impl<H: StoreHarness> Fixture<H> {
    pub(super) async fn unrouted(&self) -> EventId {
        let event = self.event();
        let id = event.id;
        self.enqueue(vec![Enqueue::unrouted(event)]).await;
        id
    }

    pub(super) async fn claim_unrouted(&self, limit: usize) -> Vec<UnroutedEvent> {
        let claimed = self.store.claim_unrouted(limit, DEFAULT_LEASE).await;
        claimed.expect("unrouted events can be claimed").events
    }

    pub(super) async fn route(&self, route: Route) -> Routed {
        let answers = self.store.route(vec![route]).await.expect("events can be routed");
        assert_eq!(answers.len(), 1, "there is one answer for each route of a batch");
        answers[0]
    }
}

// Catches in webhook-testkit/src/memory/enqueue.rs:
// - UnroutedEvent::new(event.id, event.tenant.clone(), event.event_type.clone())
// + UnroutedEvent::new(event.id, webhook_core::TenantId::default(), event.event_type.clone())
pub async fn an_unrouted_event_tells_what_routing_needs<H: StoreHarness>() {
    let fixture = Fixture::<H>::fresh().await;
    let event = fixture.event_of(&"acme".parse().unwrap());
    fixture.enqueue(vec![Enqueue::unrouted(event.clone())]).await;
    let expected = UnroutedEvent::new(event.id, event.tenant, event.event_type);
    assert_eq!(fixture.claim_unrouted(10).await, [expected], "id, tenant and type are told");
}

// Catches in webhook-testkit/src/memory/enqueue.rs:
// - row.unrouted_from = Some(now.after(lease));
pub async fn an_unrouted_event_is_claimed_by_one_worker_at_a_time<H: StoreHarness>() {
    let fixture = Fixture::<H>::fresh().await;
    let event = fixture.unrouted().await;
    assert_eq!(fixture.claim_unrouted(10).await.len(), 1, "an unrouted event can be claimed");
    assert!(fixture.claim_unrouted(10).await.is_empty(), "while the lease holds, nobody gets it");
    fixture.advance(DEFAULT_LEASE - SECOND / 1000).await;
    assert!(fixture.claim_unrouted(10).await.is_empty(), "a lease holds to its last millisecond");
    fixture.advance(SECOND / 1000).await;
    let again = fixture.claim_unrouted(10).await;
    assert_eq!(again.len(), 1, "another worker gets it when the lease has run out");
    assert_eq!(again[0].id, event, "it is the same event");
}

// Catches in webhook-core/src/port/store/state/unrouted_claim.rs:
// - taken.len() < limit
// + taken.len() <= limit
pub async fn claiming_unrouted_events_stops_at_the_limit<H: StoreHarness>() {
    let fixture = Fixture::<H>::fresh().await;
    let mut left = BTreeSet::new();
    for _ in 0..5 {
        left.insert(fixture.unrouted().await);
    }
    for expected in [2, 2, 1, 0] {
        let claimed = fixture.claim_unrouted(2).await;
        assert_eq!(claimed.len(), expected, "at most the limit, until nothing is left");
        assert!(claimed.iter().all(|event| left.remove(&event.id)), "no event is claimed twice");
    }
}

// Catches in webhook-core/src/port/store/state/unrouted_claim.rs:
// - waits.push(entry.claimable_at.since(now));
pub async fn a_claim_of_unrouted_events_says_when_anothers_lease_ends<H: StoreHarness>() {
    let fixture = Fixture::<H>::fresh().await;
    let claimed = fixture.store.claim_unrouted(10, DEFAULT_LEASE).await.unwrap();
    assert_eq!(claimed.next_due, None, "nothing is unrouted");
    fixture.unrouted().await;
    fixture.claim_unrouted(10).await;
    fixture.advance(SECOND).await;
    let claimed = fixture.store.claim_unrouted(10, DEFAULT_LEASE).await.unwrap();
    assert_eq!(
        claimed.next_due,
        Some(DEFAULT_LEASE - SECOND),
        "the other lease has this long to go"
    );
}

// Catches in webhook-testkit/src/memory/enqueue.rs:
// - self.add_deliveries(&event, item.deliveries, now);
pub async fn routing_creates_the_deliveries<H: StoreHarness>() {
    let fixture = Fixture::<H>::fresh().await;
    let endpoint = fixture.endpoint().await;
    let event = fixture.unrouted().await;
    fixture.claim_unrouted(10).await;
    let routed = fixture.route(Route::new(event, fixture.version().await, vec![endpoint])).await;
    assert_eq!(routed, Routed::Done, "the event is routed");
    let claim = fixture.claim_one().await;
    assert_eq!(claim.lease.delivery, DeliveryId::new(event, endpoint), "its delivery is due");
    fixture.advance(DEFAULT_LEASE * 2).await;
    assert!(fixture.claim_unrouted(10).await.is_empty(), "a routed event is never routed again");
}

// Catches in webhook-testkit/src/memory/enqueue.rs:
// - self.add_deliveries(&event, item.deliveries, now);
// + if item.deliveries.is_empty() {
// + self.store_event(&event, Some(now));
// + }
// + self.add_deliveries(&event, item.deliveries, now);
pub async fn routing_to_nobody_is_done<H: StoreHarness>() {
    let fixture = Fixture::<H>::fresh().await;
    let event = fixture.unrouted().await;
    let routed = fixture.route(Route::new(event, fixture.version().await, vec![])).await;
    assert_eq!(routed, Routed::Done, "an event that nobody wants is routed");
    assert_eq!(fixture.store.backlog().await.unwrap().unrouted, 0, "nothing is left to route");
}

// Catches in webhook-testkit/src/memory/enqueue.rs:
// - if self.version(&event.tenant) != item.version {
// + if false {
pub async fn routing_by_a_stale_version_changes_nothing<H: StoreHarness>() {
    let fixture = Fixture::<H>::fresh().await;
    let endpoint = fixture.endpoint().await;
    let event = fixture.unrouted().await;
    let old = fixture.version().await;
    fixture.endpoint().await;
    let route = |version| fixture.route(Route::new(event, version, vec![endpoint]));
    assert_eq!(route(old).await, Routed::Stale, "endpoints were edited since the snapshot");
    fixture.assert_nothing_to_claim("a stale route creates no deliveries").await;
    assert_eq!(route(fixture.version().await).await, Routed::Done, "a new snapshot routes it");
}

// Catches in webhook-testkit/src/memory/enqueue.rs:
// - self.events.get(&item.event).filter(|row| row.unrouted_from.is_some());
// + self.events.get(&item.event);
pub async fn routing_twice_creates_nothing_twice<H: StoreHarness>() {
    let fixture = Fixture::<H>::fresh().await;
    let (first, second) = (fixture.endpoint().await, fixture.endpoint().await);
    let event = fixture.unrouted().await;
    let version = fixture.version().await;
    fixture.route(Route::new(event, version, vec![first])).await;
    let again = fixture.route(Route::new(event, version, vec![second])).await;
    assert_eq!(again, Routed::NotUnrouted, "another worker has routed it");
    assert_eq!(fixture.claim().await.len(), 1, "the second route creates nothing");
}

// Catches in webhook-testkit/src/memory/ports.rs:
// - self.each(batch, State::route)
// + self.each(batch.into_iter().rev().collect(), State::route)
pub async fn each_route_of_a_batch_gets_its_own_answer<H: StoreHarness>() {
    let fixture = Fixture::<H>::fresh().await;
    let endpoint = fixture.endpoint().await;
    let (stale, good) = (fixture.unrouted().await, fixture.unrouted().await);
    let version = fixture.version().await;
    let batch = vec![
        Route::new(stale, version.next(), vec![endpoint]),
        Route::new(fixture.ids.event(), version, vec![endpoint]),
        Route::new(good, version, vec![endpoint]),
    ];
    let answers = fixture.store.route(batch).await.unwrap();
    let expected = [Routed::Stale, Routed::NotUnrouted, Routed::Done];
    assert_eq!(answers, expected, "each route is answered, in order");
    assert_eq!(fixture.claim_one().await.lease.delivery.event, good, "the good one is routed");
}
