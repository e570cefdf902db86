//! Writing down attempts and what follows from them.

use std::time::Duration;

use bytes::Bytes;
use webhook_core::{
    Attempt, DeliveryId, DeliveryStatus, DisabledReason, EndpointState, Failure, FailureKind,
    Trigger,
    store::{Claim, Finish, Finished, Lease, LeaseEpoch, Settle},
};

use super::{
    Fixture, StoreHarness,
    fixture::{
        DEFAULT_LEASE, DEFAULT_RETRY_WAIT, SECOND, accepted, failure, refused, retry, some_time,
        success,
    },
};

// Catches in webhook-core/src/port/store/state/transition.rs:
// - Settle::Success => DeliveryStatus::Success,
// + Settle::Success => DeliveryStatus::Pending,
pub async fn a_success_is_final<H: StoreHarness>() {
    let fixture = Fixture::<H>::fresh().await;
    let id = fixture.pending(fixture.endpoint().await).await;
    let claim = fixture.claim_one().await;
    assert_eq!(fixture.finish(success(&claim)).await, Finished::Recorded, "it is written");
    let delivery = fixture.delivery(id).await;
    assert_eq!(delivery.status, DeliveryStatus::Success, "the receiver has accepted it");
    assert_eq!((delivery.attempts, delivery.due_at), (1, None), "nothing more is due");
    fixture.advance(DEFAULT_LEASE * 10).await;
    fixture.assert_nothing_to_claim("a success is never claimed again").await;
}

// Catches in webhook-core/src/port/store/state/transition.rs:
// - Settle::Failed => DeliveryStatus::Failed,
// + Settle::Failed => DeliveryStatus::Pending,
pub async fn a_failure_is_final_and_says_why<H: StoreHarness>() {
    let fixture = Fixture::<H>::fresh().await;
    let id = fixture.pending(fixture.endpoint().await).await;
    let claim = fixture.claim_one().await;
    assert_eq!(fixture.finish(failure(&claim)).await, Finished::Recorded, "it is written");
    let delivery = fixture.delivery(id).await;
    assert_eq!(delivery.status, DeliveryStatus::Failed, "it is given up");
    assert_eq!(delivery.last_error.as_deref(), Some("could not connect"), "the record says why");
    fixture.advance(DEFAULT_LEASE * 10).await;
    fixture.assert_nothing_to_claim("a failure is never claimed again").await;
}

// Catches in webhook-core/src/port/store/state/transition.rs:
// - self.due_at = now.after(wait);
// + self.due_at = self.claimed_at.unwrap_or(now).after(wait);
pub async fn a_retry_is_due_after_its_wait_by_the_clock_of_the_store<H: StoreHarness>() {
    let fixture = Fixture::<H>::fresh().await;
    let id = fixture.pending(fixture.endpoint().await).await;
    let claim = fixture.claim_one().await;
    fixture.advance(SECOND).await;
    fixture.finish(retry(&claim, DEFAULT_RETRY_WAIT)).await;
    let delivery = fixture.delivery(id).await;
    assert_eq!(delivery.status, DeliveryStatus::Pending, "it waits");
    let due_at = delivery.created_at.after(SECOND + DEFAULT_RETRY_WAIT);
    assert_eq!(delivery.due_at, Some(due_at), "the wait begins when the attempt is written down");
    assert_eq!(delivery.last_error.as_deref(), Some("could not connect"), "the record says why");
}

// Catches in webhook-core/src/port/store/state/transition.rs:
// - now.after(wait);
// + now.after(wait.max(Duration::from_millis(1)));
pub async fn a_retry_without_a_wait_is_due_at_once<H: StoreHarness>() {
    let fixture = Fixture::<H>::fresh().await;
    fixture.pending(fixture.endpoint().await).await;
    let claim = fixture.claim_one().await;
    fixture.finish(retry(&claim, Duration::ZERO)).await;
    let next = fixture.claim_one().await;
    assert_eq!(next.progress.attempt, 2, "the next attempt is number 2");
    assert_eq!(next.lease.epoch, claim.lease.epoch.next(), "each claim raises the epoch");
    assert_eq!(next.recorded, 1, "the first attempt is on record");
}

// Catches in webhook-core/src/port/store/state/transition.rs:
// - now.after(wait);
// + now.after(wait.min(Duration::from_millis(i32::MAX as u64)));
pub async fn the_longest_wait_does_not_overflow<H: StoreHarness>() {
    let fixture = Fixture::<H>::fresh().await;
    let id = fixture.pending(fixture.endpoint().await).await;
    let claim = fixture.claim_one().await;
    let wait = webhook_core::RetryPolicy::MAX_WAIT;
    fixture.finish(retry(&claim, wait)).await;
    let delivery = fixture.delivery(id).await;
    assert_eq!(delivery.due_at, Some(delivery.created_at.after(wait)), "30 days fit");
}

// Catches in webhook-testkit/src/memory/ports.rs:
// - row.records.values().cloned()
// + row.records.values().rev().cloned()
pub async fn attempts_come_back_as_they_were_recorded<H: StoreHarness>() {
    let fixture = Fixture::<H>::fresh().await;
    let id = fixture.pending(fixture.endpoint().await).await;
    let took = Duration::from_millis(29_999);
    let status = Failure::new(FailureKind::Status, "status 503: später ☂");
    let body = Bytes::from_static(b"sp\xc3\xa4ter \xff\x00");
    let mut expected =
        vec![Attempt::from_parts(1, some_time(), took, Some(503), Some(status), body), refused(2)];
    let claim = fixture.claim_one().await;
    fixture
        .finish(Finish::new(claim.lease, expected.clone(), 2, Settle::Retry(DEFAULT_RETRY_WAIT)))
        .await;
    fixture.advance(DEFAULT_RETRY_WAIT).await;
    let claim = fixture.claim_one().await;
    expected.push(accepted(3));
    fixture.finish(success(&claim)).await;
    assert_eq!(fixture.attempts(id).await, expected, "every field comes back, the first one first");
}

// Catches in webhook-testkit/src/memory/row.rs:
// - self.records.entry(attempt.number).or_insert(attempt);
// + let mut attempt = attempt;
// + let other = |_| webhook_core::Failure::new(webhook_core::FailureKind::Other, "why");
// + attempt.failure = attempt.failure.map(other);
// + self.records.entry(attempt.number).or_insert(attempt);
pub async fn every_kind_of_failure_comes_back<H: StoreHarness>() {
    use FailureKind as Kind;
    let kinds = [
        Kind::Status,
        Kind::Blocked,
        Kind::Resolve,
        Kind::Connect,
        Kind::Tls,
        Kind::Timeout,
        Kind::StaleConnection,
        Kind::Interrupted,
        Kind::Protocol,
        Kind::Local,
        Kind::Unknown,
        Kind::Other,
    ];
    let fixture = Fixture::<H>::fresh().await;
    let id = fixture.pending(fixture.endpoint().await).await;
    let claim = fixture.claim_one().await;
    let mut expected: Vec<_> = (1..=12).map(refused).collect();
    for (attempt, kind) in expected.iter_mut().zip(kinds) {
        attempt.failure = Some(Failure::new(kind, "why"));
    }
    fixture.finish(Finish::new(claim.lease, expected.clone(), 12, Settle::Failed)).await;
    assert_eq!(fixture.attempts(id).await, expected, "every kind has a name in the record");
}

// Catches in webhook-testkit/src/memory/row.rs:
// - self.records.entry(attempt.number).or_insert(attempt);
// + self.records.entry(attempt.number).or_insert(attempt.with_trigger(webhook_core::Trigger::First));
pub async fn every_trigger_comes_back<H: StoreHarness>() {
    use Trigger::{First, Manual, Replay, Retry, Test};
    let fixture = Fixture::<H>::fresh().await;
    let id = fixture.pending(fixture.endpoint().await).await;
    let claim = fixture.claim_one().await;
    let attempts = [First, Retry, Manual, Replay, Test];
    let expected: Vec<_> =
        (1..).zip(attempts).map(|(number, why)| refused(number).with_trigger(why)).collect();
    fixture.finish(Finish::new(claim.lease, expected.clone(), 5, Settle::Failed)).await;
    assert_eq!(fixture.attempts(id).await, expected, "every trigger has a name in the record");
}

// Catches in webhook-testkit/src/memory/row.rs:
// - self.records.entry(attempt.number).or_insert(attempt);
// + let mut attempt = attempt;
// + attempt.response_body.truncate(8 * 1024);
// + self.records.entry(attempt.number).or_insert(attempt);
pub async fn large_response_bodies_and_errors_fit<H: StoreHarness>() {
    let fixture = Fixture::<H>::fresh().await;
    let id = fixture.pending(fixture.endpoint().await).await;
    let claim = fixture.claim_one().await;
    let text = "ü".repeat(Failure::MAX_TEXT / 2);
    let failure = Failure::new(FailureKind::Status, text.clone());
    let body = Bytes::from(vec![0xfe; webhook_core::transport::Request::MAX_RESPONSE_BODY]);
    let attempt =
        Attempt::from_parts(1, some_time(), SECOND, Some(999), Some(failure), body.clone());
    fixture.finish(Finish::new(claim.lease, vec![attempt], 1, Settle::Failed)).await;
    assert_eq!(fixture.attempts(id).await[0].response_body, body, "16 KiB of an answer fit");
    assert_eq!(fixture.delivery(id).await.last_error, Some(text), "2 KiB of an error fit");
}

// Catches in webhook-core/src/port/store/state/transition.rs:
// - state.attempts = made;
// + state.attempts = state.attempts.max(made);
pub async fn an_attempt_that_was_not_made_is_not_counted<H: StoreHarness>() {
    let fixture = Fixture::<H>::fresh().await;
    let id = fixture.pending(fixture.endpoint().await).await;
    let claim = fixture.claim_one().await;
    fixture.finish(Finish::new(claim.lease, vec![], 0, Settle::Retry(DEFAULT_RETRY_WAIT))).await;
    assert_eq!(fixture.delivery(id).await.attempts, 0, "the number is given back");
    fixture.advance(DEFAULT_RETRY_WAIT).await;
    let next = fixture.claim_one().await;
    assert_eq!((next.progress.attempt, next.recorded), (1, 0), "the next attempt has it");
    assert_eq!(next.lease.epoch, claim.lease.epoch.next(), "the epoch is not given back");
}

// Catches in webhook-core/src/port/store/state/transition.rs:
// - state.claimed_at = state.previous_claim_at;
pub async fn an_attempt_that_was_not_made_leaves_the_time_of_the_one_before<H: StoreHarness>() {
    let fixture = Fixture::<H>::fresh().await;
    let id = fixture.pending(fixture.endpoint().await).await;
    let first = fixture.claim_one().await;
    fixture.finish(retry(&first, DEFAULT_RETRY_WAIT)).await;
    let before = fixture.delivery(id).await.last_attempt_at;
    fixture.advance(DEFAULT_RETRY_WAIT).await;
    let second = fixture.claim_one().await;
    fixture.finish(Finish::new(second.lease, vec![], 1, Settle::Retry(Duration::ZERO))).await;
    assert_eq!(fixture.delivery(id).await.last_attempt_at, before, "there was no attempt since");
    assert_eq!(fixture.claim_one().await.previous_claim_at, before, "the next claim is told so");
}

// Catches in webhook-core/src/port/store/state/transition.rs:
// - state.forgiven = item.forgiven;
pub async fn forgiven_attempts_are_kept_for_the_next_claim<H: StoreHarness>() {
    let fixture = Fixture::<H>::fresh().await;
    fixture.pending(fixture.endpoint().await).await;
    for forgiven in 1..=3 {
        let claim = fixture.claim_one().await;
        assert_eq!(claim.progress.forgiven, forgiven - 1, "what was forgiven is told");
        fixture.finish(retry(&claim, DEFAULT_RETRY_WAIT).with_forgiven(forgiven)).await;
        fixture.advance(DEFAULT_RETRY_WAIT).await;
    }
}

// Catches in webhook-testkit/src/memory/ports.rs:
// - Ok(self.each(batch, State::finish))
// + let mut answers = self.each(batch, State::finish);
// + answers.sort_by_key(|answer| *answer == Finished::Recorded);
// + Ok(answers)
pub async fn each_finish_of_a_batch_gets_its_own_answer<H: StoreHarness>() {
    let fixture = Fixture::<H>::fresh().await;
    let endpoint = fixture.endpoint().await;
    fixture.pendings(endpoint, 3).await;
    let claims = fixture.claim().await;
    let mut stale = success(&claims[1]);
    stale.lease.epoch = LeaseEpoch::from_u64(99);
    let nobody = DeliveryId::new(fixture.ids.event(), endpoint);
    let unknown = Lease { delivery: nobody, epoch: LeaseEpoch::from_u64(1) };
    let batch = vec![
        success(&claims[0]),
        stale,
        Finish::new(unknown, vec![accepted(1)], 1, Settle::Success),
        retry(&claims[2], DEFAULT_RETRY_WAIT),
    ];
    let answers = fixture.store.finish(batch).await.unwrap();
    let lost = Finished::LeaseLost;
    let expected = [Finished::Recorded, lost, lost, Finished::Recorded];
    assert_eq!(answers, expected, "each finish is answered, in order");
    let status = |at: usize| fixture.status(claims[at].lease.delivery);
    assert_eq!(status(0).await, DeliveryStatus::Success, "the first is written");
    assert_eq!(status(1).await, DeliveryStatus::InFlight, "the stale one is not");
    assert_eq!(status(2).await, DeliveryStatus::Pending, "the last is written");
    assert!(fixture.attempts(nobody).await.is_empty(), "nothing is recorded for nobody");
}

// Catches in webhook-core/src/port/store/state/transition.rs:
// - return Transition::none(Finished::Recorded);
// + return Transition::none(Finished::LeaseLost);
pub async fn a_finish_said_twice_is_written_once<H: StoreHarness>() {
    for finish in [success, failure, |claim: &Claim| retry(claim, DEFAULT_RETRY_WAIT)] {
        let fixture = Fixture::<H>::fresh().await;
        let id = fixture.pending(fixture.endpoint().await).await;
        let claim = fixture.claim_one().await;
        fixture.finish(finish(&claim)).await;
        let before = fixture.delivery(id).await;
        fixture.advance(SECOND).await;
        let again = fixture.finish(finish(&claim)).await;
        assert_eq!(again, Finished::Recorded, "the first answer may have been lost");
        assert_eq!(fixture.delivery(id).await, before, "the second time changes nothing");
        assert_eq!(fixture.attempt_numbers(id).await, [1], "the attempt is recorded once");
    }
}

// Catches in webhook-core/src/port/store/state/transition.rs:
// - if !self.held {
// + if false {
pub async fn what_is_written_is_not_written_over<H: StoreHarness>() {
    let fixture = Fixture::<H>::fresh().await;
    let endpoint = fixture.endpoint().await;
    let id = fixture.pending(endpoint).await;
    let claim = fixture.claim_one().await;
    fixture.finish(success(&claim)).await;
    let (before, version) = (fixture.delivery(id).await, fixture.version().await);
    let other = failure(&claim).with_disabled_endpoint(Some(DisabledReason::Gone));
    assert_eq!(fixture.finish(other).await, Finished::Recorded, "this epoch is written already");
    assert_eq!(fixture.delivery(id).await, before, "the delivery stays as it is");
    assert_eq!(fixture.attempts(id).await, [accepted(1)], "so does the attempt");
    assert_eq!(fixture.version().await, version, "and so does the endpoint");
}

// Catches in webhook-testkit/src/memory/ports.rs:
// - self.each(batch, State::finish)
// + self.each(batch.into_iter().rev().collect(), State::finish)
pub async fn a_finish_said_twice_in_one_batch_is_written_once<H: StoreHarness>() {
    let fixture = Fixture::<H>::fresh().await;
    let id = fixture.pending(fixture.endpoint().await).await;
    let claim = fixture.claim_one().await;
    let batch = vec![success(&claim), failure(&claim)];
    let answers = fixture.store.finish(batch).await.unwrap();
    assert_eq!(answers, [Finished::Recorded; 2], "each is answered");
    assert_eq!(fixture.status(id).await, DeliveryStatus::Success, "the first of them counts");
    assert_eq!(fixture.attempts(id).await, [accepted(1)], "the attempt is recorded once");
}

// Catches in webhook-core/src/port/store/state/transition.rs:
// - if self.epoch != item.lease.epoch {
// + if self.epoch < item.lease.epoch {
pub async fn a_finish_said_twice_under_an_older_epoch_is_late<H: StoreHarness>() {
    let fixture = Fixture::<H>::fresh().await;
    fixture.pending(fixture.endpoint().await).await;
    let claim = fixture.claim_one().await;
    fixture.finish(retry(&claim, Duration::ZERO)).await;
    fixture.claim_one().await;
    let again = fixture.finish(retry(&claim, Duration::ZERO)).await;
    assert_eq!(again, Finished::LeaseLost, "somebody else has claimed it since");
}

// Catches in webhook-testkit/src/memory/finish.rs:
// - self.deliveries.get_mut(&item.lease.delivery) else {
// + self.deliveries.values_mut().rfind(|row| row.event.id == item.lease.delivery.event) else {
pub async fn finishing_one_delivery_leaves_the_others_alone<H: StoreHarness>() {
    let fixture = Fixture::<H>::fresh().await;
    let endpoints = [fixture.endpoint().await, fixture.endpoint().await];
    let event = fixture.event();
    fixture.publish(event.clone(), &endpoints).await;
    let claims = fixture.claim().await;
    fixture.finish(success(&claims[0])).await;
    let other = claims[1].lease.delivery;
    assert_eq!(fixture.status(other).await, DeliveryStatus::InFlight, "the same event elsewhere");
    assert!(fixture.attempts(other).await.is_empty(), "each delivery has its own attempts");
}

// Catches in webhook-core/src/port/store/state/endpoint_change.rs:
// - disabled: Some(state),
// + disabled: None,
pub async fn a_finish_may_disable_the_endpoint<H: StoreHarness>() {
    let fixture = Fixture::<H>::fresh().await;
    let endpoint = fixture.endpoint().await;
    let waiting = fixture.pending(endpoint).await;
    fixture.advance(SECOND).await;
    fixture.pending(endpoint).await;
    let claim = fixture
        .claim_due(webhook_core::store::ClaimDue::new(1, DEFAULT_LEASE))
        .await
        .claims
        .remove(0);
    let (before, version) = (fixture.stored(endpoint).await, fixture.version().await);
    fixture.finish(failure(&claim).with_disabled_endpoint(Some(DisabledReason::Gone))).await;
    let after = fixture.stored(endpoint).await;
    let disabled = EndpointState::Disabled(DisabledReason::Gone);
    assert_eq!(after.state, disabled, "the endpoint is disabled, and says why");
    assert!(after.revision > before.revision, "that is an edit: the revision rises");
    assert!(fixture.version().await > version, "publishers notice: the tenant's version rises");
    fixture.assert_nothing_to_claim("what was pending waits").await;
    assert_eq!(claim.lease.delivery, waiting, "the longest due was claimed");
}

// Catches in webhook-testkit/src/memory/finish.rs:
// - let Some(row) = self.deliveries.get_mut(&item.lease.delivery) else {
// + if item.disable_endpoint.is_some() {
// +     self.apply_health(&item, now);
// + }
// + let Some(row) = self.deliveries.get_mut(&item.lease.delivery) else {
pub async fn a_late_finish_does_not_disable_the_endpoint<H: StoreHarness>() {
    let fixture = Fixture::<H>::fresh().await;
    let endpoint = fixture.endpoint().await;
    fixture.pending(endpoint).await;
    let late = fixture.claim_one().await;
    fixture.advance(DEFAULT_LEASE).await;
    fixture.claim_one().await;
    let version = fixture.version().await;
    fixture.finish(failure(&late).with_disabled_endpoint(Some(DisabledReason::Gone))).await;
    let state = fixture.stored(endpoint).await.state;
    assert_eq!(state, EndpointState::Active, "a stale epoch changes nothing");
    assert_eq!(fixture.version().await, version, "not even the tenant's version");
}

// Catches in webhook-testkit/src/memory/finish.rs:
// - self.unblock_line(item.lease.delivery, change.next_due_at);
// + let row = self.deliveries.get(&item.lease.delivery);
// + let tenant = row.map(|row| row.event.tenant.clone());
// + tenant.iter().for_each(|tenant| self.raise_version(tenant));
// + self.unblock_line(item.lease.delivery, change.next_due_at);
pub async fn an_attempt_is_no_edit_of_the_endpoint<H: StoreHarness>() {
    let fixture = Fixture::<H>::fresh().await;
    let endpoint = fixture.endpoint().await;
    fixture.pending(endpoint).await;
    let (before, version) = (fixture.stored(endpoint).await, fixture.version().await);
    let claim = fixture.claim_one().await;
    fixture.finish(retry(&claim, DEFAULT_RETRY_WAIT)).await;
    let after = fixture.stored(endpoint).await;
    assert_eq!(after.revision, before.revision, "its settings are the same");
    assert_eq!(fixture.version().await, version, "publishers need not read it again");
}
