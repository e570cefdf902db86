//! Taking in events with their deliveries.

use bytes::Bytes;
use webhook_core::{
    DeliveryId, DeliveryStatus,
    store::{Enqueue, Enqueued, FanOut, TenantVersion},
    transport::Hops,
};

use super::{
    Fixture, StoreHarness,
    fixture::{DEFAULT_LEASE, SECOND, some_time},
};

// Catches in webhook-testkit/src/memory/enqueue.rs:
// - Arc::new(item.event);
// + Arc::new(item.event.with_content_type(Default::default()));
pub async fn an_enqueued_event_is_stored_as_it_was_given<H: StoreHarness>() {
    let fixture = Fixture::<H>::fresh().await;
    let event = fixture
        .event_of(&"acme".parse().unwrap())
        .with_content_type("text/plain; charset=utf-8".parse().unwrap())
        .with_key(Some("invoice-42".parse().unwrap()))
        .with_ordering_key(Some("order-17".parse().unwrap()))
        .with_hops(Hops::new(3));
    fixture.enqueue(vec![Enqueue::unrouted(event.clone())]).await;
    assert_eq!(*fixture.stored_event(event.id).await, event, "every field comes back unchanged");
}

// Catches in webhook-testkit/src/memory/enqueue.rs:
// - Arc::new(item.event);
// + Arc::new(item.event.with_key(None));
pub async fn optional_fields_may_be_empty_in_one_row_and_set_in_another<H: StoreHarness>() {
    let fixture = Fixture::<H>::fresh().await;
    let keyed = fixture.event().with_key(Some("k".parse().unwrap()));
    let plain = fixture.event();
    let batch = vec![Enqueue::unrouted(keyed.clone()), Enqueue::unrouted(plain.clone())];
    fixture.enqueue(batch).await;
    assert_eq!(*fixture.stored_event(keyed.id).await, keyed, "the key comes back");
    assert_eq!(*fixture.stored_event(plain.id).await, plain, "no key comes back as none");
}

// Catches in webhook-testkit/src/memory/enqueue.rs:
// - let event = Arc::new(item.event);
// + let mut event = item.event;
// + event.body = String::from_utf8_lossy(&event.body).into_owned().into();
// + let event = Arc::new(event);
pub async fn bodies_come_back_byte_for_byte<H: StoreHarness>() {
    let fixture = Fixture::<H>::fresh().await;
    let endpoint = fixture.endpoint().await;
    let all_bytes: Vec<u8> = (0..=255).collect();
    let large: Vec<u8> = (0..256 * 1024_u32).map(|at| (at % 251) as u8).collect();
    for body in [Vec::new(), all_bytes, b"{\"b\":1, \"a\":\"\xc3\xa9\"}\r\n".to_vec(), large] {
        let mut event = fixture.event();
        event.body = Bytes::from(body);
        fixture.publish(event.clone(), &[endpoint]).await;
        let claim = fixture.claim_one().await;
        assert!(claim.event.body == event.body, "a claim carries the body byte for byte");
        let stored = fixture.stored_event(event.id).await;
        assert!(stored.body == event.body, "the log holds the body byte for byte");
    }
}

// Catches in webhook-testkit/src/memory/enqueue.rs:
// - for new in deliveries {
// + for new in deliveries.into_iter().take(1) {
pub async fn an_event_is_stored_with_a_delivery_for_each_endpoint<H: StoreHarness>() {
    let fixture = Fixture::<H>::fresh().await;
    let endpoints = [fixture.endpoint().await, fixture.endpoint().await];
    let event = fixture.event();
    fixture.publish(event.clone(), &endpoints).await;
    for endpoint in endpoints {
        let delivery = fixture.delivery(DeliveryId::new(event.id, endpoint)).await;
        assert_eq!(delivery.status, DeliveryStatus::Pending, "a new delivery is pending");
        assert_eq!(delivery.attempts, 0, "a new delivery has no attempts");
        assert_eq!(delivery.due_at, Some(delivery.created_at), "a new delivery is due at once");
        assert_eq!(delivery.last_attempt_at, None, "a new delivery was never tried");
        assert_eq!(delivery.last_error, None, "nothing went wrong with a new delivery");
        assert_eq!(delivery.event_type, event.event_type, "a delivery tells its event's type");
        assert_eq!(delivery.tenant, event.tenant, "a delivery tells its tenant");
        assert_eq!(delivery.url, fixture.stored(endpoint).await.url, "a delivery tells where to");
    }
}

// Catches in webhook-testkit/src/memory/enqueue.rs:
// - DeliveryState::enqueued(&new, now);
// + DeliveryState::enqueued(&new, event.occurred_at);
pub async fn deliveries_are_dated_by_the_clock_of_the_store<H: StoreHarness>() {
    let fixture = Fixture::<H>::fresh().await;
    let endpoint = fixture.endpoint().await;
    let first = fixture.pending(endpoint).await;
    fixture.advance(SECOND).await;
    let second = fixture.pending(endpoint).await;
    let (first, second) = (fixture.delivery(first).await, fixture.delivery(second).await);
    let apart = second.created_at.since(first.created_at);
    assert_eq!(apart, SECOND, "the store's own clock dates deliveries");
    assert_ne!(first.created_at, some_time(), "the event's time is not the delivery's");
}

// Catches in webhook-testkit/src/memory/enqueue.rs:
// - Enqueued::Routed(self.add_deliveries(&event, fan_out.deliveries, now))
// + let named = fan_out.deliveries.len();
// + self.add_deliveries(&event, fan_out.deliveries, now);
// + Enqueued::Routed(named)
pub async fn an_endpoint_named_twice_gets_one_delivery<H: StoreHarness>() {
    let fixture = Fixture::<H>::fresh().await;
    let endpoint = fixture.endpoint().await;
    let item = fixture.routed(fixture.event(), &[endpoint, endpoint]).await;
    assert_eq!(fixture.enqueue(vec![item]).await, [Enqueued::Routed(1)], "one is counted");
    assert_eq!(fixture.claim().await.len(), 1, "event and endpoint together identify a delivery");
}

// Catches in webhook-core/src/port/store/state/event_rules.rs:
// - let is_current = routed_by == version;
// + let is_current = routed_by == version && !fan_out.deliveries.is_empty();
pub async fn an_event_for_nobody_is_routed_with_no_deliveries<H: StoreHarness>() {
    let fixture = Fixture::<H>::fresh().await;
    let event = fixture.event();
    fixture.publish(event.clone(), &[]).await;
    assert_eq!(fixture.stored_event(event.id).await.id, event.id, "it is stored all the same");
    assert_eq!(fixture.store.backlog().await.unwrap().unrouted, 0, "nothing is left to route");
}

// Catches in webhook-testkit/src/memory/enqueue.rs:
// - self.store_event(&event, Some(now));
// + self.store_event(&event, None);
pub async fn an_event_without_fan_out_is_stored_for_later<H: StoreHarness>() {
    let fixture = Fixture::<H>::fresh().await;
    let answers = fixture.enqueue(vec![Enqueue::unrouted(fixture.event())]).await;
    assert_eq!(answers, [Enqueued::Later], "a dispatcher routes it later");
    assert_eq!(fixture.store.backlog().await.unwrap().unrouted, 1, "it counts as unrouted");
}

// Catches in webhook-core/src/port/store/state/event_rules.rs:
// - let is_current = routed_by == version;
// + let is_current = true;
pub async fn a_stale_version_stores_the_event_unrouted<H: StoreHarness>() {
    let fixture = Fixture::<H>::fresh().await;
    let endpoint = fixture.endpoint().await;
    let item = fixture.routed(fixture.event(), &[endpoint]).await;
    fixture.endpoint().await;
    let answers = fixture.enqueue(vec![item]).await;
    assert_eq!(answers, [Enqueued::Later], "endpoints were edited since the snapshot");
    fixture.assert_nothing_to_claim("a stale fan-out creates no deliveries").await;
    let unrouted = fixture.store.claim_unrouted(10, DEFAULT_LEASE).await.unwrap();
    assert_eq!(unrouted.events.len(), 1, "the event waits to be routed again");
}

// Catches in webhook-testkit/src/memory.rs:
// - .copied().unwrap_or_default()
// + .copied().unwrap_or(TenantVersion::from_u64(1))
pub async fn an_unknown_tenant_is_at_version_zero<H: StoreHarness>() {
    let fixture = Fixture::<H>::fresh().await;
    let event = || fixture.event_of(&"acme".parse().unwrap());
    let at = |version| FanOut::pending(TenantVersion::from_u64(version), []);
    let batch = vec![Enqueue::routed(event(), at(0)), Enqueue::routed(event(), at(1))];
    let answers = fixture.enqueue(batch).await;
    assert_eq!(
        answers,
        [Enqueued::Routed(0), Enqueued::Later],
        "only version 0 is the present one"
    );
}

// Catches in webhook-testkit/src/memory.rs:
// - *version = version.next();
// + *version = version.next();
// + self.tenants.values_mut().for_each(|version| *version = version.next());
pub async fn a_version_of_one_tenant_says_nothing_about_another<H: StoreHarness>() {
    let fixture = Fixture::<H>::fresh().await;
    let endpoint = fixture.endpoint().await;
    let item = fixture.routed(fixture.event(), &[endpoint]).await;
    let other = fixture.new_endpoint().with_tenant("acme".parse().unwrap());
    fixture.add(other).await;
    let answers = fixture.enqueue(vec![item]).await;
    assert_eq!(answers, [Enqueued::Routed(1)], "an edit of one tenant leaves the others alone");
}

// Catches in webhook-testkit/src/memory/ports.rs:
// - self.each(batch, State::enqueue)
// + self.each(batch.into_iter().rev().collect(), State::enqueue)
pub async fn each_item_of_a_mixed_batch_gets_its_own_answer<H: StoreHarness>() {
    let fixture = Fixture::<H>::fresh().await;
    let endpoint = fixture.endpoint().await;
    let stored = fixture.event();
    fixture.publish(stored.clone(), &[]).await;
    let mut changed = stored.clone();
    changed.body = Bytes::from_static(b"{}");
    let stale = FanOut::pending(TenantVersion::from_u64(77), [endpoint]);
    let batch = vec![
        fixture.routed(fixture.event(), &[endpoint]).await,
        Enqueue::unrouted(changed),
        Enqueue::routed(fixture.event(), stale),
        Enqueue::unrouted(stored.clone()),
        fixture.routed(fixture.event(), &[]).await,
    ];
    let expected = [
        Enqueued::Routed(1),
        Enqueued::Conflict(stored.id),
        Enqueued::Later,
        Enqueued::Duplicate(stored.id),
        Enqueued::Routed(0),
    ];
    assert_eq!(fixture.enqueue(batch).await, expected, "each item is answered, in order");
    assert_eq!(fixture.claim().await.len(), 1, "the good item's delivery is stored");
}

// Catches in webhook-testkit/src/memory/ports.rs:
// - Ok(found.map(Ok).collect())
// + if ids.is_empty() {
// + return Ok(state.present().map(|found| Ok(Some((**found).clone()))).collect());
// + }
// + Ok(found.map(Ok).collect())
pub async fn an_empty_batch_is_answered_with_nothing<H: StoreHarness>() {
    let fixture = Fixture::<H>::fresh().await;
    fixture.pending(fixture.endpoint().await).await;
    assert!(fixture.store.enqueue(Vec::new()).await.unwrap().is_empty(), "nothing to enqueue");
    assert!(fixture.store.route(Vec::new()).await.unwrap().is_empty(), "nothing to route");
    assert!(fixture.store.finish(Vec::new()).await.unwrap().is_empty(), "nothing to finish");
    assert!(fixture.store.release(Vec::new()).await.unwrap().is_empty(), "nothing to release");
    assert!(fixture.store.endpoints(&[]).await.unwrap().is_empty(), "no endpoints asked for");
}

// Catches in webhook-testkit/src/memory/ports.rs:
// - self.each(batch, State::enqueue)
// + self.each(batch.into_iter().take(256).collect(), State::enqueue)
pub async fn a_large_batch_is_stored_whole<H: StoreHarness>() {
    let fixture = Fixture::<H>::fresh().await;
    let endpoint = fixture.new_endpoint().with_max_in_flight(1_000);
    let endpoint = fixture.add(endpoint).await;
    let mut batch = Vec::new();
    for _ in 0..500 {
        batch.push(fixture.routed(fixture.event(), &[endpoint]).await);
    }
    let answers = fixture.enqueue(batch).await;
    assert!(answers.iter().all(|answer| *answer == Enqueued::Routed(1)), "every item is stored");
    let claimed = fixture.claim_due(webhook_core::store::ClaimDue::new(1_000, DEFAULT_LEASE)).await;
    assert_eq!(claimed.claims.len(), 500, "every delivery can be claimed, in one call");
}

// Catches in webhook-core/src/port/store/state/delivery_state.rs:
// - state = state.claimed(lease, new.claimed_by(), now);
pub async fn a_delivery_may_be_leased_from_the_beginning<H: StoreHarness>() {
    let fixture = Fixture::<H>::fresh().await;
    let lease = fixture.leased(fixture.endpoint().await, DEFAULT_LEASE).await;
    let delivery = fixture.delivery(lease.delivery).await;
    assert_eq!(delivery.status, DeliveryStatus::InFlight, "its publisher holds it");
    assert_eq!(delivery.attempts, 1, "its first attempt is counted");
    assert_eq!(
        delivery.last_attempt_at,
        Some(delivery.created_at),
        "it is claimed as it is stored"
    );
    fixture.assert_nothing_to_claim("nobody else gets it while the lease holds").await;
}

// Catches in webhook-core/src/port/store/state/delivery_state.rs:
// - if let Some(lease) = new.lease {
// + if let Some(lease) = new.lease.or(Some(Duration::from_secs(1))) {
pub async fn one_event_may_have_leased_and_pending_deliveries<H: StoreHarness>() {
    let fixture = Fixture::<H>::fresh().await;
    let (held, free) = (fixture.endpoint().await, fixture.endpoint().await);
    let event = fixture.event();
    let mut item = fixture.routed(event.clone(), &[free]).await;
    let fan_out = item.fan_out.as_mut().unwrap();
    fan_out.deliveries.insert(0, webhook_core::store::NewDelivery::leased(held, DEFAULT_LEASE));
    let plain = fixture.routed(fixture.event(), &[held]).await;
    let answers = fixture.enqueue(vec![item, plain]).await;
    assert_eq!(answers, [Enqueued::Routed(2), Enqueued::Routed(1)], "both are stored");
    let status = fixture.status(DeliveryId::new(event.id, held)).await;
    assert_eq!(status, DeliveryStatus::InFlight, "its publisher holds one of them");
    assert_eq!(fixture.claim().await.len(), 2, "the others can be claimed");
}
