//! Events with an ordering key that are stored first and routed later.

use webhook_core::{
    DeliveryId, EndpointId, Event, OrderPolicy,
    store::{Enqueue, Enqueued, Route, Routed},
};

use super::{
    Fixture, StoreHarness,
    fixture::{DEFAULT_LEASE, SECOND, deliveries, success},
};

impl<H: StoreHarness> Fixture<H> {
    /// Stores events of a key without routing them.
    async fn unrouted_line(&self, key: &str, count: usize) -> Vec<Event> {
        let events: Vec<_> = (0..count).map(|_| self.ordered(key)).collect();
        self.enqueue(events.iter().cloned().map(Enqueue::unrouted).collect()).await;
        events
    }

    async fn route_to(&self, event: &Event, endpoint: EndpointId) {
        let route = Route::new(event.id, self.version().await, vec![endpoint]);
        assert_eq!(self.route(route).await, Routed::Done, "the event is routed");
    }
}

// Catches in webhook-testkit/src/memory/enqueue.rs:
// - self.add_deliveries(&event, item.deliveries, now);
// + let before = self.lines.clone();
// + self.add_deliveries(&event, item.deliveries, now);
// + self.lines = before;
// + self.deliveries.values_mut().for_each(|row| row.state.blocked = false);
pub async fn events_routed_later_stand_in_line<H: StoreHarness>() {
    let fixture = Fixture::<H>::fresh().await;
    let endpoint = fixture.endpoint_in_order(OrderPolicy::Block).await;
    let events = fixture.unrouted_line("a", 2).await;
    for event in &events {
        fixture.route_to(event, endpoint).await;
    }
    for event in &events {
        let claim = fixture.claim_one().await;
        let expected = DeliveryId::new(event.id, endpoint);
        assert_eq!(claim.lease.delivery, expected, "they go in the order of their routing");
        fixture.finish(success(&claim)).await;
    }
}

// Catches in webhook-core/src/port/store/state/unrouted_claim.rs:
// - if entry.claimable_at > now || held.contains(key) {
// + if entry.claimable_at > now {
pub async fn an_unrouted_event_waits_for_an_earlier_one_of_its_key<H: StoreHarness>() {
    let fixture = Fixture::<H>::fresh().await;
    let endpoint = fixture.endpoint_in_order(OrderPolicy::Block).await;
    let events = fixture.unrouted_line("a", 3).await;
    let first = fixture.claim_unrouted(1).await;
    assert_eq!(first[0].id, events[0].id, "what was stored first is taken first");
    fixture.advance(SECOND).await;
    let others = fixture.store.claim_unrouted(10, DEFAULT_LEASE).await.unwrap();
    assert!(others.events.is_empty(), "while somebody has it, nobody gets those behind");
    assert_eq!(others.next_due, Some(DEFAULT_LEASE - SECOND), "before that ends");
    fixture.route_to(&events[0], endpoint).await;
    let ids: Vec<_> = fixture.claim_unrouted(10).await.iter().map(|event| event.id).collect();
    assert_eq!(ids, [events[1].id, events[2].id], "then the rest, in their order");
}

// Catches in webhook-core/src/port/store/state/unrouted_claim.rs:
// - entries.sort_by_key(|entry| (entry.stored_at, entry.id));
// + entries.sort_by_key(|entry| (entry.claimable_at, entry.id));
pub async fn what_others_wait_for_is_taken_first<H: StoreHarness>() {
    let fixture = Fixture::<H>::fresh().await;
    let mut events = fixture.unrouted_line("a", 1).await;
    fixture.claim_unrouted(1).await;
    fixture.advance(SECOND).await;
    events.extend(fixture.unrouted_line("a", 2).await);
    // Whoever had the first is gone, and the others have been free for longer.
    fixture.advance(DEFAULT_LEASE).await;
    for _ in 0..2 {
        let ids: Vec<_> = fixture.claim_unrouted(1).await.iter().map(|event| event.id).collect();
        assert_eq!(ids, [events[0].id], "the first stored of its key is taken, however few are");
        fixture.advance(DEFAULT_LEASE).await;
    }
}

// Catches in webhook-testkit/src/memory/row.rs:
// - Some((self.event.tenant.clone(), self.event.ordering_key.clone()?))
// + Some((Default::default(), self.event.ordering_key.clone()?))
pub async fn unrouted_events_of_other_keys_and_tenants_do_not_wait<H: StoreHarness>() {
    let fixture = Fixture::<H>::fresh().await;
    let theirs = fixture.event_of(&"acme".parse().unwrap());
    let theirs = theirs.with_ordering_key(Some("a".parse().unwrap()));
    fixture.enqueue(vec![Enqueue::unrouted(theirs)]).await;
    fixture.claim_unrouted(1).await;
    let ours = fixture.unrouted_line("a", 1).await;
    let taken = fixture.claim_unrouted(1).await;
    assert_eq!(taken[0].id, ours[0].id, "another tenant's key is another one");
    let other = fixture.unrouted_line("b", 1).await;
    fixture.unrouted_line("a", 1).await;
    let plain = fixture.event();
    fixture.enqueue(vec![Enqueue::unrouted(plain.clone())]).await;
    let mut ids: Vec<_> = fixture.claim_unrouted(10).await.iter().map(|event| event.id).collect();
    ids.sort_unstable();
    assert_eq!(ids, [other[0].id, plain.id], "only what is behind one that is taken waits");
}

// Catches in webhook-core/src/port/store/state/event_rules.rs:
// - && !is_behind {
// + {
pub async fn an_event_does_not_overtake_an_unrouted_one_of_its_key<H: StoreHarness>() {
    let fixture = Fixture::<H>::fresh().await;
    let endpoint = fixture.endpoint_in_order(OrderPolicy::Block).await;
    let stale = Enqueue::routed(
        fixture.ordered("a"),
        webhook_core::store::FanOut::pending(
            webhook_core::store::TenantVersion::default(),
            [endpoint],
        ),
    );
    let batch = vec![
        stale,
        fixture.routed(fixture.ordered("a"), &[endpoint]).await,
        fixture.routed(fixture.ordered("b"), &[endpoint]).await,
        fixture.routed(fixture.event(), &[endpoint]).await,
    ];
    let expected = [Enqueued::Later, Enqueued::Later, Enqueued::Routed(1), Enqueued::Routed(1)];
    assert_eq!(fixture.enqueue(batch).await, expected, "it is routed after that one");
    let next = fixture.routed(fixture.ordered("a"), &[endpoint]).await;
    assert_eq!(fixture.enqueue(vec![next]).await, [Enqueued::Later], "and so is the next");
    for event in fixture.claim_unrouted(10).await {
        let route = Route::new(event.id, fixture.version().await, vec![endpoint]);
        fixture.route(route).await;
    }
    let next = fixture.routed(fixture.ordered("a"), &[endpoint]).await;
    assert_eq!(fixture.enqueue(vec![next]).await, [Enqueued::Routed(1)], "then it may go");
    assert_eq!(deliveries(&fixture.claim().await).len(), 3, "the first of each line, and another");
}
