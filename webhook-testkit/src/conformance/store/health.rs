//! How endpoints are, as their attempts tell; and what follows from it for the next claims.

use std::time::Duration;

use webhook_core::{
    DisabledReason, EndpointId, EndpointState, HealthPolicy, TenantId,
    policy::{Condition, HealthSignal},
    store::{
        Claim, ClaimDue, Enqueue, Enqueued, FanOut, Finish, Finished, Maintenance as _,
        NewDelivery, NoticeQueue as _, Settle,
    },
};

use super::{
    Fixture, StoreHarness,
    fixture::{DEFAULT_LEASE, DEFAULT_RETRY_WAIT, SECOND, failure, retry, success},
};
use crate::units::{DAY, MINUTE};

/// Warns at two failures in a row, rests at three for a minute, gives up after a day and four.
pub(super) const fn policy() -> HealthPolicy {
    HealthPolicy::new()
        .with_warn_after(2)
        .with_cool_after(3)
        .with_cool_down(MINUTE, Duration::from_secs(600))
        .with_disable_after(Some(DAY))
        .with_disable_min(4)
}

pub(super) fn bad(claim: &Claim) -> Finish {
    retry(claim, DEFAULT_RETRY_WAIT).with_health_signal(HealthSignal::Bad, policy())
}

fn good(claim: &Claim) -> Finish {
    success(claim).with_health_signal(HealthSignal::Good, policy())
}

fn busy(claim: &Claim, pause: Duration) -> Finish {
    retry(claim, DEFAULT_RETRY_WAIT).with_health_signal(HealthSignal::Busy(pause), policy())
}

impl<H: StoreHarness> Fixture<H> {
    /// An endpoint with this many pending deliveries, of which three have just failed: it rests.
    async fn cooling_down(&self, pending: usize) -> EndpointId {
        let endpoint = self.endpoint().await;
        self.pendings(endpoint, pending).await;
        let claims = self.claim_due(ClaimDue::new(3, DEFAULT_LEASE)).await.claims;
        assert_eq!(claims.len(), 3, "three deliveries are claimed");
        for claim in &claims {
            self.finish(bad(claim)).await;
        }
        endpoint
    }

    pub(super) async fn condition(&self, endpoint: EndpointId) -> Condition {
        self.stored(endpoint).await.health.condition()
    }
}

// Catches in webhook-testkit/src/memory/health.rs:
// - row.endpoint = Arc::new(change.apply_to((*endpoint).clone()));
pub async fn failures_in_a_row_are_counted_with_the_endpoint<H: StoreHarness>() {
    let fixture = Fixture::<H>::fresh().await;
    let endpoint = fixture.endpoint().await;
    fixture.pendings(endpoint, 2).await;
    for claim in fixture.claim().await {
        fixture.finish(bad(&claim)).await;
    }
    let condition = fixture.condition(endpoint).await;
    assert!(matches!(condition, Condition::Failing { failures: 2, .. }), "{condition:?}");
    fixture.advance(DEFAULT_RETRY_WAIT).await;
    let claims = fixture.claim().await;
    assert!(claims.iter().all(|claim| claim.unhealthy), "a claim tells that something is known");
    fixture.finish(good(&claims[0])).await;
    assert_eq!(fixture.condition(endpoint).await, Condition::Healthy, "a success ends the row");
}

// Catches in webhook-testkit/src/memory/claim.rs:
// - self.endpoints.get(&endpoint).map_or(0, |row| row.allowance().room(in_flight, now)) as usize
// + self.endpoints.get(&endpoint).map_or(0, |row| row.allowance().with_health(webhook_core::Health::HEALTHY).room(in_flight, now)) as usize
pub async fn an_endpoint_that_rests_is_passed_over<H: StoreHarness>() {
    let fixture = Fixture::<H>::fresh().await;
    fixture.cooling_down(8).await;
    let other = fixture.pending(fixture.endpoint().await).await;
    let claim = fixture.claim_one().await;
    assert_eq!(claim.lease.delivery, other, "others are served");
    fixture.advance(MINUTE - SECOND).await;
    fixture.finish(success(&claim)).await;
    fixture.assert_nothing_to_claim("it rests for a minute").await;
}

// Catches in webhook-testkit/src/memory/claim.rs:
// - has_slot.then(|| allowance.opens_at(now).unwrap_or(*due).max(*due).since(now))
// + has_slot.then(|| due.since(now))
pub async fn the_end_of_a_rest_is_when_to_look_again<H: StoreHarness>() {
    let fixture = Fixture::<H>::fresh().await;
    fixture.cooling_down(8).await;
    fixture.advance(10 * SECOND).await;
    let claimed = fixture.claim_due(ClaimDue::new(10, DEFAULT_LEASE)).await;
    assert!(claimed.claims.is_empty(), "it rests");
    let left = Some(MINUTE - 10 * SECOND);
    assert_eq!(claimed.next_due, left, "and says for how long");
}

// Catches in webhook-testkit/src/memory/deliveries.rs:
// - cools_down_until.map_or(due_at, |until| until.max(due_at))
// + cools_down_until.map_or(due_at, |_| due_at)
pub async fn what_waits_for_a_rest_is_not_due<H: StoreHarness>() {
    let fixture = Fixture::<H>::fresh().await;
    fixture.cooling_down(8).await;
    fixture.advance(10 * SECOND).await;
    let left = fixture.store.backlog().await.unwrap();
    assert_eq!((left.pending, left.next_due), (8, Some(MINUTE - 10 * SECOND)));
    assert_eq!(fixture.store.status().await.unwrap().oldest_due, None, "no worker is behind");
    fixture.advance(MINUTE).await;
    let behind = fixture.store.status().await.unwrap().oldest_due;
    assert_eq!(behind, Some(10 * SECOND), "since the rest was over");
}

// Catches in webhook-testkit/src/memory/claim.rs:
// - row.set_allowance(allowance);
// + let _ = allowance;
pub async fn there_is_one_probe_at_a_time<H: StoreHarness>() {
    let fixture = Fixture::<H>::fresh().await;
    fixture.cooling_down(8).await;
    fixture.advance(MINUTE).await;
    fixture.claim_one().await;
    fixture.assert_nothing_to_claim("one delivery is the probe").await;
    fixture.advance(DEFAULT_LEASE).await;
    fixture.claim_one().await;
    fixture.assert_nothing_to_claim("its worker was lost: there is another probe").await;
}

// Catches in webhook-testkit/src/memory/finish.rs:
// - self.apply_health(&Finish::void(lease), now);
pub async fn a_probe_that_is_given_back_makes_room_for_another<H: StoreHarness>() {
    let fixture = Fixture::<H>::fresh().await;
    fixture.cooling_down(8).await;
    fixture.advance(MINUTE).await;
    let probe = fixture.claim_one().await;
    fixture.release(probe.lease).await;
    fixture.claim_one().await;
    fixture.assert_nothing_to_claim("one at a time").await;
}

// Catches in webhook-core/src/port/store/state/endpoint_change.rs:
// - policy, endpoint.max_in_flight);
// + policy, 1);
pub async fn recovery_is_a_ramp<H: StoreHarness>() {
    let fixture = Fixture::<H>::fresh().await;
    fixture.cooling_down(40).await;
    fixture.advance(MINUTE).await;
    let probe = fixture.claim_one().await;
    fixture.finish(good(&probe)).await;
    for expected in [2, 4, 8] {
        let claims = fixture.claim().await;
        assert_eq!(claims.len(), expected, "each success makes room for one more");
        for claim in &claims {
            fixture.finish(good(claim)).await;
        }
    }
    assert_eq!(fixture.claim().await.len(), 16, "it has all its slots again");
}

// Catches in webhook-core/src/port/store/state/endpoint_change.rs:
// - let (signal, policy) = &item.health_signal;
// + let (signal, policy) = (&if let webhook_core::policy::HealthSignal::Busy(_) = item.health_signal.0 { webhook_core::policy::HealthSignal::None } else { item.health_signal.0 }, &item.health_signal.1);
pub async fn a_receiver_that_asks_for_a_pause_gets_it_with_all_its_deliveries<H: StoreHarness>() {
    let fixture = Fixture::<H>::fresh().await;
    let endpoint = fixture.endpoint().await;
    fixture.pendings(endpoint, 8).await;
    let claims = fixture.claim_due(ClaimDue::new(1, DEFAULT_LEASE)).await.claims;
    fixture.finish(busy(&claims[0], 30 * SECOND)).await;
    fixture.advance(29 * SECOND).await;
    fixture.assert_nothing_to_claim("none of its deliveries").await;
    fixture.advance(SECOND).await;
    fixture.claim_one().await;
    assert!(fixture.store.notices(10).await.unwrap().is_empty(), "nothing is told of that");
}

// Catches in webhook-core/src/port/store/state/endpoint_change.rs:
// - edit.health = if stored.keeps_health(&edit) { stored.health } else { Health::HEALTHY };
// + edit.health = if stored.keeps_health(&edit) { edit.health } else { Health::HEALTHY };
pub async fn an_edit_says_nothing_about_health<H: StoreHarness>() {
    let fixture = Fixture::<H>::fresh().await;
    let endpoint = fixture.cooling_down(4).await;
    let edited = fixture.stored(endpoint).await.with_max_in_flight(7);
    let edited = edited.with_health(webhook_core::Health::HEALTHY);
    fixture.store.update_endpoint(edited).await.unwrap();
    assert!(
        matches!(fixture.condition(endpoint).await, Condition::CoolingDown { .. }),
        "it still rests"
    );
    let new = fixture.new_endpoint().with_health(fixture.stored(endpoint).await.health);
    let new = fixture.add(new).await;
    assert_eq!(fixture.condition(new).await, Condition::Healthy, "a new endpoint is healthy");
}

// Catches in webhook-core/src/port/store/state/endpoint_change.rs:
// - edit.health = if stored.keeps_health(&edit) { stored.health } else { Health::HEALTHY };
// + edit.health = stored.health;
pub async fn another_place_and_a_fresh_start_begin_anew<H: StoreHarness>() {
    let fixture = Fixture::<H>::fresh().await;
    let moved = fixture.cooling_down(4).await;
    let mut endpoint = fixture.stored(moved).await;
    endpoint.url = "https://other.example/".parse().unwrap();
    fixture.store.update_endpoint(endpoint).await.unwrap();
    assert_eq!(fixture.condition(moved).await, Condition::Healthy, "it is another place");
    fixture.remove(moved).await;
    let resumed = fixture.cooling_down(4).await;
    fixture.set_state(resumed, EndpointState::Paused).await;
    assert_ne!(fixture.condition(resumed).await, Condition::Healthy, "to pause it is no reason");
    fixture.set_state(resumed, EndpointState::Active).await;
    assert_eq!(fixture.condition(resumed).await, Condition::Healthy, "it is switched on again");
}

// Catches in webhook-core/src/port/store/state/endpoint_change.rs:
// - endpoint.health = self.health;
// + endpoint.health = self.health;
// + endpoint.revision = endpoint.revision.next();
pub async fn health_is_no_edit<H: StoreHarness>() {
    let fixture = Fixture::<H>::fresh().await;
    let endpoint = fixture.endpoint().await;
    let before = (fixture.stored(endpoint).await.revision, fixture.version().await);
    fixture.pendings(endpoint, 3).await;
    for claim in fixture.claim().await {
        fixture.finish(bad(&claim)).await;
    }
    let after = (fixture.stored(endpoint).await.revision, fixture.version().await);
    assert_eq!(before, after, "nobody has to load it anew");
}

// Catches in webhook-core/src/port/store/state/event_rules.rs:
// - leased.all(|endpoint| endpoint.health.is_unrestricted());
// + leased.all(|_| true);
pub async fn nothing_is_sent_past_a_rest<H: StoreHarness>() {
    let fixture = Fixture::<H>::fresh().await;
    let (well, cooling_down) = (fixture.endpoint().await, fixture.cooling_down(4).await);
    let lease = |endpoint| NewDelivery::leased(endpoint, DEFAULT_LEASE);
    let version = fixture.version().await;
    let to = |deliveries: Vec<NewDelivery>| {
        let mut fan_out = FanOut::pending(version, []);
        fan_out.deliveries = deliveries;
        Enqueue::routed(fixture.event(), fan_out)
    };
    let batch = vec![
        to(vec![lease(well)]),
        to(vec![lease(well), lease(cooling_down)]),
        to(vec![lease(well), NewDelivery::pending(cooling_down)]),
    ];
    let answers = fixture.enqueue(batch).await;
    let expected = [Enqueued::Routed(1), Enqueued::Later, Enqueued::Routed(2)];
    assert_eq!(answers, expected, "only leases for an endpoint that rests are refused");
}

// Catches in webhook-testkit/src/memory/finish.rs:
// - let Some(row) = self.deliveries.get_mut(&item.lease.delivery) else {
// + if self.deliveries.get(&item.lease.delivery).is_some_and(|row| row.state.epoch != item.lease.epoch) {
// +     self.apply_health(&item, now);
// + }
// + let Some(row) = self.deliveries.get_mut(&item.lease.delivery) else {
pub async fn a_late_write_says_nothing_about_health<H: StoreHarness>() {
    let fixture = Fixture::<H>::fresh().await;
    let endpoint = fixture.endpoint().await;
    fixture.pending(endpoint).await;
    let late = fixture.claim_one().await;
    fixture.advance(DEFAULT_LEASE).await;
    fixture.claim_one().await;
    assert_eq!(fixture.finish(bad(&late)).await, Finished::LeaseLost, "another has it");
    assert_eq!(fixture.condition(endpoint).await, Condition::Healthy, "nothing is written");
}

// Catches in webhook-testkit/src/memory/finish.rs:
// - let Some(row) = self.deliveries.get_mut(&item.lease.delivery) else {
// + if self.deliveries.get(&item.lease.delivery).is_some_and(|row| !row.state.held) {
// +     self.apply_health(&item, now);
// + }
// + let Some(row) = self.deliveries.get_mut(&item.lease.delivery) else {
pub async fn what_is_said_again_counts_once<H: StoreHarness>() {
    let fixture = Fixture::<H>::fresh().await;
    let endpoint = fixture.endpoint().await;
    fixture.pending(endpoint).await;
    let claim = fixture.claim_one().await;
    fixture.finish(bad(&claim)).await;
    assert_eq!(fixture.finish(bad(&claim)).await, Finished::Recorded, "it is on record");
    let condition = fixture.condition(endpoint).await;
    assert!(matches!(condition, Condition::Failing { failures: 1, .. }), "{condition:?}");
}

// Catches in webhook-core/src/port/store/state/endpoint_change.rs:
// - change.disables.then_some(failing)
// + None
pub async fn days_of_failures_disable_an_endpoint<H: StoreHarness>() {
    let fixture = Fixture::<H>::fresh().await;
    let endpoint = fixture.cooling_down(4).await;
    let (revision, version) = (fixture.stored(endpoint).await.revision, fixture.version().await);
    fixture.advance(DAY).await;
    let probe = fixture.claim_one().await;
    fixture.finish(bad(&probe)).await;
    let stored = fixture.stored(endpoint).await;
    let disabled = EndpointState::Disabled(DisabledReason::Failing);
    assert_eq!(stored.state, disabled, "four failures and a day are enough");
    assert_eq!(stored.health.condition(), Condition::Healthy, "and nothing is held against it");
    assert_eq!(stored.revision, revision.next(), "that is an edit");
    assert_eq!(fixture.version().await, version.next(), "and publishers route past it");
    fixture.advance(DAY).await;
    fixture.assert_nothing_to_claim("what is pending waits").await;
}

// Catches in webhook-core/src/port/store/state/endpoint_change.rs:
// - if !endpoint.state.is_routed() {
// + if false {
pub async fn what_is_disabled_takes_no_turn<H: StoreHarness>() {
    let fixture = Fixture::<H>::fresh().await;
    let endpoint = fixture.endpoint().await;
    fixture.pendings(endpoint, 2).await;
    let claims = fixture.claim().await;
    fixture.set_state(endpoint, EndpointState::Disabled(DisabledReason::ByHand)).await;
    fixture.finish(bad(&claims[0])).await;
    let gone = failure(&claims[1]).with_disabled_endpoint(Some(DisabledReason::Gone));
    fixture.finish(gone).await;
    let stored = fixture.stored(endpoint).await;
    assert_eq!(stored.health.condition(), Condition::Healthy, "it is left as it is");
    let by_hand = EndpointState::Disabled(DisabledReason::ByHand);
    assert_eq!(stored.state, by_hand, "and its reason stays");
    assert!(fixture.store.notices(10).await.unwrap().is_empty(), "nothing is told");
}

// Catches in webhook-testkit/src/memory/health.rs:
// - if let Some(row) = self.endpoints.get_mut(&id) {
// + if let Some(row) = self.endpoints.values_mut().next() {
pub async fn endpoints_of_one_batch_take_their_own_turns<H: StoreHarness>() {
    let fixture = Fixture::<H>::fresh().await;
    let (one, two) = (fixture.endpoint().await, fixture.endpoint().await);
    fixture.pendings(one, 3).await;
    fixture.pendings(two, 3).await;
    let claims = fixture.claim().await;
    let sign = |claim: &Claim| {
        if claim.lease.delivery.endpoint == two { bad(claim) } else { success(claim) }
    };
    let batch: Vec<_> = claims.iter().map(sign).collect();
    fixture.store.finish(batch).await.unwrap();
    assert_eq!(fixture.condition(one).await, Condition::Healthy, "one accepts");
    let condition = fixture.condition(two).await;
    assert!(matches!(condition, Condition::CoolingDown { failures: 3, .. }), "{condition:?}");
    assert_eq!(fixture.stored(two).await.tenant, TenantId::default());
    assert!(claims.iter().all(|claim| !claim.unhealthy), "nothing was known before");
    let last = Finish::new(claims[0].lease, Vec::new(), 1, Settle::Success);
    assert_eq!(fixture.finish(last).await, Finished::Recorded);
}
