//! Rates, which all workers share, and the shares of tenants.

use std::collections::BTreeMap;

use webhook_core::{
    EndpointId, RateLimit, TenantId,
    store::{Claim, ClaimDue, TenantLimits},
};

use super::{
    Fixture, StoreHarness,
    fixture::{DEFAULT_LEASE, SECOND, success},
};
use crate::units::MILLISECOND;

fn tenant(name: &str) -> TenantId {
    name.parse().unwrap()
}

/// How many of these claims go to this endpoint.
fn to(claims: &[Claim], endpoint: EndpointId) -> usize {
    claims.iter().filter(|claim| claim.lease.delivery.endpoint == endpoint).count()
}

impl<H: StoreHarness> Fixture<H> {
    /// An endpoint with this rate limit.
    async fn limited(&self, limit: &str) -> EndpointId {
        let limit: RateLimit = limit.parse().unwrap();
        self.add(self.new_endpoint().with_rate(Some(limit)).with_max_in_flight(100)).await
    }

    /// An endpoint of this tenant with this many pending deliveries.
    async fn of_tenant(&self, name: &str, pending: usize) -> EndpointId {
        let endpoint = self.new_endpoint().with_tenant(tenant(name)).with_max_in_flight(100);
        let endpoint = self.add(endpoint).await;
        for _ in 0..pending {
            self.publish(self.event_of(&tenant(name)), &[endpoint]).await;
        }
        endpoint
    }
}

// Catches in webhook-testkit/src/memory/claim.rs:
// - row.set_allowance(allowance);
// + let _ = allowance;
pub async fn a_burst_goes_at_once_and_the_rest_by_the_rate<H: StoreHarness>() {
    let fixture = Fixture::<H>::fresh().await;
    let endpoint = fixture.limited("10/s burst 5").await;
    fixture.pendings(endpoint, 20).await;
    assert_eq!(fixture.claim().await.len(), 5, "a burst");
    fixture.assert_nothing_to_claim("the burst is used").await;
    fixture.advance(99 * MILLISECOND).await;
    fixture.assert_nothing_to_claim("a tenth of a second is not over").await;
    fixture.advance(MILLISECOND).await;
    fixture.claim_one().await;
    fixture.assert_nothing_to_claim("one for each tenth, whoever asks").await;
    fixture.advance(10 * SECOND).await;
    assert_eq!(fixture.claim().await.len(), 5, "a pause saves up no more than a burst");
}

// Catches in webhook-testkit/src/memory/claim.rs:
// - has_slot.then(|| allowance.opens_at(now).unwrap_or(*due).max(*due).since(now))
// + has_slot.then(|| due.since(now))
pub async fn the_rate_says_when_to_look_again<H: StoreHarness>() {
    let fixture = Fixture::<H>::fresh().await;
    fixture.pendings(fixture.limited("4/s burst 2").await, 4).await;
    let claimed = fixture.claim_due(ClaimDue::new(100, DEFAULT_LEASE)).await;
    assert_eq!(claimed.next_due, Some(250 * MILLISECOND), "when the next one may start");
    fixture.advance(50 * MILLISECOND).await;
    let claimed = fixture.claim_due(ClaimDue::new(100, DEFAULT_LEASE)).await;
    assert_eq!((claimed.claims.len(), claimed.next_due), (0, Some(200 * MILLISECOND)));
}

// Catches in webhook-testkit/src/memory/claim.rs:
// - self.endpoints.get(&endpoint).map_or(0, |row| row.allowance().room(in_flight, now)) as usize
// + self.endpoints.get(&endpoint).map_or(0, |row| row.allowance().room(in_flight, now) + 1) as usize
pub async fn a_rate_limits_its_own_endpoint_alone<H: StoreHarness>() {
    let fixture = Fixture::<H>::fresh().await;
    let (limited, free) = (fixture.limited("1/s burst 1").await, fixture.endpoint().await);
    fixture.pendings(limited, 3).await;
    fixture.pendings(free, 3).await;
    let claims = fixture.claim().await;
    assert_eq!((to(&claims, limited), to(&claims, free)), (1, 3));
}

// Catches in webhook-testkit/src/memory/endpoints.rs:
// - let used = self.endpoints.get(&endpoint.id).map(|row| row.used).unwrap_or_default();
// + let used = 0;
pub async fn an_edit_does_not_give_a_rate_back<H: StoreHarness>() {
    let fixture = Fixture::<H>::fresh().await;
    let endpoint = fixture.limited("1/s burst 1").await;
    fixture.pendings(endpoint, 3).await;
    fixture.claim_one().await;
    let edited = fixture.stored(endpoint).await.with_max_in_flight(9);
    fixture.store.update_endpoint(edited).await.unwrap();
    fixture.assert_nothing_to_claim("what is used is used").await;
    let free = fixture.stored(endpoint).await.with_rate(None);
    fixture.store.update_endpoint(free).await.unwrap();
    assert_eq!(fixture.claim().await.len(), 2, "a new limit holds from the next claim on");
}

// Catches in webhook-testkit/src/memory/claim.rs:
// - let share = shares.room(&endpoint.tenant) as usize;
// + let share = usize::MAX;
pub async fn a_claim_is_parted_among_the_tenants_with_work<H: StoreHarness>() {
    let fixture = Fixture::<H>::fresh().await;
    let (flood, second) =
        (fixture.of_tenant("flood", 20).await, fixture.of_tenant("flood", 20).await);
    let small = fixture.of_tenant("small", 20).await;
    let claims = fixture.claim_due(ClaimDue::new(10, DEFAULT_LEASE)).await.claims;
    let of_flood = to(&claims, flood) + to(&claims, second);
    assert_eq!((of_flood, to(&claims, small)), (5, 5), "half for each, however much one has");
    let third = fixture.of_tenant("third", 20).await;
    let claims = fixture.claim_due(ClaimDue::new(9, DEFAULT_LEASE)).await.claims;
    let of_flood = to(&claims, flood) + to(&claims, second);
    let parts = (of_flood, to(&claims, small), to(&claims, third));
    assert_eq!(parts, (3, 3, 3), "a third for each");
}

// Catches in webhook-testkit/src/memory/claim.rs:
// - round.iter().for_each(|endpoint| shares.note_work(&endpoint.tenant));
// + let others = ["a", "b"].map(|name| name.parse().unwrap());
// + others.iter().for_each(|tenant| shares.note_work(tenant));
pub async fn alone_a_tenant_may_take_everything<H: StoreHarness>() {
    let fixture = Fixture::<H>::fresh().await;
    fixture.of_tenant("one", 20).await;
    fixture.of_tenant("idle", 0).await;
    let ask = ClaimDue::new(10, DEFAULT_LEASE).tenants(TenantLimits::new(1));
    assert_eq!(fixture.claim_due(ask).await.claims.len(), 10, "nobody else has work");
}

// Catches in webhook-testkit/src/memory/claim.rs:
// - shares.note_in_flight(&row.endpoint.tenant, *count);
// + let _ = (row, count);
pub async fn what_a_tenant_has_in_flight_counts_for_its_share<H: StoreHarness>() {
    let fixture = Fixture::<H>::fresh().await;
    let flood = fixture.of_tenant("flood", 20).await;
    let held = fixture.claim_due(ClaimDue::new(6, DEFAULT_LEASE)).await.claims;
    assert_eq!(held.len(), 6, "it was alone");
    let small = fixture.of_tenant("small", 20).await;
    let ask = || {
        let in_flight = BTreeMap::from([(flood, 6)]);
        ClaimDue::new(10, DEFAULT_LEASE).tenants(TenantLimits::new(8)).in_flight(in_flight)
    };
    let claims = fixture.claim_due(ask()).await.claims;
    assert_eq!(to(&claims, flood), 2, "up to its share");
    assert_eq!(to(&claims, small), 5, "the other gets half of the claim");
    fixture.finish(success(&held[0])).await;
}

// Catches in webhook-testkit/src/memory/claim.rs:
// - let resume_at = passed_over.or(next);
// + let resume_at = next;
pub async fn who_was_passed_over_is_next<H: StoreHarness>() {
    let fixture = Fixture::<H>::fresh().await;
    let (one, two) = (fixture.of_tenant("flood", 20).await, fixture.of_tenant("flood", 20).await);
    fixture.of_tenant("small", 20).await;
    let (mut cursor, mut seen) = (None, Vec::new());
    for _ in 0..4 {
        let ask = ClaimDue::new(4, DEFAULT_LEASE).cursor(cursor);
        let claimed = fixture.claim_due(ask).await;
        seen.push((to(&claimed.claims, one), to(&claimed.claims, two)));
        cursor = claimed.cursor;
    }
    assert_eq!(seen, [(2, 0), (0, 2), (2, 0), (0, 2)], "they take turns within their share");
}
