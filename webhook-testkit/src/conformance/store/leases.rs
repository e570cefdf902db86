//! Leases that run out, and the epochs that fence late writers.

use webhook_core::{
    DeliveryStatus, WorkerName,
    store::{Claim, ClaimDue, Enqueue, FanOut, Finished, LeaseEpoch, NewDelivery, Settle},
};

use super::{
    Fixture, StoreHarness,
    fixture::{DEFAULT_LEASE, DEFAULT_RETRY_WAIT, SECOND, failure, refused, retry, success},
};

// Catches in webhook-core/src/port/store/state/delivery_state.rs:
// - due_at: now.after(lease),
// + due_at: now.after(lease - Duration::from_millis(1)),
pub async fn a_lease_holds_to_its_last_millisecond<H: StoreHarness>() {
    let fixture = Fixture::<H>::fresh().await;
    fixture.pending(fixture.endpoint().await).await;
    fixture.claim_one().await;
    fixture.advance(DEFAULT_LEASE - SECOND / 1000).await;
    fixture.assert_nothing_to_claim("at most one lease of a delivery holds at a time").await;
}

// Catches in webhook-core/src/port/store/state/delivery_state.rs:
// - epoch: self.epoch.next(),
// + epoch: if self.held { self.epoch } else { self.epoch.next() },
pub async fn an_expired_lease_is_taken_over_under_the_next_epoch<H: StoreHarness>() {
    let fixture = Fixture::<H>::fresh().await;
    fixture.pending(fixture.endpoint().await).await;
    let lost = fixture.claim_one().await;
    let lost_at = fixture.delivery(lost.lease.delivery).await.last_attempt_at;
    fixture.advance(DEFAULT_LEASE).await;
    let taken = fixture.claim_one().await;
    assert_eq!(taken.lease.delivery, lost.lease.delivery, "the same delivery is claimed again");
    assert_eq!(taken.lease.epoch, lost.lease.epoch.next(), "each claim raises the epoch");
    assert_eq!(taken.progress.attempt, 2, "the lost attempt counts");
    assert_eq!(taken.previous_claim_at, lost_at, "it is told when the lost one was claimed");
}

// Catches in webhook-testkit/src/memory/claim.rs:
// - u32::try_from(row.records.len()).unwrap_or(u32::MAX);
// + row.state.attempts - 1;
pub async fn lost_attempts_show_as_a_gap_between_recorded_and_claimed<H: StoreHarness>() {
    let fixture = Fixture::<H>::fresh().await;
    fixture.pending(fixture.endpoint().await).await;
    let first = fixture.claim_one().await;
    fixture.finish(retry(&first, DEFAULT_RETRY_WAIT)).await;
    fixture.advance(DEFAULT_RETRY_WAIT).await;
    for attempt in 2..=4 {
        let claim = fixture.claim_one().await;
        assert_eq!(claim.progress.attempt, attempt, "each claim counts an attempt");
        assert_eq!(claim.recorded, 1, "only the first one is on record");
        fixture.advance(DEFAULT_LEASE).await;
    }
}

// Catches in webhook-testkit/src/memory/finish.rs:
// - item.attempts.iter().for_each
// + item.attempts.last().into_iter().for_each
pub async fn lost_attempts_are_recorded_with_the_one_that_follows<H: StoreHarness>() {
    let fixture = Fixture::<H>::fresh().await;
    let id = fixture.pending(fixture.endpoint().await).await;
    fixture.claim_one().await;
    fixture.advance(DEFAULT_LEASE).await;
    let claim = fixture.claim_one().await;
    let mut finish = retry(&claim, DEFAULT_RETRY_WAIT);
    finish.attempts.insert(0, refused(1));
    fixture.finish(finish).await;
    assert_eq!(fixture.attempt_numbers(id).await, [1, 2], "numbers have no gaps");
    fixture.advance(DEFAULT_RETRY_WAIT).await;
    let next = fixture.claim_one().await;
    assert_eq!((next.recorded, next.progress.attempt), (2, 3), "both are on record");
}

// Catches in webhook-core/src/port/store/state/transition.rs:
// - if self.epoch != item.lease.epoch {
// + if false {
pub async fn a_late_writer_changes_nothing<H: StoreHarness>() {
    let fixture = Fixture::<H>::fresh().await;
    let id = fixture.pending(fixture.endpoint().await).await;
    let late = fixture.claim_one().await;
    fixture.advance(DEFAULT_LEASE).await;
    let present = fixture.claim_one().await;
    let before = fixture.delivery(id).await;
    for stale in [success(&late), failure(&late), retry(&late, DEFAULT_RETRY_WAIT)] {
        assert_eq!(fixture.finish(stale).await, Finished::LeaseLost, "the epoch has passed");
    }
    assert_eq!(fixture.release(late.lease).await, Finished::LeaseLost, "the epoch has passed");
    assert_eq!(fixture.delivery(id).await, before, "a stale epoch changes nothing");
    assert!(fixture.attempts(id).await.is_empty(), "a stale epoch records nothing");
    let written = fixture.finish(success(&present)).await;
    assert_eq!(written, Finished::Recorded, "the present holder is not disturbed");
}

// Catches in webhook-core/src/port/store/state/transition.rs:
// - if self.epoch != item.lease.epoch {
// + if self.epoch != item.lease.epoch || self.due_at <= now {
pub async fn a_writer_later_than_its_lease_may_write_while_nobody_took_over<H: StoreHarness>() {
    let fixture = Fixture::<H>::fresh().await;
    let id = fixture.pending(fixture.endpoint().await).await;
    let claim = fixture.claim_one().await;
    fixture.advance(DEFAULT_LEASE * 2).await;
    assert_eq!(fixture.finish(success(&claim)).await, Finished::Recorded, "nobody else has it");
    assert_eq!(fixture.status(id).await, DeliveryStatus::Success, "it is written");
}

// Catches in webhook-core/src/port/store/state/transition.rs:
// - if self.epoch != item.lease.epoch {
// + if self.epoch > item.lease.epoch {
pub async fn an_epoch_from_the_future_changes_nothing<H: StoreHarness>() {
    let fixture = Fixture::<H>::fresh().await;
    let id = fixture.pending(fixture.endpoint().await).await;
    let mut claim = fixture.claim_one().await;
    claim.lease.epoch = LeaseEpoch::from_u64(99);
    assert_eq!(fixture.finish(success(&claim)).await, Finished::LeaseLost, "no such lease");
    assert_eq!(fixture.status(id).await, DeliveryStatus::InFlight, "nothing is written");
}

// Catches in webhook-core/src/port/store/state/delivery_state.rs:
// - state = state.claimed(lease, new.claimed_by(), now);
// + state = state.claimed(lease, new.claimed_by(), now);
// + state.epoch = Default::default();
pub async fn a_delivery_leased_at_its_birth_is_finished_under_epoch_1<H: StoreHarness>() {
    let fixture = Fixture::<H>::fresh().await;
    let lease = fixture.leased(fixture.endpoint().await, DEFAULT_LEASE).await;
    let finish = webhook_core::store::Finish::new(
        lease,
        vec![refused(1)],
        1,
        Settle::Retry(DEFAULT_RETRY_WAIT),
    );
    assert_eq!(fixture.finish(finish).await, Finished::Recorded, "its publisher holds epoch 1");
    fixture.advance(DEFAULT_RETRY_WAIT).await;
    let claim = fixture.claim_one().await;
    assert_eq!(claim.lease.epoch.as_u64(), 2, "the next claim is epoch 2");
    assert_eq!((claim.progress.attempt, claim.recorded), (2, 1), "and attempt 2");
}

// Catches in webhook-core/src/port/store/state/delivery_state.rs:
// - state = state.claimed(lease, new.claimed_by(), now);
// + state = state.claimed(Duration::from_secs(60), new.claimed_by(), now);
pub async fn a_delivery_leased_at_its_birth_is_taken_over_after_its_lease<H: StoreHarness>() {
    let fixture = Fixture::<H>::fresh().await;
    let lease = fixture.leased(fixture.endpoint().await, DEFAULT_RETRY_WAIT).await;
    fixture.advance(DEFAULT_RETRY_WAIT - SECOND / 1000).await;
    fixture.assert_nothing_to_claim("its lease still holds").await;
    fixture.advance(SECOND / 1000).await;
    let claim = fixture.claim_one().await;
    assert_eq!(claim.lease.epoch, lease.epoch.next(), "it is taken over under the next epoch");
    assert_eq!((claim.progress.attempt, claim.recorded), (2, 0), "its first attempt is lost");
    assert!(claim.previous_claim_at.is_some(), "it is told when that was claimed");
}

// Catches in webhook-testkit/src/memory/claim.rs:
// - open.retain(|&endpoint, _| self.is_active(endpoint));
pub async fn an_expired_lease_of_a_paused_endpoint_waits<H: StoreHarness>() {
    let fixture = Fixture::<H>::fresh().await;
    let endpoint = fixture.endpoint().await;
    fixture.pending(endpoint).await;
    fixture.claim_one().await;
    fixture.set_state(endpoint, webhook_core::EndpointState::Paused).await;
    fixture.advance(DEFAULT_LEASE).await;
    fixture.assert_nothing_to_claim("a paused endpoint gets nothing, not even what was lost").await;
}

fn worker(name: &str) -> Option<WorkerName> {
    Some(name.parse().unwrap())
}

impl<H: StoreHarness> Fixture<H> {
    /// Claims the one delivery that is due, as this worker.
    async fn claim_as(&self, worker: Option<WorkerName>) -> Claim {
        let claims = self.claim_due(ClaimDue::new(100, DEFAULT_LEASE).worker(worker)).await.claims;
        assert_eq!(claims.len(), 1, "exactly one delivery can be claimed");
        claims.into_iter().next().unwrap()
    }
}

// Catches in webhook-core/src/port/store/state/delivery_state.rs:
// - claimed_by: worker.cloned(),
pub async fn a_claim_tells_its_worker_and_the_record_keeps_it<H: StoreHarness>() {
    let fixture = Fixture::<H>::fresh().await;
    let id = fixture.pending(fixture.endpoint().await).await;
    assert_eq!(fixture.delivery(id).await.claimed_by, None, "nobody has claimed it");
    let claim = fixture.claim_as(worker("host-1:4711")).await;
    assert_eq!(
        fixture.delivery(id).await.claimed_by,
        worker("host-1:4711"),
        "it is told who has it"
    );
    fixture.finish(retry(&claim, DEFAULT_RETRY_WAIT)).await;
    let told = fixture.delivery(id).await.claimed_by;
    assert_eq!(told, worker("host-1:4711"), "and who made the last attempt");
}

// Catches in webhook-core/src/port/store/state/delivery_state.rs:
// - claimed_by: worker.cloned(),
// + claimed_by: self.claimed_by.clone().or_else(|| worker.cloned()),
pub async fn whoever_takes_over_is_told_from_then_on<H: StoreHarness>() {
    let fixture = Fixture::<H>::fresh().await;
    let id = fixture.pending(fixture.endpoint().await).await;
    for name in [worker("host-1:4711"), worker("host-2:17"), None] {
        fixture.claim_as(name.clone()).await;
        assert_eq!(fixture.delivery(id).await.claimed_by, name, "the last claim is told");
        fixture.advance(DEFAULT_LEASE).await;
    }
}

// Catches in webhook-core/src/port/store/state/transition.rs:
// - state.claimed_by = None;
pub async fn a_release_forgets_its_worker<H: StoreHarness>() {
    let fixture = Fixture::<H>::fresh().await;
    let id = fixture.pending(fixture.endpoint().await).await;
    let claim = fixture.claim_as(worker("host-1:4711")).await;
    fixture.release(claim.lease).await;
    assert_eq!(fixture.delivery(id).await.claimed_by, None, "its claim led to no attempt");
}

// Catches in webhook-core/src/port/store/state/delivery_state.rs:
// - state = state.claimed(lease, new.claimed_by(), now);
// + state = state.claimed(lease, None, now);
pub async fn a_delivery_leased_at_its_birth_tells_its_worker<H: StoreHarness>() {
    let fixture = Fixture::<H>::fresh().await;
    let (held, free) = (fixture.endpoint().await, fixture.endpoint().await);
    let event = fixture.event();
    let by = |new: NewDelivery| new.with_worker(worker("host-1:4711"));
    let new = vec![by(NewDelivery::leased(held, DEFAULT_LEASE)), by(NewDelivery::pending(free))];
    let fan_out = FanOut::by(fixture.version().await, new);
    fixture.enqueue(vec![Enqueue::routed(event.clone(), fan_out)]).await;
    for (endpoint, name) in [(held, worker("host-1:4711")), (free, None)] {
        let id = webhook_core::DeliveryId::new(event.id, endpoint);
        assert_eq!(fixture.delivery(id).await.claimed_by, name, "only what is leased is claimed");
    }
}

// Catches in webhook-core/src/port/store/state/delivery_state.rs:
// - Some(self.due_at).filter(|_| self.status == DeliveryStatus::InFlight);
// + Some(self.due_at).filter(|_| self.is_open());
pub async fn the_end_of_a_lease_is_told_as_long_as_it_is_out<H: StoreHarness>() {
    let fixture = Fixture::<H>::fresh().await;
    let id = fixture.pending(fixture.endpoint().await).await;
    assert_eq!(fixture.delivery(id).await.leased_until, None, "nobody has it");
    let claim = fixture.claim_one().await;
    let delivery = fixture.delivery(id).await;
    let ends = delivery.last_attempt_at.map(|at| at.after(DEFAULT_LEASE));
    assert_eq!((delivery.leased_until, delivery.due_at), (ends, None), "by the store's clock");
    fixture.finish(retry(&claim, DEFAULT_RETRY_WAIT)).await;
    assert_eq!(fixture.delivery(id).await.leased_until, None, "the lease is over");
}
