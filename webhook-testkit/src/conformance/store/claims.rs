//! Handing out work that is due.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use webhook_core::{
    DeliveryStatus, DisabledReason, EndpointState,
    store::{ClaimCursor, ClaimDue},
};

use super::{
    Fixture, StoreHarness,
    fixture::{DEFAULT_LEASE, DEFAULT_RETRY_WAIT, SECOND, deliveries, retry, sorted},
};

// Catches in webhook-core/src/port/store/state/delivery_state.rs:
// - epoch: LeaseEpoch::from_u64(0),
// + epoch: LeaseEpoch::from_u64(1),
pub async fn a_first_claim_carries_what_an_attempt_needs<H: StoreHarness>() {
    let fixture = Fixture::<H>::fresh().await;
    let endpoint = fixture.endpoint().await;
    let event = fixture.event();
    fixture.publish(event.clone(), &[endpoint]).await;
    let claim = fixture.claim_one().await;
    assert_eq!(*claim.event, event, "the whole event is there");
    assert_eq!(claim.lease.epoch.as_u64(), 1, "the first claim is epoch 1");
    assert_eq!(claim.progress.attempt, 1, "it is attempt 1");
    assert_eq!((claim.progress.budget_from, claim.progress.forgiven), (0, 0), "nothing is spent");
    assert_eq!((claim.recorded, claim.previous_claim_at), (0, None), "there was none before");
    let revision = fixture.stored(endpoint).await.revision;
    assert_eq!(claim.endpoint_revision, revision, "the endpoint's revision is told");
}

// Catches in webhook-core/src/port/store/state/delivery_state.rs:
// - status: DeliveryStatus::InFlight,
pub async fn a_claimed_delivery_is_in_flight<H: StoreHarness>() {
    let fixture = Fixture::<H>::fresh().await;
    let id = fixture.pending(fixture.endpoint().await).await;
    fixture.advance(SECOND).await;
    fixture.claim_one().await;
    let delivery = fixture.delivery(id).await;
    assert_eq!(delivery.status, DeliveryStatus::InFlight, "somebody holds it");
    assert_eq!(delivery.attempts, 1, "the attempt is counted at the claim");
    assert_eq!(delivery.due_at, None, "it is not due while in flight");
    let claimed_at = delivery.created_at.after(SECOND);
    assert_eq!(delivery.last_attempt_at, Some(claimed_at), "the store's clock dates the claim");
}

// Catches in webhook-testkit/src/memory/claim.rs:
// - now).min(share).min(ask.limit - claims.len());
// + now).min(share);
pub async fn a_claim_stops_at_its_limit<H: StoreHarness>() {
    let fixture = Fixture::<H>::fresh().await;
    let endpoint = fixture.endpoint().await;
    let mut left: BTreeSet<_> = fixture.pendings(endpoint, 5).await.into_iter().collect();
    for expected in [2, 2, 1, 0] {
        let claims = fixture.claim_due(ClaimDue::new(2, DEFAULT_LEASE)).await.claims;
        assert_eq!(claims.len(), expected, "at most the limit, until nothing is left");
        let new = deliveries(&claims).iter().all(|id| left.remove(id));
        assert!(new, "no delivery is claimed twice");
    }
}

// Catches in webhook-core/src/port/store/state/transition.rs:
// - self.due_at = now.after(wait);
// + self.due_at = now;
pub async fn what_is_not_due_is_not_claimed<H: StoreHarness>() {
    let fixture = Fixture::<H>::fresh().await;
    fixture.pending(fixture.endpoint().await).await;
    let claim = fixture.claim_one().await;
    fixture.finish(retry(&claim, DEFAULT_RETRY_WAIT)).await;
    fixture.advance(DEFAULT_RETRY_WAIT - SECOND / 1000).await;
    fixture.assert_nothing_to_claim("a wait holds to its last millisecond").await;
    fixture.advance(SECOND / 1000).await;
    assert_eq!(fixture.claim_one().await.lease.delivery, claim.lease.delivery, "then it is due");
}

// Catches in webhook-testkit/src/memory/claim.rs:
// - open.values_mut().for_each(|ids| ids.sort_unstable());
pub async fn the_longest_due_goes_first<H: StoreHarness>() {
    let fixture = Fixture::<H>::fresh().await;
    let endpoint = fixture.endpoint().await;
    let mut expected = Vec::new();
    // The latest event waits the shortest, so that neither ids nor creation give the order.
    for wait in [9, 6, 3] {
        expected.insert(0, fixture.pending(endpoint).await);
        let claim = fixture.claim_one().await;
        fixture.finish(retry(&claim, SECOND * wait)).await;
    }
    fixture.advance(SECOND * 60).await;
    for id in expected {
        let claims = fixture.claim_due(ClaimDue::new(1, DEFAULT_LEASE)).await.claims;
        assert_eq!(deliveries(&claims), [id], "the longest due of an endpoint goes first");
    }
}

// Catches in webhook-testkit/src/memory/claim.rs:
// - round.get(visited).or(round.first())
// + round.first()
pub async fn a_busy_endpoint_keeps_no_other_waiting<H: StoreHarness>() {
    let fixture = Fixture::<H>::fresh().await;
    let mut waiting = BTreeSet::new();
    for _ in 0..3 {
        let endpoint = fixture.endpoint().await;
        fixture.pendings(endpoint, 10).await;
        waiting.insert(endpoint);
    }
    let mut cursor = None;
    for _ in 0..3 {
        let claimed = fixture.claim_due(ClaimDue::new(3, DEFAULT_LEASE).cursor(cursor)).await;
        assert_eq!(claimed.claims.len(), 3, "there is enough to claim");
        for id in deliveries(&claimed.claims) {
            waiting.remove(&id.endpoint);
        }
        cursor = claimed.cursor;
    }
    assert!(waiting.is_empty(), "after as many claims as endpoints, each had its turn");
}

// Catches in webhook-testkit/src/memory/claim.rs:
// - endpoint.id >= first
// + endpoint.id > first
pub async fn a_claim_begins_where_the_one_before_has_ended<H: StoreHarness>() {
    let fixture = Fixture::<H>::fresh().await;
    for _ in 0..2 {
        fixture.pendings(fixture.endpoint().await, 2).await;
    }
    let (mut cursor, mut served) = (None, BTreeSet::new());
    for _ in 0..2 {
        let claimed = fixture.claim_due(ClaimDue::new(1, DEFAULT_LEASE).cursor(cursor)).await;
        served.insert(claimed.claims[0].lease.delivery.endpoint);
        cursor = claimed.cursor;
    }
    assert_eq!(served.len(), 2, "the second claim serves the other endpoint");
    let claims = fixture.claim_due(ClaimDue::new(100, DEFAULT_LEASE).cursor(cursor)).await.claims;
    assert_eq!(claims.len(), 2, "it goes on with the first endpoint after the last");
}

// Catches in webhook-testkit/src/memory/claim.rs:
// - round.extend(before);
pub async fn a_claim_may_begin_at_an_endpoint_that_is_gone<H: StoreHarness>() {
    let fixture = Fixture::<H>::fresh().await;
    let endpoints = [fixture.endpoint().await, fixture.endpoint().await];
    for endpoint in endpoints {
        fixture.pendings(endpoint, 3).await;
    }
    let first = fixture.claim_due(ClaimDue::new(1, DEFAULT_LEASE)).await;
    let served = first.claims[0].lease.delivery.endpoint;
    for gone in endpoints.into_iter().filter(|endpoint| *endpoint != served) {
        fixture.remove(gone).await;
    }
    let foreign = ClaimCursor::new(b"of another store".to_vec());
    for cursor in [first.cursor, Some(foreign), Some(ClaimCursor::new(Vec::new()))] {
        let claimed = fixture.claim_due(ClaimDue::new(1, SECOND).cursor(cursor)).await;
        assert_eq!(claimed.claims.len(), 1, "the others are claimed all the same");
        fixture.advance(SECOND).await;
    }
}

// Catches in webhook-testkit/src/memory/claim.rs:
// - let due = due.take_while(|(_, id)| budget.take(bytes(id))).count();
// + let due = due.count();
// + let _ = (bytes, budget);
pub async fn a_claim_ends_before_its_bytes_are_exceeded<H: StoreHarness>() {
    let fixture = Fixture::<H>::fresh().await;
    let endpoint = fixture.endpoint().await;
    for _ in 0..4 {
        fixture.publish(fixture.event_with_body(&[b'x'; 100]), &[endpoint]).await;
    }
    let ask = |max_bytes| ClaimDue::new(100, DEFAULT_LEASE).max_bytes(max_bytes);
    let claimed = fixture.claim_due(ask(250)).await;
    assert_eq!(claimed.claims.len(), 2, "two bodies fit");
    assert_eq!(claimed.next_due, Some(Duration::ZERO), "there is more");
    assert_eq!(fixture.claim_due(ask(200)).await.claims.len(), 2, "two fit exactly");
}

// Catches in webhook-testkit/src/memory/claim.rs:
// - let (mut claims, mut budget) = (Vec::new(), ByteBudget::new(ask.max_bytes));
// + let (mut claims, mut budget) = (Vec::new(), ByteBudget::new(ask.max_bytes));
// + _ = budget.take(0);
pub async fn a_body_larger_than_the_bytes_of_a_claim_is_claimed_alone<H: StoreHarness>() {
    let fixture = Fixture::<H>::fresh().await;
    let endpoints = [fixture.endpoint().await, fixture.endpoint().await];
    fixture.publish(fixture.event_with_body(&[b'x'; 100]), &endpoints).await;
    let mut cursor = None;
    for _ in 0..2 {
        let ask = ClaimDue::new(100, DEFAULT_LEASE).max_bytes(10).cursor(cursor);
        let claimed = fixture.claim_due(ask).await;
        assert_eq!(claimed.claims.len(), 1, "at least one delivery");
        cursor = claimed.cursor;
    }
    fixture.assert_nothing_to_claim("each endpoint was served").await;
}

// Catches in webhook-testkit/src/memory/claim.rs:
// - self.endpoints.get(&endpoint).map_or(0, |row| row.allowance().room(in_flight, now)) as usize
// + self.endpoints.get(&endpoint).map_or(0, |row| if row.allowance().room(in_flight, now) > 0 { row.allowance().room(0, now) } else { 0 }) as usize
pub async fn an_endpoint_gets_no_more_than_its_free_slots<H: StoreHarness>() {
    let fixture = Fixture::<H>::fresh().await;
    let small = fixture.add(fixture.new_endpoint().with_max_in_flight(3)).await;
    let other = fixture.endpoint().await;
    fixture.pendings(small, 5).await;
    fixture.pendings(other, 5).await;
    let in_flight = BTreeMap::from([(small, 1)]);
    let claims =
        fixture.claim_due(ClaimDue::new(100, DEFAULT_LEASE).in_flight(in_flight)).await.claims;
    let of = |endpoint| deliveries(&claims).iter().filter(|id| id.endpoint == endpoint).count();
    assert_eq!(of(small), 2, "3 at once, less the one in flight");
    assert_eq!(of(other), 5, "another endpoint is not affected");
}

// Catches in webhook-testkit/src/memory/claim.rs:
// - self.endpoints.get(&endpoint).map_or(0, |row| row.allowance().room(in_flight, now)) as usize
// + self.endpoints.get(&endpoint).map_or(0, |row| if row.allowance().room(in_flight, now) > 0 { row.allowance().room(in_flight, now) } else { row.allowance().room(0, now) }) as usize
pub async fn a_full_endpoint_is_passed_over<H: StoreHarness>() {
    let fixture = Fixture::<H>::fresh().await;
    let full = fixture.add(fixture.new_endpoint().with_max_in_flight(2)).await;
    let free = fixture.endpoint().await;
    fixture.pendings(full, 5).await;
    let expected = fixture.pending(free).await;
    for used in [2, 3] {
        let ask = ClaimDue::new(1, SECOND).in_flight(BTreeMap::from([(full, used)]));
        let claims = fixture.claim_due(ask).await.claims;
        assert_eq!(deliveries(&claims), [expected], "a full endpoint takes nobody's place");
        fixture.advance(SECOND).await;
    }
}

// Catches in webhook-testkit/src/memory/claim.rs:
// - let in_flight = ask.in_flight.get(&endpoint).copied().unwrap_or_default();
// + let held = self.deliveries.values().filter(|row| row.state.held).count();
// + let in_flight = ask.in_flight.get(&endpoint).copied().unwrap_or_default() + held as u32;
pub async fn slots_are_counted_by_the_caller_alone<H: StoreHarness>() {
    let fixture = Fixture::<H>::fresh().await;
    let endpoint = fixture.add(fixture.new_endpoint().with_max_in_flight(2)).await;
    fixture.pendings(endpoint, 4).await;
    assert_eq!(fixture.claim().await.len(), 2, "one worker gets as many as it has slots");
    assert_eq!(fixture.claim().await.len(), 2, "and so does another one");
}

// Catches in webhook-testkit/src/memory/claim.rs:
// - endpoint.state.is_active()
// + endpoint.state.is_routed()
pub async fn a_paused_endpoint_is_passed_over_until_it_is_resumed<H: StoreHarness>() {
    let fixture = Fixture::<H>::fresh().await;
    let endpoint = fixture.endpoint().await;
    fixture.pending(endpoint).await;
    fixture.set_state(endpoint, EndpointState::Paused).await;
    fixture.assert_nothing_to_claim("a paused endpoint gets nothing").await;
    fixture.pending(endpoint).await;
    fixture.assert_nothing_to_claim("what is new for a paused endpoint waits as well").await;
    fixture.set_state(endpoint, EndpointState::Active).await;
    assert_eq!(fixture.claim().await.len(), 2, "a resumed endpoint gets all that has waited");
}

// Catches in webhook-testkit/src/memory/claim.rs:
// - endpoint.state.is_active()
// + endpoint.state != webhook_core::EndpointState::Paused
pub async fn a_disabled_endpoint_is_passed_over_until_it_is_resumed<H: StoreHarness>() {
    let fixture = Fixture::<H>::fresh().await;
    let endpoint = fixture.endpoint().await;
    fixture.pending(endpoint).await;
    for reason in [DisabledReason::ByHand, DisabledReason::Gone] {
        fixture.set_state(endpoint, EndpointState::Disabled(reason)).await;
        fixture.assert_nothing_to_claim("a disabled endpoint gets nothing").await;
    }
    fixture.set_state(endpoint, EndpointState::Active).await;
    assert_eq!(fixture.claim().await.len(), 1, "a resumed endpoint gets what has waited");
}

// Catches in webhook-core/src/port/store/state/delivery_state.rs:
// - event, endpoint.revision)
// + event, webhook_core::Revision::default())
pub async fn a_claim_tells_the_present_revision<H: StoreHarness>() {
    let fixture = Fixture::<H>::fresh().await;
    let endpoint = fixture.endpoint().await;
    fixture.pending(endpoint).await;
    let before = fixture.stored(endpoint).await.revision;
    fixture.set_state(endpoint, EndpointState::Active).await;
    let claim = fixture.claim_one().await;
    assert_eq!(claim.endpoint_revision, before.next(), "an edit shows in the next claim");
}

// Catches in webhook-testkit/src/memory/claim.rs:
// - round.iter().take_while(|_| ask.limit > 0)
// + round.iter().take(1)
pub async fn one_event_for_many_endpoints_is_claimed_for_each<H: StoreHarness>() {
    let fixture = Fixture::<H>::fresh().await;
    let endpoints = [fixture.endpoint().await, fixture.endpoint().await];
    let event = fixture.event();
    fixture.publish(event.clone(), &endpoints).await;
    let claims = fixture.claim().await;
    let expected = endpoints.map(|to| webhook_core::DeliveryId::new(event.id, to));
    assert_eq!(sorted(&claims), expected, "each endpoint has a delivery of its own");
    assert!(claims.iter().all(|claim| *claim.event == event), "each claim carries the event");
}

// Catches in webhook-testkit/src/memory/claim.rs:
// - self.next_due(&open, ask, &claims, now);
// + None;
pub async fn a_claim_says_when_more_is_due<H: StoreHarness>() {
    let fixture = Fixture::<H>::fresh().await;
    let endpoint = fixture.endpoint().await;
    let empty = fixture.claim_due(ClaimDue::new(10, DEFAULT_LEASE)).await;
    assert_eq!(empty.next_due, None, "nothing is left");
    fixture.pending(endpoint).await;
    let claim = fixture.claim_one().await;
    fixture.finish(retry(&claim, DEFAULT_RETRY_WAIT)).await;
    fixture.advance(SECOND).await;
    let claimed = fixture.claim_due(ClaimDue::new(10, DEFAULT_LEASE)).await;
    assert_eq!(claimed.next_due, Some(DEFAULT_RETRY_WAIT - SECOND), "the retry is due then");
}

// Catches in webhook-testkit/src/memory/claim.rs:
// - if let Some(due_at) = row.state.claimable_at() {
// + if let Some(due_at) = row.state.claimable_at().filter(|_| !row.state.held) {
pub async fn a_claim_says_when_the_next_lease_ends<H: StoreHarness>() {
    let fixture = Fixture::<H>::fresh().await;
    fixture.pending(fixture.endpoint().await).await;
    fixture.claim_one().await;
    fixture.advance(SECOND).await;
    let claimed = fixture.claim_due(ClaimDue::new(10, DEFAULT_LEASE)).await;
    assert_eq!(
        claimed.next_due,
        Some(DEFAULT_LEASE - SECOND),
        "the other lease has this long to go"
    );
}

// Catches in webhook-testkit/src/memory/claim.rs:
// - let (due, _) = ids.first()?;
// + let (due, _) = ids.iter().find(|(due, _)| *due > now)?;
pub async fn a_claim_that_leaves_due_work_says_so<H: StoreHarness>() {
    let fixture = Fixture::<H>::fresh().await;
    fixture.pendings(fixture.endpoint().await, 3).await;
    let claimed = fixture.claim_due(ClaimDue::new(1, DEFAULT_LEASE)).await;
    assert_eq!(claimed.claims.len(), 1, "one is claimed");
    assert_eq!(claimed.next_due, Some(Duration::ZERO), "due work was left because of the limit");
}

// Catches in webhook-testkit/src/memory/claim.rs:
// - as usize + claimed(*id);
// + as usize;
// + let _ = claimed;
pub async fn what_waits_for_a_full_endpoint_is_never_next<H: StoreHarness>() {
    let fixture = Fixture::<H>::fresh().await;
    let endpoint = fixture.add(fixture.new_endpoint().with_max_in_flight(2)).await;
    fixture.pendings(endpoint, 4).await;
    let with =
        |used| ClaimDue::new(10, DEFAULT_LEASE).in_flight(BTreeMap::from([(endpoint, used)]));
    let claimed = fixture.claim_due(with(2)).await;
    assert_eq!(claimed.claims.len(), 0, "the endpoint is full");
    assert_eq!(claimed.next_due, None, "the caller knows when it has a slot again");
    let claimed = fixture.claim_due(with(1)).await;
    assert_eq!(claimed.claims.len(), 1, "there is one slot");
    assert_eq!(claimed.next_due, None, "this claim has filled the endpoint");
}

// Catches in webhook-testkit/src/memory/claim.rs:
// - self.next_due(&open, ask, &claims, now);
// + self.deliveries.values().map(|row| row.state.due_at.since(now)).min();
pub async fn what_waits_for_an_inactive_endpoint_is_never_next<H: StoreHarness>() {
    let fixture = Fixture::<H>::fresh().await;
    let endpoint = fixture.endpoint().await;
    fixture.pending(endpoint).await;
    fixture.set_state(endpoint, EndpointState::Paused).await;
    let claimed = fixture.claim_due(ClaimDue::new(10, DEFAULT_LEASE)).await;
    assert_eq!(claimed.next_due, None, "nobody needs to wake up for a paused endpoint");
}

// Catches in webhook-testkit/src/memory/ports.rs:
// - Ok(self.state().claim_due(&claim, self.now()))
// + let mut claim = claim;
// + claim.limit = claim.limit.max(1);
// + Ok(self.state().claim_due(&claim, self.now()))
pub async fn a_claim_of_none_takes_none<H: StoreHarness>() {
    let fixture = Fixture::<H>::fresh().await;
    let id = fixture.pending(fixture.endpoint().await).await;
    let claimed = fixture.claim_due(ClaimDue::new(0, DEFAULT_LEASE)).await;
    assert!(claimed.claims.is_empty(), "none was asked for");
    assert_eq!(fixture.status(id).await, DeliveryStatus::Pending, "nothing was taken");
}

// Catches in webhook-testkit/src/memory/claim.rs:
// - row.state = row.state.claimed(ask.lease, ask.worker.as_ref(), now);
pub async fn two_workers_at_once_never_get_the_same_delivery<H: StoreHarness>() {
    let fixture = Fixture::<H>::fresh().await;
    let endpoint = fixture.add(fixture.new_endpoint().with_max_in_flight(100)).await;
    fixture.pendings(endpoint, 40).await;
    let worker = || fixture.claim_due(ClaimDue::new(15, DEFAULT_LEASE));
    let (one, two, three) = tokio::join!(worker(), worker(), worker());
    let mut all = [one.claims, two.claims, three.claims].concat();
    all.extend(fixture.claim().await);
    let distinct: BTreeSet<_> = deliveries(&all).into_iter().collect();
    assert_eq!((all.len(), distinct.len()), (40, 40), "each delivery is claimed exactly once");
}

// Catches in webhook-core/src/port/store/state/delivery_state.rs:
// - .with_previous_claim_at(self.previous_claim_at)
// + .with_previous_claim_at(self.previous_claim_at.or(self.claimed_at))
pub async fn first_and_later_attempts_may_be_claimed_together<H: StoreHarness>() {
    let fixture = Fixture::<H>::fresh().await;
    let endpoint = fixture.endpoint().await;
    let later = fixture.pending(endpoint).await;
    let claimed_at = fixture.delivery(later).await.created_at;
    fixture.finish(retry(&fixture.claim_one().await, DEFAULT_RETRY_WAIT)).await;
    fixture.advance(DEFAULT_RETRY_WAIT).await;
    let first = fixture.pending(endpoint).await;
    let mut claims = fixture.claim().await;
    claims.sort_by_key(|claim| claim.lease.delivery);
    assert_eq!(deliveries(&claims), [later, first], "both are due");
    let told = |at: usize| (claims[at].progress.attempt, claims[at].previous_claim_at);
    assert_eq!(told(0), (2, Some(claimed_at)), "one was claimed before");
    assert_eq!(told(1), (1, None), "and the other was not");
}
