//! How an endpoint does, in numbers.

use std::{collections::BTreeMap, time::Duration};

use webhook_core::{
    Attempt, DeliveryStatus, EndpointStats, Failure, FailureKind, Timestamp,
    store::{DeliveryLog as _, DeliveryOperations as _, Finish, Settle},
};

use super::{
    Fixture, StoreHarness,
    fixture::{SECOND, failure, success},
};
use crate::units::HOUR;

impl<H: StoreHarness> Fixture<H> {
    async fn stats(&self, endpoint: webhook_core::EndpointId) -> EndpointStats {
        self.store.endpoint_stats(endpoint, HOUR).await.expect("an endpoint can be counted")
    }
}

/// An attempt that took so many milliseconds.
fn took(number: u32, millis: u64, failure: Option<FailureKind>) -> Attempt {
    let failure = failure.map(|kind| Failure::new(kind, "no"));
    let took = Duration::from_millis(millis);
    Attempt::from_parts(number, Timestamp::default(), took, None, failure, "".into())
}

// Catches in webhook-testkit/src/memory/log.rs:
// - .with_deliveries(rows.iter().map(|(_, row)| (row.state.status, 1)))
// + .with_deliveries(rows.iter().map(|_| (DeliveryStatus::Pending, 1)))
pub async fn stats_count_deliveries_by_how_far_they_have_come<H: StoreHarness>() {
    let fixture = Fixture::<H>::fresh().await;
    let endpoint = fixture.endpoint().await;
    fixture.pendings(endpoint, 4).await;
    let claims = fixture.claim().await;
    fixture.finish(success(&claims[0])).await;
    fixture.finish(failure(&claims[1])).await;
    fixture.finish(failure(&claims[2])).await;
    fixture.store.cancel(vec![fixture.pending(endpoint).await]).await.unwrap();
    fixture.pendings(endpoint, 3).await;
    let expected = [
        (DeliveryStatus::Pending, 3),
        (DeliveryStatus::InFlight, 1),
        (DeliveryStatus::Success, 1),
        (DeliveryStatus::Failed, 2),
        (DeliveryStatus::Cancelled, 1),
    ];
    let counted = fixture.stats(endpoint).await.deliveries;
    assert_eq!(counted, BTreeMap::from(expected), "each status by itself");
}

// Catches in webhook-testkit/src/memory/log.rs:
// - (kind(attempt), attempt.duration, 1)
// + (kind(attempt), attempt.duration, u64::from(attempt.number))
pub async fn stats_count_failures_by_kind_and_tell_how_long_attempts_took<H: StoreHarness>() {
    let fixture = Fixture::<H>::fresh().await;
    let endpoint = fixture.endpoint().await;
    fixture.pendings(endpoint, 2).await;
    let claims = fixture.claim().await;
    let (timeout, status) = (Some(FailureKind::Timeout), Some(FailureKind::Status));
    let first = vec![took(1, 30, timeout), took(2, 10, status), took(3, 10, None)];
    let finishes = vec![
        Finish::new(claims[0].lease, first, 3, Settle::Success),
        Finish::new(claims[1].lease, vec![took(1, 20, status)], 1, Settle::Failed),
    ];
    fixture.store.finish(finishes).await.unwrap();
    let stats = fixture.stats(endpoint).await;
    assert_eq!(stats.attempts, 4, "every attempt of both deliveries");
    let failures = BTreeMap::from([(FailureKind::Status, 2), (FailureKind::Timeout, 1)]);
    assert_eq!(stats.failures, failures, "those that went well are none");
    let durations = stats.durations.expect("there were attempts");
    let told = (durations.p50_ms, durations.p95_ms, durations.max_ms);
    assert_eq!(told, (10, 30, 30), "of 10, 10, 20 and 30 ms");
}

// Catches in webhook-testkit/src/memory/log.rs:
// - id.endpoint == endpoint && row.state.created_at >= since
// + row.state.created_at >= since
pub async fn stats_are_of_one_endpoint<H: StoreHarness>() {
    let fixture = Fixture::<H>::fresh().await;
    let (one, two) = (fixture.endpoint().await, fixture.endpoint().await);
    fixture.publish(fixture.event(), &[one, two]).await;
    for claim in fixture.claim().await.iter().filter(|claim| claim.lease.delivery.endpoint == two) {
        fixture.finish(failure(claim)).await;
    }
    let stats = fixture.stats(one).await;
    assert_eq!(stats.deliveries, BTreeMap::from([(DeliveryStatus::InFlight, 1)]), "its delivery");
    assert_eq!((stats.attempts, stats.failures.len()), (0, 0), "no attempt of the other");
}

// Catches in webhook-testkit/src/memory/log.rs:
// - id.endpoint == endpoint && row.state.created_at >= since
// + id.endpoint == endpoint && row.state.created_at > since
pub async fn stats_are_of_what_came_about_within_the_window<H: StoreHarness>() {
    let fixture = Fixture::<H>::fresh().await;
    let endpoint = fixture.endpoint().await;
    for _ in 0..2 {
        fixture.pending(endpoint).await;
        fixture.finish(failure(&fixture.claim_one().await)).await;
        fixture.advance(SECOND).await;
    }
    let within = async |window| {
        let stats = fixture.store.endpoint_stats(endpoint, window).await.unwrap();
        (stats.deliveries.values().sum::<u64>(), stats.attempts)
    };
    assert_eq!(within(SECOND * 2).await, (2, 2), "the beginning of the window is within it");
    assert_eq!(within(SECOND).await, (1, 1), "the older one is not");
    assert_eq!(within(Duration::ZERO).await, (0, 0), "nothing came about just now");
    assert_eq!(within(Duration::MAX).await, (2, 2), "a window may be as long as one likes");
}

// Catches in webhook-testkit/src/memory/log.rs:
// - EndpointStats::new(window)
// + EndpointStats::new(std::time::Duration::ZERO)
pub async fn stats_of_an_endpoint_that_nobody_has_heard_of_are_empty<H: StoreHarness>() {
    let fixture = Fixture::<H>::fresh().await;
    fixture.pending(fixture.endpoint().await).await;
    let stats = fixture.stats(fixture.ids.endpoint()).await;
    assert_eq!(stats, EndpointStats::new(HOUR), "nothing within the hour");
}
