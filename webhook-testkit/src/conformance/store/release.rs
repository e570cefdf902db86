//! Giving back claims that were not started.

use webhook_core::{
    DeliveryStatus,
    store::{Finished, Lease, LeaseEpoch},
};

use super::{
    Fixture, StoreHarness,
    fixture::{DEFAULT_LEASE, DEFAULT_RETRY_WAIT, retry, success},
};

// Catches in webhook-core/src/port/store/state/transition.rs:
// - state = state.settled(Settle::Retry(Duration::ZERO), now);
pub async fn a_released_claim_is_due_at_once<H: StoreHarness>() {
    let fixture = Fixture::<H>::fresh().await;
    let id = fixture.pending(fixture.endpoint().await).await;
    let claim = fixture.claim_one().await;
    assert_eq!(fixture.release(claim.lease).await, Finished::Recorded, "it is given back");
    let delivery = fixture.delivery(id).await;
    assert_eq!(delivery.status, DeliveryStatus::Pending, "nobody holds it");
    assert_eq!(delivery.due_at, Some(delivery.created_at), "it is due at once");
    assert_eq!(fixture.claim_one().await.lease.delivery, id, "it can be claimed at once");
}

// Catches in webhook-core/src/port/store/state/transition.rs:
// - self.ended(self.attempts.saturating_sub(1));
// + self.ended(self.attempts);
pub async fn a_released_claim_gives_its_number_back<H: StoreHarness>() {
    let fixture = Fixture::<H>::fresh().await;
    let id = fixture.pending(fixture.endpoint().await).await;
    let first = fixture.claim_one().await;
    fixture.finish(retry(&first, DEFAULT_RETRY_WAIT)).await;
    fixture.advance(DEFAULT_RETRY_WAIT).await;
    let second = fixture.claim_one().await;
    fixture.release(second.lease).await;
    assert_eq!(fixture.delivery(id).await.attempts, 1, "the attempt is not counted");
    let again = fixture.claim_one().await;
    assert_eq!(again.progress.attempt, second.progress.attempt, "the next claim has the number");
    assert_eq!(again.recorded, 1, "there is no gap");
    assert_eq!(again.lease.epoch, second.lease.epoch.next(), "the epoch is not given back");
}

// Catches in webhook-core/src/port/store/state/transition.rs:
// - self.ended(self.attempts.saturating_sub(1));
// + self.ended(self.attempts.saturating_sub(1));
// + state.held = true;
pub async fn a_released_claim_can_no_longer_be_finished<H: StoreHarness>() {
    let fixture = Fixture::<H>::fresh().await;
    let id = fixture.pending(fixture.endpoint().await).await;
    let claim = fixture.claim_one().await;
    fixture.release(claim.lease).await;
    fixture.finish(success(&claim)).await;
    assert_eq!(fixture.status(id).await, DeliveryStatus::Pending, "the lease is over");
    assert!(fixture.attempts(id).await.is_empty(), "nothing is recorded");
    fixture.release(claim.lease).await;
    assert_eq!(fixture.delivery(id).await.attempts, 0, "a claim is given back once");
}

// Catches in webhook-core/src/port/store/state/transition.rs:
// - self.attempts.saturating_sub(1)
// + self.budget_from
pub async fn a_release_keeps_what_was_lost_before<H: StoreHarness>() {
    let fixture = Fixture::<H>::fresh().await;
    fixture.pending(fixture.endpoint().await).await;
    fixture.claim_one().await;
    fixture.advance(DEFAULT_LEASE).await;
    let taken = fixture.claim_one().await;
    fixture.release(taken.lease).await;
    let again = fixture.claim_one().await;
    assert_eq!((again.progress.attempt, again.recorded), (2, 0), "attempt 1 is still missing");
}

// Catches in webhook-testkit/src/memory/ports.rs:
// - self.each(batch, State::release)
// + self.each(batch.into_iter().rev().collect(), State::release)
pub async fn each_release_of_a_batch_gets_its_own_answer<H: StoreHarness>() {
    let fixture = Fixture::<H>::fresh().await;
    let endpoint = fixture.endpoint().await;
    fixture.pendings(endpoint, 2).await;
    let claims = fixture.claim().await;
    let stale = Lease { epoch: LeaseEpoch::from_u64(99), ..claims[0].lease };
    let answers = fixture.store.release(vec![stale, claims[1].lease]).await.unwrap();
    assert_eq!(answers, [Finished::LeaseLost, Finished::Recorded], "each is answered, in order");
    let held = fixture.status(claims[0].lease.delivery).await;
    assert_eq!(held, DeliveryStatus::InFlight, "a stale epoch gives nothing back");
}

// Catches in webhook-core/src/port/store/state/transition.rs:
// - if made < state.attempts {
// + if made < state.attempts && made > 0 {
pub async fn a_release_restores_the_time_of_the_claim_before<H: StoreHarness>() {
    let fixture = Fixture::<H>::fresh().await;
    let id = fixture.pending(fixture.endpoint().await).await;
    let first = fixture.claim_one().await;
    fixture.release(first.lease).await;
    assert_eq!(fixture.delivery(id).await.last_attempt_at, None, "there was no claim before");
    let first = fixture.claim_one().await;
    assert_eq!(first.previous_claim_at, None, "a released claim was no attempt");
    let claimed_at = fixture.delivery(id).await.last_attempt_at;
    fixture.finish(retry(&first, DEFAULT_RETRY_WAIT)).await;
    for _ in 0..2 {
        fixture.advance(DEFAULT_RETRY_WAIT).await;
        let claim = fixture.claim_one().await;
        assert_eq!(claim.previous_claim_at, claimed_at, "the first one is the one before");
        fixture.release(claim.lease).await;
        assert_eq!(fixture.delivery(id).await.last_attempt_at, claimed_at, "and is so again");
    }
}
